import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LimitKey } from "../../src/limits/key.ts";
import type { Admitted, Decision, Dimension, Limiter } from "../../src/limits/limiter.ts";
import type { Rate } from "../../src/limits/rate.ts";
import { exactLog, specifiedLog, type Charge, type ReferenceLog } from "./reference-log.ts";
import { seed, someAdvance, someCost, someRate } from "./schedules.ts";

/** Makes a limiter of one implementation, with a clock that the test moves. */
export type CreateLimiter = (dimensions: readonly Dimension[], now: () => number) => Limiter;

/** What tells implementations apart. */
export interface ContractOptions {
  /**
   * `together`: all methods of a tariff draw on the same counters. `by stage`: what is settled lies elsewhere than what is
   * reserved, looked at and charged in this process. A dimension is used in one stage only, so no promise is smaller.
   */
  readonly counts?: "together" | "by stage";
  /** Part of the runs of each property, where every decision travels to a server; default 1. */
  readonly runs?: number;
}

/** What every implementation of `Limiter` promises, promise by promise. Run on each of them. */
export function describeLimiter(
  name: string,
  create: CreateLimiter,
  { counts = "together", runs = 1 }: ContractOptions = {},
): void {
  const times = (count: number) => ({ seed, numRuns: Math.ceil(count * runs) });
  describe(`rate-limit: ${name}, the promises of a limiter`, () => {
    it("admits a call exactly when its specification has room in every dimension, and says how the binding one stands", async () => {
      await fc.assert(
        fc.asyncProperty(someStory, async ({ rates, steps }) => {
          const story = tell(create, rates, counts);
          for (const step of steps) await story.take(step);
        }),
        times(300),
      );
    });

    it("never admits more than the limit in any interval as long as the window", async () => {
      await fc.assert(
        fc.asyncProperty(someSingle, async ({ rate, steps }) => {
          const clock = { ms: 0 };
          const log = exactLog(rate);
          const one = single(create, rate, clock);
          for (const { advanceMs, cost } of steps) {
            clock.ms += advanceMs;
            if ((await one(cost)).admitted) log.add(clock.ms * 1000, cost);
          }
          expect(log.heaviest(rate.windowMs * 1000)).toBeLessThanOrEqual(rate.limit);
        }),
        times(400),
      );
    });

    it("keeps the bound over the time that has really passed when the clock steps back", async () => {
      await fc.assert(
        fc.asyncProperty(
          someSingle,
          fc.infiniteStream(fc.constantFrom(0, 0, 0, 1, 50, 1e3, 1e5, 1e8)),
          async (told, backs) => {
            const { rate, steps } = told;
            const clock = { ms: 2e8 };
            const log = exactLog(rate);
            const one = single(create, rate, clock);
            let passedMs = 0;
            for (const { advanceMs, cost } of steps) {
              passedMs += advanceMs;
              clock.ms += advanceMs - (backs.next().value ?? 0);
              if ((await one(cost)).admitted) log.add(passedMs * 1000, cost);
            }
            expect(log.heaviest(rate.windowMs * 1000)).toBeLessThanOrEqual(rate.limit);
          },
        ),
        times(400),
      );
    });

    it("keeps the bound over the furthest reading when the clock jumps to and fro", async () => {
      await fc.assert(
        fc.asyncProperty(
          someSingle,
          fc.infiniteStream(fc.integer({ min: -2_000, max: 2_000 })),
          async (told, jitters) => {
            const { rate, steps } = told;
            const clock = { ms: 1e6 };
            const log = exactLog(rate);
            const one = single(create, rate, clock);
            let base = 1e6;
            let furthest = 0;
            for (const { advanceMs, cost } of steps) {
              base += advanceMs;
              clock.ms = base + (jitters.next().value ?? 0);
              furthest = Math.max(furthest, clock.ms);
              if ((await one(cost)).admitted) log.add(furthest * 1000, cost);
            }
            expect(log.heaviest(rate.windowMs * 1000)).toBeLessThanOrEqual(rate.limit);
          },
        ),
        times(400),
      );
    });

    it("admits everything that an exact log over a window longer by a 60th would admit", async () => {
      await fc.assert(
        fc.asyncProperty(someSingle, async ({ rate, steps }) => {
          const clock = { ms: 0 };
          const stretched = exactLog(rate, 1 + 1 / 60);
          const one = single(create, rate, clock);
          for (const { advanceMs, cost } of steps) {
            clock.ms += advanceMs;
            const decision = await one(cost);
            if (stretched.fits(clock.ms * 1000, cost)) expect(decision.admitted).toBe(true);
            if (decision.admitted) stretched.add(clock.ms * 1000, cost);
          }
        }),
        times(400),
      );
    });

    it("admits a refused call after retryAfterMs and not a millisecond before, when nobody else comes", async () => {
      await fc.assert(
        fc.asyncProperty(someSingle, async ({ rate, steps }) => {
          const clock = { ms: 0 };
          const one = single(create, rate, clock);
          for (const { advanceMs, cost } of steps) {
            clock.ms += advanceMs;
            const decision = await one(cost);
            if (decision.admitted) continue;
            expect(decision.retryAfterMs).toBeGreaterThanOrEqual(1);
            expect(decision.resetMs).toBeLessThanOrEqual(decision.retryAfterMs);
            const refusedAt = clock.ms;
            clock.ms = refusedAt + decision.retryAfterMs - 1;
            expect((await one(cost)).admitted).toBe(false);
            clock.ms = refusedAt + decision.retryAfterMs;
            expect((await one(cost)).admitted).toBe(true);
          }
        }),
        times(400),
      );
    });

    it("lets a limit of 1 pass once per window, at the first instant and again a window later", async () => {
      const clock = { ms: 0 };
      const one = single(create, { limit: 1, windowMs: 60_000 }, clock);
      expect(await one(1)).toMatchObject({ admitted: true, remaining: 0, resetMs: 60_000 });
      clock.ms = 59_999;
      expect(await one(1)).toMatchObject({ admitted: false, remaining: 0, retryAfterMs: 1 });
      clock.ms = 60_000;
      expect(await one(1)).toMatchObject({ admitted: true, remaining: 0, resetMs: 60_000 });
    });

    it("does not let a costly call that is refused use up what is left", async () => {
      const clock = { ms: 0 };
      const one = single(create, { limit: 10, windowMs: 1000 }, clock);
      await one(6);
      for (let i = 0; i < 100; i++) expect(await one(5)).toMatchObject({ admitted: false, remaining: 4 });
      expect(await one(4)).toMatchObject({ admitted: true, remaining: 0 });
    });

    it("does not put off a caller who hammers: refused calls push nothing back", async () => {
      const clock = { ms: 0 };
      const one = single(create, { limit: 5, windowMs: 1000 }, clock);
      let admitted = 0;
      for (; clock.ms < 10_000; clock.ms++) if ((await one(1)).admitted) admitted++;
      expect(admitted).toBe(50);
    });

    it("names the dimension that takes longest to have room, and the wait until all have it", async () => {
      const clock = { ms: 0 };
      const limiter = create(
        [
          { name: "short", rate: { limit: 1, windowMs: 1000 } },
          { name: "long", rate: { limit: 1, windowMs: 5000 } },
        ],
        () => clock.ms,
      );
      const tariff = limiter.tariff([{ dimension: 0 }, { dimension: 1 }]);
      const keys = [key(1), key(1)];
      await tariff.settle(keys);
      clock.ms = 500;
      expect(await tariff.settle(keys)).toMatchObject({ admitted: false, dimension: 1, retryAfterMs: 4500 });
      clock.ms = 4999;
      expect(await tariff.settle(keys)).toMatchObject({ admitted: false, dimension: 1, retryAfterMs: 1 });
      clock.ms = 5000;
      expect(await tariff.settle(keys)).toMatchObject({ admitted: true });
    });

    it("reports the advertised dimension with the least left, and never one that is not advertised", async () => {
      const limiter = create(
        [
          { name: "caller", rate: { limit: 600, windowMs: 60_000 } },
          { name: "route", rate: { limit: 5, windowMs: 2000 } },
          { name: "global", rate: { limit: 3, windowMs: 1000 }, capacity: 1, advertised: false },
        ],
        () => 0,
      );
      const all = limiter.tariff([{ dimension: 0 }, { dimension: 1 }, { dimension: 2 }]);
      const keys = [key(1), key(1), LimitKey.everyone];
      expect(await all.settle(keys)).toMatchObject({ dimension: 1, limit: 5, remaining: 4, resetMs: 2000 });
      const hidden = limiter.tariff([{ dimension: 2 }]);
      expect(await hidden.settle([LimitKey.everyone])).toMatchObject({
        dimension: -1,
        limit: 0,
        remaining: 0,
        resetMs: 0,
      });
      await hidden.settle([LimitKey.everyone]);
      expect(await all.settle(keys)).toMatchObject({ admitted: false, dimension: 2 });
    });

    it("counts keys, dimensions and scopes apart", async () => {
      const rate = { limit: 1, windowMs: 1000 };
      const limiter = create(
        [
          { name: "route", rate },
          { name: "caller", rate },
        ],
        () => 0,
      );
      const tariffs = [
        limiter.tariff([{ dimension: 0 }]),
        limiter.tariff([{ dimension: 0, scope: 1 }]),
        limiter.tariff([{ dimension: 0, scope: 0xffff_ffff }]),
        limiter.tariff([{ dimension: 1 }]),
      ];
      for (const tariff of tariffs) {
        for (const someone of [key(1), key(2)]) {
          expect((await tariff.settle([someone])).admitted).toBe(true);
          expect((await tariff.settle([someone])).admitted).toBe(false);
        }
      }
    });

    it("gives back only once, and nothing for a call that was only looked at", async () => {
      const limiter = create([{ name: "address", rate: { limit: 3, windowMs: 1000 } }], () => 0);
      const tariff = limiter.tariff([{ dimension: 0 }]);
      tariff.reserve([key(1)]);
      const looked = tariff.peek([key(1)]);
      const reservation = tariff.reserve([key(1)]);
      expect(looked).toMatchObject({ admitted: true, remaining: 2 });
      expect(reservation).toMatchObject({ admitted: true, remaining: 1 });
      for (const one of [looked, reservation, reservation, looked]) if (one.admitted) one.giveBack();
      expect(tariff.peek([key(1)])).toMatchObject({ admitted: true, remaining: 2 });
    });

    it("gives nothing back that has left the window, whoever counts there now", async () => {
      const clock = { ms: 0 };
      for (const limit of [2, 100]) {
        const limiter = create([{ name: "address", rate: { limit, windowMs: 1000 } }], () => clock.ms);
        const tariff = limiter.tariff([{ dimension: 0, cost: limit }]);
        const late = tariff.reserve([key(1)]);
        clock.ms += 2000;
        expect(tariff.reserve([key(1)]).admitted).toBe(true);
        if (late.admitted) late.giveBack();
        expect(tariff.reserve([key(1)]).admitted).toBe(false);
      }
    });

    it("keeps a reservation whose request died", () => {
      const clock = { ms: 0 };
      const limiter = create([{ name: "address", rate: { limit: 1, windowMs: 1000 } }], () => clock.ms);
      const tariff = limiter.tariff([{ dimension: 0 }]);
      tariff.reserve([key(1)]);
      clock.ms = 999;
      expect(tariff.reserve([key(1)]).admitted).toBe(false);
      clock.ms = 1000;
      expect(tariff.reserve([key(1)]).admitted).toBe(true);
    });

    it("throws before it charges anything when a key is missing", async () => {
      const rate = { limit: 1, windowMs: 1000 };
      const limiter = create(
        [
          { name: "address", rate },
          { name: "caller", rate },
        ],
        () => 0,
      );
      const both = limiter.tariff([{ dimension: 0 }, { dimension: 1 }]);
      expect(() => both.reserve([key(1)])).toThrow(RangeError);
      expect(() => both.peek([key(1)])).toThrow(RangeError);
      expect(() => both.charge([key(1)])).toThrow(RangeError);
      await expect(async () => both.settle([key(1)])).rejects.toThrow(RangeError);
      expect(both.reserve([key(1), key(1)]).admitted).toBe(true);
    });

    it("closes a failure budget after the failures it allows, and opens it as they leave the window", () => {
      const clock = { ms: 0 };
      const limiter = create([{ name: "failures", rate: { limit: 5, windowMs: 3_600_000 } }], () => clock.ms);
      const failures = limiter.tariff([{ dimension: 0 }]);
      const spent = () => !failures.peek([key(1)]).admitted;
      for (let i = 0; i < 5; i++) {
        expect(spent()).toBe(false);
        failures.charge([key(1)]);
        clock.ms += 1000;
      }
      expect(failures.peek([key(1)])).toMatchObject({ admitted: false, retryAfterMs: 3_595_000 });
      // Failures in flight when it closed count too: it opens when fewer than five are left.
      failures.charge([key(1)]);
      expect(failures.peek([key(1)])).toMatchObject({ admitted: false, retryAfterMs: 3_596_000 });
      clock.ms += 3_596_000;
      expect(spent()).toBe(false);
    });

    it("answers 300 of 300 honest calls behind one address while another caller hammers far over its limit", async () => {
      const clock = { ms: 0 };
      const limiter = create(
        [
          { name: "address", rate: { limit: 300, windowMs: 60_000 } },
          { name: "unproved", rate: { limit: 1000, windowMs: 1000 }, capacity: 1, advertised: false },
          { name: "wideAddress", rate: { limit: 1200, windowMs: 60_000 } },
          { name: "caller", rate: { limit: 60, windowMs: 60_000 } },
          { name: "global", rate: { limit: 2000, windowMs: 1000 }, capacity: 1, advertised: false },
        ],
        () => clock.ms,
      );
      const arrival = limiter.tariff([{ dimension: 0 }, { dimension: 1 }]);
      const proved = limiter.tariff([{ dimension: 2 }, { dimension: 3 }, { dimension: 4 }]);
      const address = key(0);
      const call = async (caller: number): Promise<boolean> => {
        const reservation = arrival.reserve([address, LimitKey.everyone]);
        if (!reservation.admitted) return false;
        return (await proved.settle([address, key(caller), LimitKey.everyone], reservation)).admitted;
      };
      let honest = 0;
      let greedy = 0;
      // One minute: five honest callers make a call a second each, the greedy one makes a hundred a second.
      for (let second = 0; second < 60; second++) {
        for (let turn = 0; turn < 100; turn++) {
          clock.ms = second * 1000 + turn * 10;
          if (await call(99)) greedy++;
          if (turn % 20 === 10 && (await call(1 + Math.floor(turn / 20)))) honest++;
        }
      }
      expect(honest).toBe(300);
      expect(greedy).toBe(60);
    });

    it("leaves the address to strangers: what proved callers reserve does not add up", async () => {
      const limiter = create(
        [
          { name: "address", rate: { limit: 2, windowMs: 60_000 } },
          { name: "caller", rate: { limit: 600, windowMs: 60_000 } },
        ],
        () => 0,
      );
      const arrival = limiter.tariff([{ dimension: 0 }]);
      const proved = limiter.tariff([{ dimension: 1 }]);
      for (let i = 0; i < 500; i++) {
        const reservation = arrival.reserve([key(0)]);
        if (!reservation.admitted) throw new Error("the address was full");
        expect((await proved.settle([key(i % 5)], reservation)).admitted).toBe(true);
      }
      expect(arrival.reserve([key(0)])).toMatchObject({ admitted: true, remaining: 1 });
    });
  });
}

