import { ticksPerMs } from "./ticks.ts";
import type { Rate } from "./rate.ts";
import type { WindowCounters } from "./window-counters.ts";

/** Largest limit for which the exact log is used: its 60 times take 480 bytes per key, where buckets take 276. */
export const exactLogLimit = 60;

/**
 * An exact log: the time of every unit that counts, in a ring of `limit` places per entry. Admits exactly what the
 * definition of the window allows. For limits up to {@link exactLogLimit}.
 *
 * A call of cost c is c units with the same time; units of one time are alike, so no cost has to be kept beside them.
 *
 * @param rate     the rate of every entry
 * @param entries  how many
 */
export function createExactLog(rate: Rate, entries: number): WindowCounters {
  return new ExactLog(rate, entries);
}

class ExactLog implements WindowCounters {
  readonly bytes: number;
  readonly #limit: number;
  readonly #window: number;
  /** Ring per entry, oldest first from `#oldest`. */
  readonly #times: Float64Array;
  readonly #oldest: Uint8Array;
  readonly #counts: Uint8Array;

  constructor(rate: Rate, entries: number) {
    this.#limit = rate.limit;
    this.#window = rate.windowMs * ticksPerMs;
    this.#times = new Float64Array(entries * rate.limit);
    this.#oldest = new Uint8Array(entries);
    this.#counts = new Uint8Array(entries);
    this.bytes = this.#times.byteLength + this.#oldest.byteLength + this.#counts.byteLength;
  }

  used(entry: number, tick: number): number {
    const limit = this.#limit;
    const first = entry * limit;
    let count = this.#counts[entry] ?? 0;
    let oldest = this.#oldest[entry] ?? 0;
    // The window is half-open: a unit that is exactly one window old has left it.
    while (count > 0 && tick - (this.#times[first + oldest] ?? 0) >= this.#window) {
      oldest = oldest + 1 === limit ? 0 : oldest + 1;
      count--;
    }
    this.#counts[entry] = count;
    this.#oldest[entry] = oldest;
    return count;
  }

  fitsAt(entry: number, tick: number, cost: number): number {
    if (cost > this.#limit) return Infinity;
    const excess = this.used(entry, tick) + cost - this.#limit;
    return excess <= 0 ? tick : this.#time(entry, excess - 1) + this.#window;
  }

  add(entry: number, tick: number, cost: number): void {
    const limit = this.#limit;
    let count = this.used(entry, tick);
    let oldest = this.#oldest[entry] ?? 0;
    for (let unit = Math.min(cost, limit); unit > 0; unit--) {
      // Over the limit the oldest unit makes place: the youngest `limit` units alone decide how long it stays closed.
      this.#times[entry * limit + ((oldest + count) % limit)] = tick;
      if (count < limit) count++;
      else oldest = (oldest + 1) % limit;
    }
    this.#counts[entry] = count;
    this.#oldest[entry] = oldest;
  }

  remove(entry: number, addedAt: number, cost: number): void {
    const count = this.#counts[entry] ?? 0;
    // Times ascend, so units of one time lie together, and the ones just reserved lie at the young end.
    let end = count;
    while (end > 0 && this.#time(entry, end - 1) > addedAt) end--;
    let start = end;
    while (start > 0 && end - start < cost && this.#time(entry, start - 1) === addedAt) start--;
    for (let unit = end; unit < count; unit++) {
      this.#times[this.#place(entry, unit - end + start)] = this.#time(entry, unit);
    }
    this.#counts[entry] = count - (end - start);
  }

  copy(from: number, to: number): void {
    const limit = this.#limit;
    this.#times.copyWithin(to * limit, from * limit, (from + 1) * limit);
    this.#counts[to] = this.#counts[from] ?? 0;
    this.#oldest[to] = this.#oldest[from] ?? 0;
  }

  #place(entry: number, unit: number): number {
    const place = (this.#oldest[entry] ?? 0) + unit;
    return entry * this.#limit + (place < this.#limit ? place : place - this.#limit);
  }

  /** Time of an entry's unit, counted from the oldest. */
  #time(entry: number, unit: number): number {
    return this.#times[this.#place(entry, unit)] ?? 0;
  }
}
