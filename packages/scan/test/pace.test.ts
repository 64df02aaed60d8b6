import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createPacer } from "../src/pace.ts";

afterEach(() => vi.useRealTimers());

describe("pace", () => {
  it("never sends more than a limit allows inside any window", async () => {
    vi.useFakeTimers();
    const limits = fc.record({ limit: fc.integer({ min: 2, max: 30 }), windowMs: fc.integer({ min: 20, max: 5000 }) });
    const property = fc.asyncProperty(limits, fc.integer({ min: 1, max: 90 }), async ({ limit, windowMs }, count) => {
      const pacer = createPacer(
        () => 1_000_000,
        () => Date.now(),
      );
      pacer.declare("all", { limit, windowMs });
      const times: number[] = [];
      const sending = Array.from({ length: count }, async () => {
        await pacer.take(["all"]);
        times.push(Date.now());
      });
      while (times.length < count) await vi.advanceTimersByTimeAsync(1 + (windowMs >> 3));
      await Promise.all(sending);
      for (const from of times) {
        expect(times.filter((time) => time >= from && time < from + windowMs).length).toBeLessThanOrEqual(limit);
      }
    });
    await fc.assert(property, { seed: 5, numRuns: 40 });
  });

  it("does not wait longer than it may", async () => {
    const pacer = createPacer(() => 1000);
    pacer.declare("day", { limit: 1, windowMs: 86_400_000 });
    await pacer.take(["day"]);
    await expect(pacer.take(["day"])).rejects.toThrow(/limit of 1 per 86400 s \(day\) leaves no room .*--patience/);
  });

  it("gives a held place back when the answer did not count", async () => {
    let now = 0;
    const pacer = createPacer(
      () => 100,
      () => now,
    );
    pacer.declare("failures", { limit: 2, windowMs: 1000 }, "count");
    (await pacer.reserve("failures")).settle(false);
    (await pacer.reserve("failures")).settle(true);
    await expect(pacer.reserve("failures")).rejects.toThrow(/leaves no room/);
    now = 1100;
    (await pacer.reserve("failures")).settle(true);
  });

  it("lets what nobody limited pass", async () => {
    await createPacer(() => 0).take(["unknown"]);
  });
});
