import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createExactLog } from "../../src/limits/exact-log.ts";
import type { Rate } from "../../src/limits/rate.ts";
import { createSubBuckets } from "../../src/limits/sub-buckets.ts";
import type { WindowCounters } from "../../src/limits/window-counters.ts";
import { bucketLog, exactLog, type Charge, type ReferenceLog } from "./reference-log.ts";
import { seed, someAdvance, someCost, someRate } from "./schedules.ts";

const implementations: {
  name: string;
  create: (rate: Rate, entries: number) => WindowCounters;
  specification: (rate: Rate) => ReferenceLog;
  suits: (rate: Rate) => boolean;
}[] = [
  { name: "exact log", create: createExactLog, specification: exactLog, suits: (rate) => rate.limit <= 60 },
  { name: "sub-buckets", create: createSubBuckets, specification: bucketLog, suits: () => true },
];

describe.each(implementations)("rate-limit: window counters, $name", ({ create, specification, suits }) => {
  const suitable = someRate.filter(suits);
  const scheduleOf = (rate: Rate) =>
    fc.array(
      fc.record({
        advanceMs: someAdvance(rate),
        cost: someCost(rate),
        entry: fc.integer({ min: 0, max: 2 }),
        action: fc.constantFrom("add", "add", "add", "add", "remove", "force", "copy"),
      }),
      { minLength: 1, maxLength: 120 },
    );

  it("counts and makes room as its specification says, whatever is added, taken back and forced", () => {
    fc.assert(
      fc.property(
        suitable.chain((rate) => fc.tuple(fc.constant(rate), scheduleOf(rate))),
        ([rate, schedule]) => {
          const counters = create(rate, 3);
          const logs = [specification(rate), specification(rate), specification(rate)];
          const charges: { entry: number; charge: Charge }[] = [];
          let tick = 0;
          for (const { advanceMs, cost, entry, action } of schedule) {
            tick += advanceMs * 1000;
            const log = logs[entry] ?? specification(rate);
            if (action === "add" && log.fits(tick, cost)) {
              counters.add(entry, tick, cost);
              charges.push({ entry, charge: log.add(tick, cost) });
            }
            if (action === "force") {
              counters.add(entry, tick, cost);
              log.add(tick, cost);
              // Once forced over the limit, an exact log keeps the youngest units only; nothing is taken back then.
              for (let i = charges.length - 1; i >= 0; i--) if (charges[i]?.entry === entry) charges.splice(i, 1);
            }
            if (action === "remove") {
              const one = charges.splice(cost % Math.max(1, charges.length), 1)[0];
              if (one !== undefined) {
                counters.remove(one.entry, one.charge.at, one.charge.cost);
                logs[one.entry]?.remove(one.charge);
              }
            }
            if (action === "copy") {
              const to = (entry + 1) % 3;
              counters.copy(entry, to);
              const copied = logs[to];
              copied?.charges.splice(0, Infinity, ...log.charges);
              for (let i = charges.length - 1; i >= 0; i--) if (charges[i]?.entry === to) charges.splice(i, 1);
            }
            for (const [other, otherLog] of logs.entries()) {
              // An exact log holds no more than its limit; over it, only "closed" can be told, and for how long.
              expect(Math.min(counters.used(other, tick), rate.limit)).toBe(Math.min(otherLog.used(tick), rate.limit));
              expect(counters.fitsAt(other, tick, cost)).toBe(otherLog.fitsAt(tick, cost));
            }
          }
        },
      ),
      { seed, numRuns: 400 },
    );
  });

  it("never has room for more than the limit itself", () => {
    const counters = create({ limit: 10, windowMs: 1000 }, 1);
    expect(counters.fitsAt(0, 5_000_000, 11)).toBe(Infinity);
    expect(counters.fitsAt(0, 5_000_000, 10)).toBe(5_000_000);
  });

  it("stays closed however much is forced in, also where the sum goes beyond 32 bits, until it has left the window", () => {
    const counters = create({ limit: 10, windowMs: 1000 }, 1);
    for (const cost of [1e9, 1e9, 1e9, 1e9, 2 ** 32 - 4e9, 1]) {
      counters.add(0, 1_000_000, cost);
      expect(counters.used(0, 1_000_000)).toBeGreaterThanOrEqual(10);
    }
    expect(counters.used(0, 1_999_999)).toBeGreaterThanOrEqual(10);
    expect(counters.used(0, 2_100_000)).toBe(0);
  });

  it("says how much memory it set aside", () => {
    const one = create({ limit: 60, windowMs: 1000 }, 1).bytes;
    expect(one).toBeGreaterThan(0);
    expect(create({ limit: 60, windowMs: 1000 }, 1000).bytes).toBe(1000 * one);
  });
});
