import type { Decision, EnforcedDimension } from "./limiter.ts";

/** Which headers tell clients their limits: the IETF draft's, the older `X-RateLimit-*`, both, or none. */
export type LimitHeaderMode = "draft" | "legacy" | "both" | "none";

/**
 * Adds how a decision left its binding dimension to the headers of an answer: names and values in turn, the names in
 * lower case as RFC 9113 section 8.2 has them.
 */
export type WriteLimitHeaders = (decision: Decision, headers: string[]) => void;

/**
 * Prepares the headers that tell clients their limits; what does not change is written once, here.
 *
 * `draft`: `ratelimit-policy` names the dimension with its quota `q` per window `w`, `ratelimit` says how it stands: `r`
 * left, `t` seconds until more is. `legacy`: limit, remaining, and reset in seconds from now (not a date). Seconds are
 * whole and rounded up, so nobody comes too early. A dimension that is not advertised never shows. `retry-after`, 1 or
 * more, goes with every refusal in every mode.
 *
 * @param dimensions  the limiter's
 * @see draft-ietf-httpapi-ratelimit-headers-10; RFC 9651 (Structured Fields); RFC 9110 section 10.2.3 (Retry-After)
 */
export function limitHeaders(dimensions: readonly EnforcedDimension[], mode: LimitHeaderMode): WriteLimitHeaders {
  const draft = mode === "draft" || mode === "both";
  const legacy = mode === "legacy" || mode === "both";
  const shown = dimensions.map((dimension) => (dimension.advertised ? showOnce(dimension) : undefined));

  return function writeLimitHeaders(decision, headers) {
    const one = shown[decision.dimension];
    if (one !== undefined) {
      const remaining = `${decision.remaining}`;
      const reset = `${Math.ceil(decision.resetMs / 1000)}`;
      if (draft) headers.push("ratelimit-policy", one.policy, "ratelimit", `${one.name};r=${remaining};t=${reset}`);
      if (legacy) {
        headers.push("x-ratelimit-limit", one.limit, "x-ratelimit-remaining", remaining, "x-ratelimit-reset", reset);
      }
    }
    if (!decision.admitted) headers.push("retry-after", `${Math.max(1, Math.ceil(decision.retryAfterMs / 1000))}`);
  };
}

/** The names {@link limitHeaders} writes in a mode, apart from `retry-after`: what a page may be allowed to read. */
export function limitHeaderNames(mode: LimitHeaderMode): readonly string[] {
  return [
    ...(mode === "draft" || mode === "both" ? ["ratelimit", "ratelimit-policy"] : []),
    ...(mode === "legacy" || mode === "both"
      ? ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
      : []),
  ];
}

/** The limiter has checked that a name needs no escape in a Structured Fields string. */
function showOnce({ name, rate }: EnforcedDimension): { name: string; policy: string; limit: string } {
  const seconds = Math.ceil(rate.windowMs / 1000);
  return { name: `"${name}"`, policy: `"${name}";q=${rate.limit};w=${seconds}`, limit: `${rate.limit}` };
}