/** Some key; equal numbers are equal keys. */
export function key(number: number): LimitKey {
  return LimitKey.ofInput("test", `${number}`);
}

/** One key of one dimension, at any cost. */
function single(
  create: CreateLimiter,
  rate: Rate,
  clock: { ms: number },
): (cost: number) => Decision | Promise<Decision> {
  const limiter = create([{ name: "caller", rate }], () => clock.ms);
  return (cost) => limiter.tariff([{ dimension: 0, cost }]).settle([key(1)]);
}

const someSingle = someRate.chain((rate) =>
  fc.record({
    rate: fc.constant(rate),
    steps: fc.array(fc.record({ advanceMs: someAdvance(rate), cost: someCost(rate) }), {
      minLength: 1,
      maxLength: 200,
    }),
  }),
);

interface Step {
  readonly action: "reserve" | "settle" | "settle with" | "give back" | "peek" | "charge";
  readonly advanceMs: number;
  /** Which dimensions are demanded: one bit each, at least one. */
  readonly dimensions: number;
  readonly costs: readonly number[];
  readonly keys: readonly number[];
  readonly which: number;
}

const someStory = fc.tuple(someRate, someRate, someRate).chain((rates) =>
  fc.record({
    rates: fc.constant(rates),
    steps: fc.array(
      fc.record<Step>({
        action: fc.constantFrom("reserve", "reserve", "settle", "settle with", "give back", "peek", "charge"),
        advanceMs: fc.oneof(...rates.map(someAdvance)),
        dimensions: fc.integer({ min: 1, max: 7 }),
        costs: fc.tuple(...rates.map(someCost)),
        keys: fc.tuple(...rates.map(() => fc.integer({ min: 0, max: 2 }))),
        which: fc.nat(),
      }),
      { minLength: 1, maxLength: 80 },
    ),
  }),
);

