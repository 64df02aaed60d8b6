import { describe, expect, it } from "vitest";
import { createTicks, wholeMs } from "../../src/limits/ticks.ts";

describe("rate-limit: time", () => {
  it("reads whole microseconds", () => {
    expect(createTicks(() => 1.0009)()).toBe(1000);
    expect(createTicks(() => 86_400_000)()).toBe(86_400_000_000);
  });

  it("stands still while the clock is behind where it has been", () => {
    const readings = [5, 4, 0, 4.999, 5, 5.001];
    const ticks = createTicks(() => readings.shift() ?? 0);
    expect(readings.map(() => 0).map(() => ticks())).toEqual([5000, 5000, 5000, 5000, 5000, 5001]);
  });

  it("does not follow a reading that is no usable time", () => {
    for (const reading of [Number.NaN, -1, Infinity, -Infinity, 1e300]) {
      const readings = [7, reading, 8];
      const ticks = createTicks(() => readings.shift() ?? 0);
      expect([ticks(), ticks(), ticks()]).toEqual([7000, 7000, 8000]);
    }
  });

  it("rounds waiting times up", () => {
    expect([0, 1, 999, 1000, 1001].map(wholeMs)).toEqual([0, 1, 1, 1, 2]);
  });
});
