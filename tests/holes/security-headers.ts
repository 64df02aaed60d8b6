import { type Hole, withGates } from "../hole.ts";

/** An API has no pages, so who would need headers? Whoever opens one of its answers in a browser. */
export const hole: Hole = {
  id: "security-headers",
  wrong: "answers say what type they have and what software sent them, and nothing else",
  create: withGates({
    securityHeaders: () =>
      function nameTheServer(x, headers) {
        headers.push("x-powered-by", "Express");
        if (x.refusal !== undefined) headers.push("content-type", "application/problem+json");
        else if (x.bodyText !== undefined) headers.push("content-type", "application/json");
      },
  }),
};
