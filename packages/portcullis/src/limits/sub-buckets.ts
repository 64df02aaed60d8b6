import { ticksPerMs } from "./ticks.ts";
import type { Rate } from "./rate.ts";
import type { WindowCounters } from "./window-counters.ts";

/**
 * Conservative sub-buckets: never more than the limit in any window, at most 1/60 of the throughput given up, 64
 * numbers per entry whatever the limit.
 *
 * The window is cut into 63 parts. At time t in bucket b the buckets b-63 .. b count, the oldest one whole although the
 * window covers only its end:
 *
 *     b-63      b-62                       b
 *     |----|----|----|----  ...  ----|----|----|
 *        ^ t - window                    ^ t
 *
 * So all of the last window counts (that is the bound), and nothing older than 64 parts of 63 does (that is what is
 * given up: 1/63, which leaves room within 1/60 for rounding a part up to whole ticks). 64 buckets in all make the ring
 * a power of two.
 *
 * @param rate     the rate of every entry
 * @param entries  how many
 */
export function createSubBuckets(rate: Rate, entries: number): WindowCounters {
  return new SubBuckets(rate, entries);
}

/** Parts a charge counts in: the window is 63 of them, and the oldest counts whole. */
export const bucketCount = 64;
const ring = bucketCount - 1;
// Charges without asking could otherwise carry a sum beyond what 32 bits hold, back to zero.
const ceiling = 0xffff_ffff;

// An entry lies in one piece of 288 bytes, so that looking at it reads two lines of memory: two times as doubles (the
// newest bucket it has been moved to; one before which nothing counts), the sum, whose it is, a gap, then the buckets.
const newest = 0;
const oldest = 1;
const sum = 4;
const low = 5;
const high = 6;
const counts = 8;
const words = counts + bucketCount;

class SubBuckets implements WindowCounters {
  readonly #limit: number;
  readonly #width: number;
  readonly #times: Float64Array;
  readonly #words: Uint32Array;

  constructor(rate: Rate, entries: number) {
    this.#limit = rate.limit;
    this.#width = Math.ceil((rate.windowMs * ticksPerMs) / (bucketCount - 1));
    this.#words = new Uint32Array(entries * words);
    this.#times = new Float64Array(this.#words.buffer);
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  isOf(entry: number, hashLow: number, hashHigh: number): boolean {
    const at = entry * words;
    const held = this.#words;
    return held[at + low] === hashLow >>> 0 && held[at + high] === hashHigh >>> 0;
  }

  give(entry: number, hashLow: number, hashHigh: number): void {
    const at = entry * words;
    this.#words[at + low] = hashLow;
    this.#words[at + high] = hashHigh;
  }

  used(entry: number, tick: number): number {
    return this.#advance(entry, this.#bucket(tick));
  }

  fitsAt(entry: number, tick: number, cost: number): number {
    if (cost > this.#limit) return Infinity;
    const bucket = this.#bucket(tick);
    let excess = this.#advance(entry, bucket) + cost - this.#limit;
    if (excess <= 0) return tick;
    const first = entry * words + counts;
    const start = (entry * words) / 2 + oldest;
    let old = Math.max(bucket - ring, this.#times[start] ?? 0);
    while (old < bucket && this.#words[first + (old & ring)] === 0) old++;
    // Nobody has to look through these empty ones again.
    this.#times[start] = old;
    for (; old < bucket; old++) {
      excess -= this.#words[first + (old & ring)] ?? 0;
      if (excess <= 0) break;
    }
    return (old + bucketCount) * this.#width;
  }

  add(entry: number, tick: number, cost: number): void {
    const bucket = this.#bucket(tick);
    const before = this.#advance(entry, bucket);
    if (before === 0) this.#times[(entry * words) / 2 + oldest] = bucket;
    const added = Math.min(cost, ceiling - before);
    const at = entry * words + counts + (bucket & ring);
    this.#words[at] = (this.#words[at] ?? 0) + added;
    this.#words[entry * words + sum] = before + added;
  }

  remove(entry: number, addedAt: number, cost: number): void {
    const bucket = this.#bucket(addedAt);
    // The slot has been handed on to a younger bucket: what was added has left the window.
    if (bucket <= (this.#times[(entry * words) / 2 + newest] ?? 0) - bucketCount) return;
    const at = entry * words + counts + (bucket & ring);
    this.#words[at] = (this.#words[at] ?? 0) - cost;
    this.#words[entry * words + sum] = (this.#words[entry * words + sum] ?? 0) - cost;
  }

  copy(from: number, to: number): void {
    this.#times[(to * words) / 2 + newest] = this.#times[(from * words) / 2 + newest] ?? 0;
    this.#times[(to * words) / 2 + oldest] = this.#times[(from * words) / 2 + oldest] ?? 0;
    this.#words[to * words + sum] = this.#words[from * words + sum] ?? 0;
    this.#words.copyWithin(to * words + counts, from * words + counts, (from + 1) * words);
  }

  #bucket(tick: number): number {
    return Math.floor(tick / this.#width);
  }

  /** Empties the buckets that have left the window since the entry was last looked at; returns what still counts. */
  #advance(entry: number, bucket: number): number {
    const moved = (entry * words) / 2 + newest;
    const from = this.#times[moved] ?? 0;
    let left = this.#words[entry * words + sum] ?? 0;
    if (from === bucket) return left;
    this.#times[moved] = bucket;
    if (left === 0) return 0;
    const first = entry * words + counts;
    if (bucket - from >= bucketCount) {
      this.#words.fill(0, first, first + bucketCount);
      left = 0;
    } else {
      for (let fresh = from + 1; fresh <= bucket; fresh++) {
        const at = first + (fresh & ring);
        left -= this.#words[at] ?? 0;
        this.#words[at] = 0;
      }
    }
    this.#words[entry * words + sum] = left;
    return left;
  }
}
