import { Refusal } from "../../packages/portcullis/src/refusal.ts";
import { type Hole, withGates } from "../hole.ts";

/** `if (!req.user) return res.status(401)` on every route, and on the admin's routes nothing besides. */
export const hole: Hole = {
  id: "function-access",
  wrong: "any signed-in caller may call any function",
  create: withGates({
    functionAccess(_api, route) {
      if (route.access.public) return undefined;
      return function requireAnybody(x) {
        return x.caller === undefined ? new Refusal("no-credential", "nobody is signed in") : undefined;
      };
    },
  }),
};
