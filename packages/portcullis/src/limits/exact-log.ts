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

const low = 0;
const high = 1;
const counted = 2;
const oldest = 3;
const headWords = 4;

class ExactLog implements WindowCounters {
  readonly bytes: number;
  readonly #limit: number;
  readonly #window: number;
  /** Ring per entry, oldest first from `#oldest`. */
  readonly #times: Float64Array;
  /** Per entry, in one piece: whose it is, how many units count, and where in the ring the oldest stands. */
  readonly #heads: Int32Array;

  constructor(rate: Rate, entries: number) {
    this.#limit = rate.limit;
    this.#window = rate.windowMs * ticksPerMs;
    this.#times = new Float64Array(entries * rate.limit);
    this.#heads = new Int32Array(entries * headWords);
    this.bytes = this.#times.byteLength + this.#heads.byteLength;
  }

  isOf(entry: number, hashLow: number, hashHigh: number): boolean {
    const at = entry * headWords;
    const held = this.#heads;
    return held[at + low] === (hashLow | 0) && held[at + high] === (hashHigh | 0);
  }

  give(entry: number, hashLow: number, hashHigh: number): void {
    const at = entry * headWords;
    this.#heads[at + low] = hashLow;
    this.#heads[at + high] = hashHigh;
  }

  used(entry: number, tick: number): number {
    const limit = this.#limit;
    const start = entry * limit;
    const head = entry * headWords;
    let count = this.#heads[head + counted] ?? 0;
    let eldest = this.#heads[head + oldest] ?? 0;
    // The window is half-open: a unit that is exactly one window old has left it.
    while (count > 0 && tick - (this.#times[start + eldest] ?? 0) >= this.#window) {
      eldest = eldest + 1 === limit ? 0 : eldest + 1;
      count--;
    }
    this.#heads[head + counted] = count;
    this.#heads[head + oldest] = eldest;
    return count;
  }

  fitsAt(entry: number, tick: number, cost: number): number {
    if (cost > this.#limit) return Infinity;
    const excess = this.used(entry, tick) + cost - this.#limit;
    return excess <= 0 ? tick : this.#time(entry, excess - 1) + this.#window;
  }

  add(entry: number, tick: number, cost: number): void {
    const limit = this.#limit;
    const head = entry * headWords;
    let count = this.used(entry, tick);
    let eldest = this.#heads[head + oldest] ?? 0;
    for (let unit = Math.min(cost, limit); unit > 0; unit--) {
      // Over the limit the oldest unit makes place: the youngest `limit` units alone decide how long it stays closed.
      this.#times[entry * limit + ((eldest + count) % limit)] = tick;
      if (count < limit) count++;
      else eldest = (eldest + 1) % limit;
    }
    this.#heads[head + counted] = count;
    this.#heads[head + oldest] = eldest;
  }

  remove(entry: number, addedAt: number, cost: number): void {
    const count = this.#heads[entry * headWords + counted] ?? 0;
    // Times ascend, so units of one time lie together, and the ones just reserved lie at the young end.
    let end = count;
    while (end > 0 && this.#time(entry, end - 1) > addedAt) end--;
    let start = end;
    while (start > 0 && end - start < cost && this.#time(entry, start - 1) === addedAt) start--;
    for (let unit = end; unit < count; unit++) {
      this.#times[this.#place(entry, unit - end + start)] = this.#time(entry, unit);
    }
    this.#heads[entry * headWords + counted] = count - (end - start);
  }

  copy(from: number, to: number): void {
    const limit = this.#limit;
    this.#times.copyWithin(to * limit, from * limit, (from + 1) * limit);
    this.#heads[to * headWords + counted] = this.#heads[from * headWords + counted] ?? 0;
    this.#heads[to * headWords + oldest] = this.#heads[from * headWords + oldest] ?? 0;
  }

  #place(entry: number, unit: number): number {
    const place = (this.#heads[entry * headWords + oldest] ?? 0) + unit;
    return entry * this.#limit + (place < this.#limit ? place : place - this.#limit);
  }

  /** Time of an entry's unit, counted from the oldest. */
  #time(entry: number, unit: number): number {
    return this.#times[this.#place(entry, unit)] ?? 0;
  }
}
