import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { chain } from "../../packages/portcullis/src/lib/chain.ts";
import { type Hole, withGates } from "../hole.ts";

/** Nothing compares Host with anything; links, caches and the next rebinding page take it as it comes. */
export const hole: Hole = {
  id: "host",
  wrong: "any Host is served",
  create: withGates({
    host(api) {
      const establish = standardGates.host(api);
      return function serveAnyHost(x) {
        return chain(establish(x), () => undefined);
      };
    },
  }),
  // Over plain http the transport gate refuses public names by itself.
  setting: { tls: true },
};
