import { EarlyAnswer } from "../../packages/portcullis/src/exchange.ts";
import { type Hole, withGates } from "../hole.ts";

/** `cors({ origin: true, credentials: true })`: the one setting under which the frontend stopped complaining. */
export const hole: Hole = {
  id: "cors",
  wrong: "every origin is reflected, with credentials",
  create: withGates({
    preflight: () =>
      function grantEverything(x) {
        if (x.method !== "OPTIONS") return undefined;
        const methods = "GET,HEAD,PUT,PATCH,POST,DELETE";
        const names = x.headers["access-control-request-headers"] ?? "";
        return new EarlyAnswer(204, ["access-control-allow-methods", methods, "access-control-allow-headers", names]);
      },
    corsHeaders: () =>
      function reflectOrigin(x, headers) {
        const origin = x.headers["origin"];
        if (origin === undefined) return;
        headers.push("access-control-allow-origin", origin, "access-control-allow-credentials", "true");
      },
  }),
};
