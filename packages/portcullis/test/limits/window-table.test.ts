import { describe, expect, it } from "vitest";
import { nowhere, ways, WindowTable } from "../../src/limits/window-table.ts";

const rate = { limit: 10, windowMs: 1000 };

describe("rate-limit: the table of counters", () => {
  it("keeps keys apart that share half of their hash", () => {
    const table = new WindowTable(rate, 64);
    const entries = [
      [1, 1],
      [1, 2],
      [5, 1],
      [-1, 1],
    ].map(([low, high]) => {
      const entry = table.claim(low ?? 0, high ?? 0, 0);
      table.counters.add(entry, 0, 1);
      return entry;
    });
    expect(new Set(entries).size).toBe(4);
    expect(table.find(1, 2, 0)).toBe(entries[1]);
    expect(table.find(1, 3, 0)).toBe(nowhere);
  });

  it("takes the place of a key that counts no more, and never of one that does", () => {
    const table = new WindowTable(rate, ways);
    for (let high = 1; high <= ways; high++) table.counters.add(table.claim(0, high, high), high, 1);
    const shared = table.claim(0, 99, 1_000_000);
    expect(table.isShared(shared)).toBe(true);
    const first = table.find(0, 1, 1_000_000);
    expect(table.claim(0, 99, 1_000_001)).toBe(first);
    expect(table.find(0, 1, 1_000_001)).toBe(nowhere);
    expect(table.isShared(first)).toBe(false);
  });

  it("has an overflow for every set, so that a full set does not crowd another", () => {
    const table = new WindowTable(rate, 2 * ways);
    for (let high = 1; high <= ways + 1; high++) table.counters.add(table.claim(0, high, 0), 0, 1);
    expect(table.isShared(table.claim(0, 99, 0))).toBe(true);
    expect(table.isShared(table.claim(1, 99, 0))).toBe(false);
  });

  it("has one counter for all where the capacity is 1, and it is nobody's by accident", () => {
    const table = new WindowTable(rate, 1);
    expect([table.find(1, 2, 0), table.claim(3, 4, 0)]).toEqual([0, 0]);
    expect(table.isShared(0)).toBe(false);
  });
});