/** Plays steps to a limiter and to reference logs, and expects the same of both. */
function tell(
  create: CreateLimiter,
  rates: readonly Rate[],
  counts: "together" | "by stage",
): { take(step: Step): Promise<void> } {
  const clock = { ms: 0 };
  const limiter = create(
    rates.map((rate, index) => ({ name: `d${index}`, rate, advertised: index !== 2 })),
    () => clock.ms,
  );
  const logs = new Map<string, ReferenceLog>();
  const open: { receipt: Admitted; charges: { log: ReferenceLog; charge: Charge }[] }[] = [];

  return {
    async take({ action, advanceMs, dimensions, costs, keys, which }) {
      clock.ms += advanceMs;
      const tick = clock.ms * 1000;
      const taken =
        action === "settle with" || action === "give back" ? open.splice(which % (open.length || 1), 1)[0] : undefined;
      for (const { log, charge } of taken?.charges ?? []) log.remove(charge);
      if (action === "give back") return taken?.receipt.giveBack();

      const demands = rates.flatMap((rate, dimension) => {
        if ((dimensions & (1 << dimension)) === 0) return [];
        const keyed = keys[dimension] ?? 0;
        const stage = counts === "by stage" && action.startsWith("settle") ? "settled" : "";
        const id = `${stage} ${dimension} ${keyed}`;
        const log = logs.get(id) ?? specifiedLog(rate);
        logs.set(id, log);
        return [{ dimension, cost: costs[dimension] ?? 1, key: key(keyed), log }];
      });
      const tariff = limiter.tariff(demands.map(({ dimension, cost }) => ({ dimension, cost })));
      const limitKeys = demands.map((demand) => demand.key);
      if (action === "charge") {
        tariff.charge(limitKeys);
        for (const { log, cost } of demands) log.add(tick, cost);
        // What was forced in may have pushed out what could have been given back.
        open.length = 0;
        return;
      }

      const waits = demands.map(({ log, cost }) => log.fitsAt(tick, cost) - tick);
      const longest = Math.max(...waits);
      const decision =
        action === "peek"
          ? tariff.peek(limitKeys)
          : action === "reserve"
            ? tariff.reserve(limitKeys)
            : await tariff.settle(limitKeys, taken?.receipt);
      expect(decision.crowded).toBe(false);
      if (longest > 0) {
        const { dimension, log } = demands[waits.indexOf(longest)] ?? {
          dimension: -1,
          log: specifiedLog({ limit: 1, windowMs: 1000 }),
        };
        expect(decision).toMatchObject({
          admitted: false,
          retryAfterMs: Math.ceil(longest / 1000),
          ...standing(dimension, log, tick),
        });
        return;
      }
      const left = (demand: (typeof demands)[number]) => demand.log.limit - demand.log.used(tick) - demand.cost;
      const shown = demands.filter(({ dimension }) => dimension !== 2);
      const binding = shown.find((demand) => left(demand) === Math.min(...shown.map(left)));
      if (action !== "peek" && decision.admitted) {
        open.push({
          receipt: decision,
          charges: demands.map(({ log, cost }) => ({ log, charge: log.add(tick, cost) })),
        });
      }
      const expected =
        binding === undefined
          ? { dimension: -1, limit: 0, remaining: 0, resetMs: 0 }
          : standing(binding.dimension, binding.log, tick);
      expect(decision).toMatchObject({ admitted: true, ...expected });
    },
  };
}

function standing(dimension: number, log: ReferenceLog, tick: number): object {
  const remaining = Math.max(0, log.limit - log.used(tick));
  const resetMs = remaining === log.limit ? 0 : Math.ceil((log.fitsAt(tick, remaining + 1) - tick) / 1000);
  return { dimension, limit: log.limit, remaining, resetMs };
}
