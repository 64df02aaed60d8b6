import { defaults } from "../defaults.ts";
import { EarlyAnswer } from "../exchange.ts";
import type { ArrivalGate, HeaderGate } from "../gate.ts";
import { limitHeaderNames } from "../limits/headers.ts";
import type { ApiPlan } from "../plan.ts";
import { Refusal } from "../refusal.ts";

/**
 * Reads the Origin once: exactly one of the configured origins, or it is as if none had been sent. `null` is never one.
 *
 * @returns step; never refuses, because a browser is stopped by the missing header and other clients need none
 */
export const readOrigin: ArrivalGate = (api) => {
  const origins = new Set(api.config.origins ?? []);
  return function readOriginHeader(x) {
    const origin = x.headers["origin"];
    if (origin !== undefined && origins.has(origin)) x.allowedOrigin = origin;
    return undefined;
  };
};

/**
 * Answers OPTIONS: a preflight from a configured origin gets the methods the path has and the headers an API reads;
 * any other preflight is refused; an OPTIONS that is no preflight is 204 with Allow.
 *
 * @returns step; refuses with `preflight-refused` (403)
 * @see Fetch standard, section CORS-preflight; OWASP ASVS 5.0 3.4.2
 */
export const preflight: ArrivalGate = (api) => {
  const readable = new Set(["authorization", "content-type", "idempotency-key", "if-match", "if-none-match"]);
  for (const { credential } of api.verifiers) {
    if (credential.carrier.in === "header") readable.add(credential.carrier.header.toLowerCase());
  }
  for (const name of versionHeaders(api)) readable.add(name);
  for (const { headers } of api.routes) for (const name of headers?.names ?? []) readable.add(name);
  const allowHeaders = [...readable].join(", ");
  const maxAge = String(defaults.preflightMaxAgeSeconds);

  return function answerOptions(x) {
    if (x.method !== "OPTIONS") return undefined;
    const allow = x.allowedMethods.join(", ");
    const asked = x.headers["access-control-request-method"];
    if (x.headers["origin"] === undefined || asked === undefined) return new EarlyAnswer(204, ["allow", allow]);
    if (x.allowedOrigin === undefined) return new Refusal("preflight-refused", "origin is not configured");
    if (!x.allowedMethods.includes(asked)) return new Refusal("preflight-refused", "the path has no such method");
    const headers = x.headers["access-control-request-headers"] ?? "";
    const unknown = headers.split(",").find((name) => name.trim() !== "" && !readable.has(name.trim().toLowerCase()));
    if (unknown !== undefined) return new Refusal("preflight-refused", "asks for a header this API does not read");
    return new EarlyAnswer(204, [
      "allow",
      allow,
      "access-control-allow-methods",
      allow,
      "access-control-allow-headers",
      allowHeaders,
      "access-control-max-age",
      maxAge,
    ]);
  };
};

/**
 * Adds the CORS headers, where the API has origins, and `Vary: Origin` to every answer, refusals too: a cache must never
 * hand one origin's answer to another, nor what it kept before there were any to the first that is listed. Where an answer
 * may be kept at all, whatever else of the request decides it is named too. Credentials are allowed only where a cookie can
 * be one.
 *
 * @see RFC 9110 section 12.5.5 (Vary), Fetch standard, section "CORS protocol and HTTP caches"
 */
export const corsHeaders: HeaderGate = (api) => {
  const origins = api.config.origins ?? [];
  const exposed = ["x-request-id", "retry-after", ...limitHeaderNames(api.config.rateLimitHeaders ?? "draft")];
  const takesCookies = api.verifiers.some(({ credential }) => credential.carrier.in === "cookie");
  const block = new Map(
    origins.map((origin) => [
      origin,
      [
        "access-control-allow-origin",
        origin,
        ...(takesCookies ? ["access-control-allow-credentials", "true"] : []),
        "access-control-expose-headers",
        exposed.join(", "),
      ],
    ]),
  );

  const varyOf = api.routes.map((route) =>
    route.policy.cache === undefined
      ? "Origin"
      : ["Origin", ...versionHeaders(api), ...(route.headers?.names ?? [])].join(", "),
  );

  return function addCorsHeaders(x, headers) {
    headers.push("vary", (x.route && varyOf[x.route.index]) ?? "Origin");
    const ours = x.allowedOrigin === undefined ? undefined : block.get(x.allowedOrigin);
    if (ours !== undefined) for (const part of ours) headers.push(part);
  };
};

/** The header that selects a version, in lower case, where one does. */
function versionHeaders({ config: { version } }: ApiPlan): readonly string[] {
  return typeof version === "object" && "header" in version ? [version.header.toLowerCase()] : [];
}
