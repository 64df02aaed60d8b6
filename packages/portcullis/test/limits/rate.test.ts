import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { OptionsError } from "../../src/lib/options-error.ts";
import { formatRate, parseCost, parseRate, type RateOptions, type RateText } from "../../src/limits/rate.ts";
import { seed } from "./schedules.ts";

describe("rate-limit: rates as they are written", () => {
  it.each([
    ["60/min", 60, 60_000],
    ["2000/s", 2000, 1000],
    ["5/2s", 5, 2000],
    ["60/5min", 60, 300_000],
    ["5/h", 5, 3_600_000],
    ["1/d", 1, 86_400_000],
    ["1000000000/24h", 1_000_000_000, 86_400_000],
    ["10/250ms", 10, 250],
    ["200/10s", 200, 10_000],
  ] satisfies [RateText, number, number][])("reads %s", (text, limit, windowMs) => {
    expect(parseRate(text)).toEqual({ limit, windowMs });
  });

  it("reads numbers, leaves the cost to parseCost, and freezes what comes out", () => {
    const given = { limit: 60, windowMs: 60_000, cost: 2 };
    const rate = parseRate(given);
    expect(rate).toEqual({ limit: 60, windowMs: 60_000 });
    expect(Object.isFrozen(rate)).toBe(true);
    expect(Object.isFrozen(given)).toBe(false);
  });

  it.each([
    "",
    "60",
    "60/",
    "/min",
    "0/min",
    "-1/min",
    "+1/min",
    "1.5/min",
    "1e3/min",
    "060/min",
    "60/0s",
    "60/-1s",
    "60/1.5s",
    "60/m",
    "60/M",
    "60/minute",
    "60/MIN",
    "60 / min",
    "60/min ",
    " 60/min",
    "60/min\n",
    "60 per minute",
    "60/min/s",
    "1000000001/min",
    "99999999999999999999/min",
    "1/25h",
    "1/2d",
    "1/99ms",
    "Infinity/s",
    "NaN/s",
    "٦٠/min",
  ])("refuses the text %j", (text) => {
    // What the compiler lets through as a template of numbers is decided here, and what comes from a file as well.
    expect(() => Reflect.apply(parseRate, undefined, [text])).toThrow(OptionsError);
  });

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["a number", 60],
    ["no window", { limit: 60 }],
    ["no limit", { windowMs: 60_000 }],
    ["a limit of 0", { limit: 0, windowMs: 1000 }],
    ["a negative limit", { limit: -5, windowMs: 1000 }],
    ["a limit that is no number", { limit: Number.NaN, windowMs: 1000 }],
    ["a limit in text", { limit: "60", windowMs: 1000 }],
    ["half a limit", { limit: 0.5, windowMs: 1000 }],
    ["an unbounded limit", { limit: Infinity, windowMs: 1000 }],
    ["a limit over 1e9", { limit: 1e9 + 1, windowMs: 1000 }],
    ["no length of window", { limit: 1, windowMs: 0 }],
    ["a negative window", { limit: 1, windowMs: -1000 }],
    ["a window that is no number", { limit: 1, windowMs: Number.NaN }],
    ["half a millisecond", { limit: 1, windowMs: 100.5 }],
    ["seconds taken for milliseconds", { limit: 60, windowMs: 60 }],
    ["a window over 24 h", { limit: 1, windowMs: 86_400_001 }],
    ["a misspelt window", { limit: 1, windowSeconds: 60 }],
    ["a field nobody knows", { limit: 1, windowMs: 1000, burst: 5 }],
  ])("refuses %s", (_, options) => {
    expect(() => Reflect.apply(parseRate, undefined, [options])).toThrow(OptionsError);
  });

  it("says what to write instead", () => {
    expect(() => Reflect.apply(parseRate, undefined, ["60/minute"])).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('"60/minute"'),
        fix: 'Write "60/min", "2000/s", "5/2s", "60/5min" or "5/h"; the units are ms, s, min, h and d.',
      }),
    );
  });

  it("costs 1 unless said otherwise, and never more than the limit", () => {
    expect(parseCost("60/min")).toBe(1);
    expect(parseCost({ limit: 60, windowMs: 60_000 })).toBe(1);
    expect(parseCost({ limit: 60, windowMs: 60_000, cost: 60 })).toBe(60);
    for (const cost of [0, -1, 1.5, 61, Number.NaN, Infinity]) {
      expect(() => parseCost({ limit: 60, windowMs: 60_000, cost })).toThrow(OptionsError);
    }
  });

  it("writes every rate so that it reads back the same, in the largest unit that fits", () => {
    expect(formatRate({ limit: 60, windowMs: 60_000 })).toBe("60/min");
    expect(formatRate({ limit: 5, windowMs: 2000 })).toBe("5/2s");
    expect(formatRate({ limit: 1, windowMs: 86_400_000 })).toBe("1/d");
    expect(formatRate({ limit: 3, windowMs: 1500 })).toBe("3/1500ms");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 100, max: 86_400_000 }), (limit, windowMs) => {
        expect(parseRate(formatRate({ limit, windowMs }))).toEqual({ limit, windowMs });
      }),
      { seed, numRuns: 500 },
    );
  });

  it("lets the compiler refuse what can be seen to be wrong", () => {
    expectTypeOf<"60/min">().toExtend<RateText>();
    expectTypeOf<"5/2s">().toExtend<RateText>();
    expectTypeOf<"60/15min">().toExtend<RateText>();
    expectTypeOf<"10/250ms">().toExtend<RateText>();
    expectTypeOf<"60/minute">().not.toExtend<RateText>();
    expectTypeOf<"60">().not.toExtend<RateText>();
    expectTypeOf<"sixty/min">().not.toExtend<RateText>();
    expectTypeOf<{ limit: number }>().not.toExtend<RateOptions>();
  });
});
