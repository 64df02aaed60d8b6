import { createExactLog, exactLogLimit } from "./exact-log.ts";
import { createSubBuckets } from "./sub-buckets.ts";
import type { Rate } from "./rate.ts";
import type { WindowCounters } from "./window-counters.ts";

/** How many entries a key may stand in: a set of 16 neighbours, found by reading one line of memory. */
export const ways = 16;

/** Where a key's counter is, or {@link nowhere}. */
export type Entry = number;

/** The key has no counter and none is shared: it has used nothing. */
export const nowhere: Entry = -1;

/**
 * Counters by hashed key, in memory that is set aside once and never grows.
 *
 * A key's hash names a set of 16 entries. A new key takes one in which nothing counts any more, which nobody loses by;
 * an entry that still counts is never taken. When all 16 count, the set's new keys share one more entry of the same
 * limit, its overflow:
 *
 *     set 0: [e e e e e e e e e e e e e e e e]   overflow 0: [e]
 *     set 1: [e e e e e e e e e e e e e e e e]   overflow 1: [e]
 *
 * The bound holds for each key that shares, because the sum of all does. When an entry becomes free later, a key that
 * takes it may have used some of the overflow: it starts with a copy of what the overflow counts. So coming back, or
 * cycling through keys, never wins a fresh counter.
 */
export class WindowTable {
  readonly counters: WindowCounters;
  /**
   * A byte of each entry's hash, 0 for one that was never taken, so that nearly always one entry only is looked at. They
   * are taken in order: the first 0 ends a set, and the overflow of a set with a 0 counts nothing.
   */
  readonly #prints: Uint8Array;
  readonly #sets: number;

  /**
   * @param rate      of every key
   * @param capacity  keys with a counter of their own; rounded up to 16 times a power of two; 1 is one counter for all
   */
  constructor(rate: Rate, capacity: number) {
    this.#sets = capacity === 1 ? 0 : 2 ** Math.ceil(Math.log2(Math.max(1, capacity / ways)));
    const keyed = this.#sets * ways;
    const entries = this.#sets === 0 ? 1 : keyed + this.#sets;
    this.#prints = new Uint8Array(keyed);
    this.counters = rate.limit <= exactLogLimit ? createExactLog(rate, entries) : createSubBuckets(rate, entries);
  }

  /** Bytes set aside. */
  get bytes(): number {
    return this.counters.bytes + this.#prints.byteLength;
  }

  /** Where the key counts now; changes nothing. */
  find(low: number, high: number, tick: number): Entry {
    if (this.#sets === 0) return 0;
    const set = low & (this.#sets - 1);
    const print = printOf(high);
    const first = set * ways;
    for (let entry = first; entry < first + ways; entry++) {
      const held = this.#prints[entry];
      if (held === 0) return nowhere;
      if (held === print && this.counters.isOf(entry, low, high)) return entry;
    }
    const overflow = this.#overflow(set);
    return this.counters.used(overflow, tick) === 0 ? nowhere : overflow;
  }

  /** Where the key is to be counted: its own entry, or one it takes now, or the overflow of its set. */
  claim(low: number, high: number, tick: number): Entry {
    if (this.#sets === 0) return 0;
    const own = this.find(low, high, tick);
    if (own !== nowhere && !this.isShared(own)) return own;
    const set = low & (this.#sets - 1);
    const first = set * ways;
    for (let entry = first; entry < first + ways; entry++) {
      const isNew = this.#prints[entry] === 0;
      if (!isNew && this.counters.used(entry, tick) > 0) continue;
      this.#prints[entry] = printOf(high);
      this.counters.give(entry, low, high);
      if (own !== nowhere) this.counters.copy(own, entry);
      return entry;
    }
    return this.#overflow(set);
  }

  /** True for an entry that strangers share because a set was full. */
  isShared(entry: Entry): boolean {
    return this.#sets > 0 && entry >= this.#sets * ways;
  }

  #overflow(set: number): Entry {
    return this.#sets * ways + set;
  }
}

/** 1 .. 255, from bits that choose no set. */
function printOf(high: number): number {
  return (high >>> 24) | 1;
}
