import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionsError } from "../../src/lib/options-error.ts";
import { createMemoryLimiter } from "../../src/limits/memory-limiter.ts";
import type { Dimension } from "../../src/limits/limiter.ts";
import type { Rate } from "../../src/limits/rate.ts";
import { describeLimiter, key, type CreateLimiter } from "./limiter-contract.ts";
import { exactLog } from "./reference-log.ts";
import { seed, someAdvance, someCost, someRate } from "./schedules.ts";

const randomBytes = (count: number) => Uint8Array.from({ length: count }, (_, i) => i * 37 + 11);
const create = (dimensions: readonly Dimension[], now: () => number, instances = 1) =>
  createMemoryLimiter({ dimensions, now, randomBytes, instances });
const inMemory: CreateLimiter = (dimensions, now) => create(dimensions, now);

describeLimiter("memory limiter", inMemory);

describe("rate-limit: memory limiter, fixed memory", () => {
  it("keeps the bound for each of many keys in a table too small for them, and for those that come back", () => {
    const step = (rate: Rate) =>
      fc.record({
        // Parts of a window, so that the places of a crowd come free while what was shared still counts.
        advanceMs: fc.oneof(
          someAdvance(rate),
          fc.integer({ min: 0, max: 10 }).map((n) => Math.round((rate.windowMs * n) / 2) / 8),
        ),
        cost: someCost(rate),
        // Mostly a few keys that keep coming; now and then a crowd that takes every place.
        first: fc.constantFrom(0, 0, 1, 16, 16, 17, 18),
        count: fc.constantFrom(1, 1, 1, 16),
        givesBack: fc.constantFrom(false, false, false, true),
      });
    fc.assert(
      fc.property(
        someRate.chain((rate) =>
          fc.record({ rate: fc.constant(rate), steps: fc.array(step(rate), { minLength: 20, maxLength: 120 }) }),
        ),
        ({ rate, steps }) => {
          let ms = 0;
          const limiter = create([{ name: "caller", rate, capacity: 16 }], () => ms);
          const logs = Array.from({ length: 40 }, () => exactLog(rate));
          for (const { advanceMs, cost, first, count, givesBack } of steps) {
            ms += advanceMs;
            const tariff = limiter.tariff([{ dimension: 0, cost: count === 1 ? cost : 1 }]);
            for (let number = first; number < first + count; number++) {
              const decision = tariff.settle([key(number)]);
              if (!decision.admitted) continue;
              if (givesBack) decision.giveBack();
              else logs[number]?.add(ms * 1000, count === 1 ? cost : 1);
            }
          }
          for (const log of logs) expect(log.heaviest(rate.windowMs * 1000)).toBeLessThanOrEqual(rate.limit);
        },
      ),
      { seed, numRuns: 400 },
    );
  });

  it("resets nobody's counter when 200 000 other keys come by, and takes no more memory", () => {
    for (const limit of [5, 100]) {
      let ms = 0;
      const limiter = create([{ name: "address", rate: { limit, windowMs: 60_000 }, capacity: 1024 }], () => ms);
      const before = limiter.memoryBytes();
      const all = limiter.tariff([{ dimension: 0, cost: limit }]);
      const one = limiter.tariff([{ dimension: 0 }]);
      // The first had a counter of its own; the second came when every place was taken.
      expect(all.settle([key(-1)]).admitted).toBe(true);
      for (let number = 0; number < 20_000; number++) one.settle([key(number)]);
      while (all.settle([key(-2)]).admitted);
      for (let number = 20_000; number < 220_000; number++) {
        ms += 0.25;
        one.settle([key(number)]);
      }
      expect(one.settle([key(-1)]).admitted).toBe(false);
      expect(one.settle([key(-2)]).admitted).toBe(false);
      expect(limiter.memoryBytes()).toBe(before);
    }
  });

  it("says crowded when a key has to share, and lets a new key in again once the crowd has gone", () => {
    let ms = 0;
    const limiter = create([{ name: "address", rate: { limit: 3, windowMs: 1000 }, capacity: 16 }], () => ms);
    const tariff = limiter.tariff([{ dimension: 0 }]);
    for (let number = 0; number < 16; number++) expect(tariff.settle([key(number)]).crowded).toBe(false);
    for (let number = 16; number < 19; number++) {
      expect(tariff.settle([key(number)])).toMatchObject({ admitted: true, crowded: true });
    }
    expect(tariff.settle([key(19)])).toMatchObject({ admitted: false, crowded: true, retryAfterMs: 1000 });
    expect(tariff.settle([key(0)])).toMatchObject({ admitted: true, crowded: false });
    ms = 1000;
    expect(tariff.settle([key(19)])).toMatchObject({ admitted: true, crowded: false, remaining: 2 });
  });

  it("does not give a fresh counter to a key that used the shared one", () => {
    for (const limit of [3, 90]) {
      let ms = 0;
      const limiter = create([{ name: "address", rate: { limit, windowMs: 1000 }, capacity: 16 }], () => ms);
      const third = limiter.tariff([{ dimension: 0, cost: limit / 3 }]);
      for (let number = 0; number < 16; number++) third.settle([key(number)]);
      ms = 500;
      for (let i = 0; i < 2; i++) expect(third.settle([key(99)])).toMatchObject({ admitted: true, crowded: true });
      // The sixteen are gone, so there is a place for the one that shared; what was used goes along.
      ms = 1100;
      expect(third.settle([key(99)])).toMatchObject({ admitted: true, remaining: 0 });
      expect(third.settle([key(99)])).toMatchObject({ admitted: false, crowded: false });
      ms = 1600;
      expect(third.settle([key(99)])).toMatchObject({ admitted: true, remaining: limit / 3, crowded: false });
    }
  });

  it("takes no place for a call that is refused elsewhere or only looked at", () => {
    const rate = { limit: 100, windowMs: 1000 };
    const limiter = create(
      [
        { name: "caller", rate, capacity: 16 },
        { name: "route", rate: { limit: 1, windowMs: 1000 } },
      ],
      () => 0,
    );
    const both = limiter.tariff([{ dimension: 0 }, { dimension: 1 }]);
    const caller = limiter.tariff([{ dimension: 0 }]);
    limiter.tariff([{ dimension: 1 }]).settle([key(0)]);
    for (let number = 0; number < 1000; number++) {
      both.settle([key(number), key(0)]);
      caller.peek([key(number)]);
    }
    for (let number = 0; number < 16; number++) {
      expect(caller.settle([key(number)])).toMatchObject({ remaining: 99, crowded: false });
    }
  });

  it("counts everybody together where the capacity is 1", () => {
    const limiter = create([{ name: "global", rate: { limit: 2, windowMs: 1000 }, capacity: 1 }], () => 0);
    const tariff = limiter.tariff([{ dimension: 0 }]);
    expect([1, 2, 3].map((number) => tariff.settle([key(number)]).admitted)).toEqual([true, true, false]);
  });

  it("says what it set aside, which is what its description says", () => {
    const bytes = (limit: number, capacity?: number) =>
      create(
        [{ name: "caller", rate: { limit, windowMs: 1000 }, ...(capacity && { capacity }) }],
        () => 0,
      ).memoryBytes();
    expect(bytes(600) / 2 ** 20).toBeCloseTo(4.8, 1);
    expect(bytes(60) / 2 ** 20).toBeCloseTo(8.25, 2);
    expect(bytes(600, 1)).toBeLessThan(300);
    expect(bytes(600, 17)).toBe(bytes(600, 32));
  });
});

