import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Rate } from "../../src/limits/rate.ts";
import { exactLog, type ReferenceLog, specifiedLog } from "../limits/reference-log.ts";
import { seed, someCost } from "../limits/schedules.ts";
import type { Answered, Scenario } from "./scenario.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

let server: RedisServer;
let processes: readonly ChildProcess[] = [];

beforeAll(async () => {
  server = await startRedis();
  processes = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = fork(join(import.meta.dirname, "hammer.ts"), [`${server.port}`], {
        execArgv: ["--conditions=source"],
      });
      await once(child, "message");
      return child;
    }),
  );
});
afterAll(async () => {
  for (const child of processes) child.disconnect();
  await server.stop();
});

describe("rate-limit: Redis limiter, four processes on one server", () => {
  it("decides as the reference log does, and never admits more than the limit in any window by the server's clock", async () => {
    let made = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(someScenario, async (told) => {
        const answered = await hammer({ ...told, name: `run-${made++}` });
        const logs = new Map<string, { spec: ReferenceLog; exact: ReferenceLog }>();
        for (const { counters, costs, admitted, tick, waits } of answered) {
          const demands = counters.map((counter, dimension) => {
            const rate = rateOf(told.rates, dimension);
            const log = logs.get(counter) ?? { spec: specifiedLog(rate), exact: exactLog(rate) };
            logs.set(counter, log);
            return { ...log, cost: costs[dimension] ?? 0 };
          });
          expect(waits).toEqual(demands.map(({ spec, cost }) => spec.fitsAt(tick, cost) - tick));
          expect(admitted).toBe(waits.every((wait) => wait === 0));
          if (!admitted) continue;
          for (const { spec, exact, cost } of demands) {
            spec.add(tick, cost);
            exact.add(tick, cost);
          }
        }
        expect(answered).toHaveLength(4 * told.calls);
        refused += answered.filter(({ admitted }) => !admitted).length;
        for (const [counter, { exact }] of logs) {
          const rate = rateOf(told.rates, counter.includes(":d0:") ? 0 : 1);
          expect(exact.heaviest(rate.windowMs * 1000)).toBeLessThanOrEqual(rate.limit);
        }
      }),
      { seed, numRuns: 8, endOnFailure: true },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it("leaves no counter without an end", async () => {
    const client = await server.connect();
    const counters = await client.keys("*");
    expect(counters.length).toBeGreaterThan(8);
    for (const counter of counters) {
      const leftMs = await client.pttl(counter);
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(4000 + 64 + 60_000);
    }
  });
});

const someRate: fc.Arbitrary<Rate> = fc.record({
  limit: fc.oneof(fc.constantFrom(1, 5, 60, 61, 100), fc.integer({ min: 1, max: 200 })),
  windowMs: fc.constantFrom(100, 130, 250, 4000),
});

const someScenario: fc.Arbitrary<Omit<Scenario, "name">> = fc.tuple(someRate, someRate).chain((rates) =>
  fc.record({
    rates: fc.constant(rates),
    costs: fc.array(fc.tuple(...rates.map(someCost)), { minLength: 1, maxLength: 5 }),
    keys: fc.integer({ min: 1, max: 4 }),
    calls: fc.constantFrom(200, 400),
    atATime: fc.integer({ min: 1, max: 8 }),
  }),
);

function rateOf(rates: readonly Rate[], dimension: number): Rate {
  const rate = rates[dimension];
  if (rate === undefined) throw new Error("no such dimension");
  return rate;
}

/** What the server answered to all of them, in its own order. */
async function hammer(scenario: Scenario): Promise<readonly Answered[]> {
  const all = await Promise.all(
    processes.map(async (child) => {
      const answered: Promise<readonly (readonly Answered[])[]> = once(child, "message");
      child.send(scenario);
      return (await answered)[0] ?? [];
    }),
  );
  return all.flat().toSorted((one, other) => one.tick - other.tick);
}
