import { Refusal } from "../../packages/portcullis/src/refusal.ts";
import { type Hole, withGates } from "../hole.ts";

/** `if (Number(req.headers["content-length"]) > max) …`, then the whole body: chunks announce no length. */
export const hole: Hole = {
  id: "body-size",
  wrong: "Content-Length is believed, and then everything is read",
  create: withGates({
    bodySize(api, route) {
      if (route.body === undefined) return undefined;
      return async function readWhatComes(x) {
        if (!x.arrival.hasBody) return undefined;
        if (Number(x.headers["content-length"]) > route.bodyMaxBytes) return new Refusal("body-too-large", "announced");
        const body = await x.arrival.readBody(Number.MAX_SAFE_INTEGER, api.bodyTimeoutMs);
        if (typeof body === "string") return new Refusal("body-aborted", body);
        x.body = body;
        x.bodyConsumed = true;
        return undefined;
      };
    },
  }),
};
