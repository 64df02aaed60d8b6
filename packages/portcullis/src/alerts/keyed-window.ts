import { createKeyHash } from "../limits/key-hash.ts";
import type { Rate } from "../limits/rate.ts";
import { ticksPerMs } from "../limits/ticks.ts";
import { nowhere, WindowTable } from "../limits/window-table.ts";

/** Counts by name over a sliding window, in memory set aside once. */
export interface KeyedWindow {
  /**
   * Adds what happened just now.
   *
   * @returns how many have been added under this name within the window, exact up to the rate's limit; where more names
   *   are active than have a counter, strangers share one, and then it is 0: what cannot be told apart is no evidence
   */
  add(name: string, nowMs: number, count: number): number;
}

/**
 * @param rate      its `windowMs` is the window; `limit` is the threshold, up to which counts are exact
 * @param secret    8 random bytes, so that nobody can aim at another's counter
 * @param capacity  names with a counter of their own; about 17 bytes and 8 per unit of the limit each, up to 60
 */
export function createKeyedWindow(rate: Rate, secret: Uint8Array, capacity = 4_096): KeyedWindow {
  const table = new WindowTable(rate, capacity);
  const hash = createKeyHash(secret);
  let latest = 0;
  return {
    add(name, nowMs, count) {
      latest = Math.max(latest, Math.floor(nowMs * ticksPerMs));
      hash.hash(name.length, 0, 0, name);
      const { low, high } = hash;
      let entry = table.find(low, high, latest);
      if (entry === nowhere || table.isShared(entry)) entry = table.claim(low, high, latest);
      table.counters.add(entry, latest, count);
      return table.isShared(entry) ? 0 : table.counters.used(entry, latest);
    },
  };
}
