import { chain } from "../../packages/portcullis/src/lib/chain.ts";
import { standardGates } from "../../packages/portcullis/src/pipeline.ts";
import { type Hole, withGates } from "../hole.ts";

/** `res.setHeader("Set-Cookie", "session=" + id)`: scripts may read it, plain http carries it, every site sends it. */
export const hole: Hole = {
  id: "sessions",
  wrong: "the session cookie is set without Secure, HttpOnly and SameSite",
  create: withGates({
    output(api, route) {
      const write = standardGates.output(api, route);
      return function writeBareCookies(x) {
        return chain(write?.(x), (outcome) => {
          x.answerHeaders = x.answerHeaders.map((part) => part.replaceAll(/; (?:Secure|HttpOnly|SameSite=\w+)/g, ""));
          return outcome;
        });
      };
    },
  }),
};
