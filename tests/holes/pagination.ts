import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { type Hole, withGates } from "../hole.ts";

/** `LIMIT ${Number(req.query.limit) || 20}`: a default and no maximum. */
export const hole: Hole = {
  id: "pagination",
  wrong: "a page is as long as the client asks for",
  create: withGates({
    input(api, route) {
      const page = route.page === undefined ? undefined : { ...route.page, max: 1_000_000 };
      return standardGates.input(api, { ...route, page });
    },
  }),
};
