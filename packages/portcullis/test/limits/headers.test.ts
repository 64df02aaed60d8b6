import { describe, expect, it } from "vitest";
import { limitHeaders, type LimitHeaderMode } from "../../src/limits/headers.ts";
import type { Admitted, Decision, EnforcedDimension, Refused } from "../../src/limits/limiter.ts";

const dimensions: readonly EnforcedDimension[] = [
  { name: "caller", rate: { limit: 60, windowMs: 60_000 }, capacity: 16, advertised: true },
  { name: "global", rate: { limit: 2000, windowMs: 1000 }, capacity: 1, advertised: false },
  { name: "body.email", rate: { limit: 5, windowMs: 2500 }, capacity: 16, advertised: true },
];
const admitted = (standing: Partial<Admitted>): Admitted => ({
  admitted: true,
  dimension: 0,
  limit: 60,
  remaining: 59,
  resetMs: 1000,
  crowded: false,
  giveBack: () => undefined,
  ...standing,
});
const refused = (standing: Partial<Refused>): Refused => ({
  admitted: false,
  dimension: 0,
  limit: 60,
  remaining: 0,
  resetMs: 1000,
  crowded: false,
  retryAfterMs: 1000,
  ...standing,
});
const written = (mode: LimitHeaderMode, decision: Decision): readonly string[] => {
  const headers: string[] = [];
  limitHeaders(dimensions, mode)(decision, headers);
  return headers;
};

describe("rate-limit: headers", () => {
  it("tells policy and standing as the IETF draft has them", () => {
    expect(written("draft", admitted({}))).toEqual([
      "ratelimit-policy",
      '"caller";q=60;w=60',
      "ratelimit",
      '"caller";r=59;t=1',
    ]);
  });

  it("tells limit, remaining and seconds to wait in the older headers", () => {
    expect(written("legacy", admitted({ resetMs: 1001 }))).toEqual([
      "x-ratelimit-limit",
      "60",
      "x-ratelimit-remaining",
      "59",
      "x-ratelimit-reset",
      "2",
    ]);
  });

  it("tells both, or nothing", () => {
    const names = written("both", admitted({})).filter((_, i) => i % 2 === 0);
    expect(names).toEqual([
      "ratelimit-policy",
      "ratelimit",
      "x-ratelimit-limit",
      "x-ratelimit-remaining",
      "x-ratelimit-reset",
    ]);
    expect(written("none", admitted({}))).toEqual([]);
  });

  it.each(["draft", "legacy", "both", "none"] as const)("sends Retry-After with every refusal, in mode %s", (mode) => {
    expect(written(mode, refused({ retryAfterMs: 1 })).slice(-2)).toEqual(["retry-after", "1"]);
    expect(written(mode, refused({ retryAfterMs: 1001 })).slice(-2)).toEqual(["retry-after", "2"]);
    expect(written(mode, refused({ retryAfterMs: 0 })).slice(-2)).toEqual(["retry-after", "1"]);
    expect(written(mode, admitted({}))).not.toContain("retry-after");
  });

  it("never sends the client back before there is more quota", () => {
    for (const [resetMs, retryAfterMs] of [
      [1, 1],
      [999, 1000],
      [1000, 1001],
      [1500, 1999],
    ] as const) {
      const headers = written("draft", refused({ resetMs, retryAfterMs }));
      const seconds = Number(/t=([0-9]+)/.exec(headers[3] ?? "")?.[1]);
      expect(Number(headers.at(-1))).toBeGreaterThanOrEqual(seconds);
    }
  });

  it("shows nothing of a dimension that is not advertised but when to come again", () => {
    expect(written("both", refused({ dimension: 1, limit: 2000, retryAfterMs: 700 }))).toEqual(["retry-after", "1"]);
    expect(written("both", admitted({ dimension: -1, limit: 0, remaining: 0, resetMs: 0 }))).toEqual([]);
  });

  it("rounds a window that is no whole second up", () => {
    expect(written("draft", admitted({ dimension: 2, limit: 5, remaining: 5, resetMs: 0 }))).toEqual([
      "ratelimit-policy",
      '"body.email";q=5;w=3',
      "ratelimit",
      '"body.email";r=5;t=0',
    ]);
  });
});
