import { buildRouter } from "../../packages/portcullis/src/lib/router.ts";
import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { type Hole, withGates } from "../hole.ts";

/** The old version is "deprecated" in the docs only, and `app.all` answers every method alike. */
export const hole: Hole = {
  id: "versioning",
  wrong: "a route answers after its sunset, and a method it does not have is answered as if it were a read",
  create: withGates({
    versioning(api) {
      const routes = api.routes.map((route) => ({ ...route, sunsetMs: undefined }));
      const find = standardGates.versioning({ ...api, routes });
      const router = buildRouter(routes);
      return function findSomeRoute(x) {
        const place = router(x.segments, []);
        if (x.method !== "OPTIONS" && place?.routes.has("GET") === true && !place.routes.has(x.method))
          x.method = "GET";
        return find(x);
      };
    },
  }),
};
