import type { Exchange, Outcome } from "../exchange.ts";
import type { RouteGate } from "../gate.ts";
import { Refusal } from "../refusal.ts";

/**
 * Reads the body, counting bytes as they arrive instead of trusting Content-Length, and stops at the first byte over
 * the route's limit. A route without a body schema takes no body at all. Encoded bodies are refused, so that no small
 * body can become a large one.
 *
 * @returns step; refuses with `body-too-large` (413), `body-timeout` (408), `content-encoding` (415),
 *   `body-unexpected`, `body-aborted` (400)
 * @see RFC 9110 sections 15.5.14 (413) and 15.5.16 (415), RFC 9112 section 6.3 (how long a body is)
 */
export const bodySize: RouteGate = (api, route) => {
  const { bodyTimeoutMs } = api;
  const maxBytes = route.bodyMaxBytes;
  const expected = route.body !== undefined;

  function take(x: Exchange, body: Uint8Array | "too-large" | "timeout" | "aborted"): Outcome {
    if (typeof body !== "string") {
      x.body = body;
      x.bodyConsumed = true;
      return undefined;
    }
    if (body === "too-large") return new Refusal("body-too-large", `more than ${maxBytes} bytes`);
    if (body === "timeout") return new Refusal("body-timeout", `not there after ${bodyTimeoutMs} ms`);
    return new Refusal("body-aborted", "the client went away");
  }

  return function readBoundedBody(x) {
    if (!x.arrival.hasBody) return undefined;
    const length = x.headers["content-length"];
    if (!expected) {
      if (length === "0") {
        x.bodyConsumed = true;
        return undefined;
      }
      return new Refusal("body-unexpected", "this route takes no body");
    }
    const encoding = x.headers["content-encoding"];
    if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
      return new Refusal("content-encoding", "the body is encoded", { headers: ["accept-encoding", "identity"] });
    }
    // A length that admits to being too large saves the reading; a smaller one is still counted.
    if (length !== undefined && Number(length) > maxBytes) return new Refusal("body-too-large", `${length} announced`);
    return x.arrival.readBody(maxBytes, bodyTimeoutMs).then((body) => take(x, body));
  };
};
