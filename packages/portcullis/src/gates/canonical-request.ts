import { defaults } from "../defaults.ts";
import type { ArrivalGate } from "../gate.ts";
import { headerReader } from "../lib/header-block.ts";
import type { ApiPlan } from "../plan.ts";
import { readQuery } from "../lib/query.ts";
import { readTarget } from "../lib/target.ts";
import { Unreadable } from "../lib/unreadable.ts";
import { Refusal } from "../refusal.ts";

/**
 * Reads the request line and the header block once, strictly, before anybody decides on them. What has no single
 * reading is refused with 400 (414 and 431 where it is too long); a method nobody serves is 501.
 *
 * @returns step; refuses with `bad-target`, `target-too-long`, `bad-header`, `headers-too-large`, `bad-query`,
 *   `method-refused`
 * @see RFC 9112 section 3.2 (request target), RFC 9110 section 5 (fields), OWASP ASVS 5.0 1.5.3 and 4.2.1
 */
export const canonicalRequest: ArrivalGate = (api) => {
  const targetOptions = { maxBytes: defaults.targetMaxBytes };
  const readHeaders = headerReader({ maxBytes: defaults.headersMaxBytes, single: singleHeaders(api) });
  const queryOptions = { maxPairs: defaults.queryMaxPairs };

  return function readRequest(x) {
    const { arrival } = x;
    if (!served.has(arrival.method)) return new Refusal("method-refused", `method ${printable(arrival.method)}`);
    x.isHead = arrival.method === "HEAD";
    x.method = x.isHead ? "GET" : arrival.method;

    const headers = readHeaders(arrival.headers);
    if (headers instanceof Unreadable) {
      return new Refusal(
        tooLarge.has(headers.reason) ? "headers-too-large" : "bad-header",
        `${headers.reason} ${headers.where}`,
      );
    }
    x.headers = headers;

    // Servers answer `OPTIONS *` about themselves; there is nothing to tell and nothing to route.
    const target = readTarget(arrival.target, targetOptions);
    if (target instanceof Unreadable) {
      return new Refusal(target.reason === "target-too-long" ? "target-too-long" : "bad-target", target.reason);
    }
    x.path = target.path;
    x.segments = target.segments;

    if (target.query !== "") {
      const query = readQuery(target.query, queryOptions);
      // Without the parameter's name: it is the client's text, and a token pasted behind the "?" is a name.
      if (query instanceof Unreadable) return new Refusal("bad-query", query.reason);
      x.query = query;
    }
    return undefined;
  };
};

const tooLarge: ReadonlySet<string> = new Set(["header-block-too-large", "header-too-many", "header-name-too-long"]);

/** Every header this API decides by; sent twice, or under an alias, it has no single reading. */
function singleHeaders(api: ApiPlan): readonly string[] {
  const { version } = api.config;
  const { header } = api.topology;
  return [
    ...api.verifiers.flatMap(({ credential }) =>
      credential.carrier.in === "header" ? [credential.carrier.header] : [],
    ),
    ...api.routes.flatMap((route) => route.headers?.names ?? []),
    ...api.routes.flatMap((route) => route.webhook?.scheme.headers ?? []),
    ...(header === undefined || header === "x-forwarded-for" || header === "forwarded" ? [] : [header]),
    ...(typeof version === "object" && "header" in version ? [version.header] : []),
  ];
}

const served: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

function printable(method: string): string {
  return method.slice(0, 32).replaceAll(/[^\x21-\x7e]/g, "?");
}