describe("rate-limit: memory limiter, several instances", () => {
  it("gives each instance its part, rounded down, so that all together stay within the limit", () => {
    const limiter = create([{ name: "caller", rate: { limit: 10, windowMs: 1000 } }], () => 0, 3);
    expect(limiter.dimensions[0]).toMatchObject({ rate: { limit: 3, windowMs: 1000 } });
    const tariff = limiter.tariff([{ dimension: 0 }]);
    expect([1, 2, 3, 4].map(() => tariff.settle([key(1)]).admitted)).toEqual([true, true, true, false]);
  });

  it("refuses to start when an instance's part would be nothing", () => {
    expect(() => create([{ name: "caller", rate: { limit: 2, windowMs: 1000 } }], () => 0, 3)).toThrow(OptionsError);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, 10_001])("refuses %s instances", (instances) => {
    expect(() => create([{ name: "caller", rate: { limit: 1e6, windowMs: 1000 } }], () => 0, instances)).toThrow(
      OptionsError,
    );
  });
});

describe("rate-limit: memory limiter, set-up", () => {
  const rate = { limit: 10, windowMs: 1000 };
  const limiter = create(
    [
      { name: "caller", rate },
      { name: "route", rate },
    ],
    () => 0,
  );

  it.each([
    ["no dimension", []],
    ["a name with a quote", [{ name: 'a"b', rate }]],
    ["an empty name", [{ name: "", rate }]],
    [
      "a name taken twice",
      [
        { name: "a", rate },
        { name: "a", rate },
      ],
    ],
    ["a rate that is none", [{ name: "a", rate: { limit: Number.NaN, windowMs: 1000 } }]],
    ["no room", [{ name: "a", rate, capacity: 0 }]],
    ["half a place", [{ name: "a", rate, capacity: 16.5 }]],
    ["too much room", [{ name: "a", rate, capacity: 4_194_305 }]],
  ] satisfies [string, Dimension[]][])("refuses %s", (_, dimensions) => {
    expect(() => create(dimensions, () => 0)).toThrow(OptionsError);
  });

  it.each([
    ["no demand", []],
    ["an unknown dimension", [{ dimension: 2 }]],
    ["a dimension twice", [{ dimension: 0 }, { dimension: 0, scope: 1 }]],
    ["a cost above the limit", [{ dimension: 0, cost: 11 }]],
    ["a cost of nothing", [{ dimension: 0, cost: 0 }]],
    ["a negative cost", [{ dimension: 0, cost: -1 }]],
    ["half a cost", [{ dimension: 0, cost: 0.5 }]],
    ["a cost that is no number", [{ dimension: 0, cost: Number.NaN }]],
    ["a negative scope", [{ dimension: 0, scope: -1 }]],
    ["a scope beyond 32 bits", [{ dimension: 0, scope: 2 ** 32 }]],
  ])("refuses a tariff with %s", (_, demands) => {
    expect(() => limiter.tariff(demands)).toThrow(OptionsError);
  });

  it("fills in the defaults where they can be read, and freezes them", () => {
    expect(limiter.dimensions[0]).toEqual({ name: "caller", rate, capacity: 16_384, advertised: true });
    expect(Object.isFrozen(limiter.dimensions[0])).toBe(true);
    expect(limiter.tariff([{ dimension: 1 }]).demands).toEqual([{ dimension: 1, cost: 1, scope: 0 }]);
  });

  it("does not follow options that change later", () => {
    const changing = { limit: 1, windowMs: 1000 };
    const tariff = create([{ name: "caller", rate: changing }], () => 0).tariff([{ dimension: 0 }]);
    changing.limit = 1000;
    expect([1, 2].map(() => tariff.settle([key(1)]).admitted)).toEqual([true, false]);
  });
});
