import fc from "fast-check";
import type { Rate } from "../../src/limits/rate.ts";

/** Fixed, so that a failure here is a failure everywhere. */
export const seed = 20_260_214;

/** Rates on both sides of the border between log and buckets, with windows that 63 divides and windows it does not. */
export const someRate: fc.Arbitrary<Rate> = fc.record({
  limit: fc.oneof(fc.constantFrom(1, 2, 3, 5, 59, 60, 61, 62, 100), fc.integer({ min: 1, max: 300 })),
  windowMs: fc.constantFrom(100, 630, 1000, 2000, 6300, 60_000, 86_400_000),
});

/**
 * How far the clock moves before a step, in milliseconds: mostly by what an adversary would choose, just before, at and
 * just after the edges of buckets and windows. Eighths of a millisecond, which are whole microseconds without rounding.
 */
export function someAdvance({ windowMs }: Rate): fc.Arbitrary<number> {
  const bucketMs = Math.ceil((windowMs * 1000) / 63) / 1000;
  const eighths = (ms: number) => Math.max(0, Math.round(ms * 8) / 8);
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(0.125, 1, eighths(bucketMs) - 0.125, eighths(bucketMs), eighths(bucketMs) + 0.125),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        windowMs - 1,
        windowMs - 0.125,
        windowMs,
        windowMs + 0.125,
        eighths(windowMs + bucketMs),
      ),
    },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: windowMs * 8 }).map((n) => n / 8) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: Math.ceil(windowMs / 4) }).map((n) => n / 8) },
  );
}

/** Costs: mostly 1, sometimes the whole limit, sometimes between. */
export function someCost({ limit }: Rate): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant(1) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: limit }) },
    { weight: 1, arbitrary: fc.constantFrom(limit, Math.max(1, limit - 1), Math.ceil(limit / 2)) },
  );
}
