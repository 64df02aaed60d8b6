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

const bucketCount = 64;
const ring = bucketCount - 1;
// Charges without asking could otherwise carry a sum beyond what 32 bits hold, back to zero.
const ceiling = 0xffff_ffff;

class SubBuckets implements WindowCounters {
  readonly bytes: number;
  readonly #limit: number;
  readonly #width: number;
  /** The newest bucket an entry has been moved to. */
  readonly #newest: Float64Array;
  /** No older bucket counts anything, so that nobody looks through empty ones twice. */
  readonly #oldest: Float64Array;
  readonly #sums: Uint32Array;
  readonly #counts: Uint32Array;

  constructor(rate: Rate, entries: number) {
    this.#limit = rate.limit;
    this.#width = Math.ceil((rate.windowMs * ticksPerMs) / (bucketCount - 1));
    this.#newest = new Float64Array(entries);
    this.#oldest = new Float64Array(entries);
    this.#sums = new Uint32Array(entries);
    this.#counts = new Uint32Array(entries * bucketCount);
    this.bytes = this.#newest.byteLength + this.#oldest.byteLength + this.#sums.byteLength + this.#counts.byteLength;
  }

  used(entry: number, tick: number): number {
    return this.#advance(entry, this.#bucket(tick));
  }

  fitsAt(entry: number, tick: number, cost: number): number {
    if (cost > this.#limit) return Infinity;
    const bucket = this.#bucket(tick);
    let excess = this.#advance(entry, bucket) + cost - this.#limit;
    if (excess <= 0) return tick;
    const first = entry * bucketCount;
    let old = Math.max(bucket - ring, this.#oldest[entry] ?? 0);
    while (old < bucket && this.#counts[first + (old & ring)] === 0) old++;
    this.#oldest[entry] = old;
    for (; old < bucket; old++) {
      excess -= this.#counts[first + (old & ring)] ?? 0;
      if (excess <= 0) break;
    }
    return (old + bucketCount) * this.#width;
  }

  add(entry: number, tick: number, cost: number): void {
    const bucket = this.#bucket(tick);
    const sum = this.#advance(entry, bucket);
    if (sum === 0) this.#oldest[entry] = bucket;
    const added = Math.min(cost, ceiling - sum);
    const at = entry * bucketCount + (bucket & ring);
    this.#counts[at] = (this.#counts[at] ?? 0) + added;
    this.#sums[entry] = sum + added;
  }

  remove(entry: number, addedAt: number, cost: number): void {
    const bucket = this.#bucket(addedAt);
    // The slot has been handed on to a younger bucket: what was added has left the window.
    if (bucket <= (this.#newest[entry] ?? 0) - bucketCount) return;
    const at = entry * bucketCount + (bucket & ring);
    this.#counts[at] = (this.#counts[at] ?? 0) - cost;
    this.#sums[entry] = (this.#sums[entry] ?? 0) - cost;
  }

  copy(from: number, to: number): void {
    this.#counts.copyWithin(to * bucketCount, from * bucketCount, (from + 1) * bucketCount);
    this.#sums[to] = this.#sums[from] ?? 0;
    this.#newest[to] = this.#newest[from] ?? 0;
    this.#oldest[to] = this.#oldest[from] ?? 0;
  }

  #bucket(tick: number): number {
    return Math.floor(tick / this.#width);
  }

  /** Empties the buckets that have left the window since the entry was last looked at; returns what still counts. */
  #advance(entry: number, bucket: number): number {
    const newest = this.#newest[entry] ?? 0;
    let sum = this.#sums[entry] ?? 0;
    if (newest === bucket) return sum;
    this.#newest[entry] = bucket;
    if (sum === 0) return 0;
    const first = entry * bucketCount;
    if (bucket - newest >= bucketCount) {
      this.#counts.fill(0, first, first + bucketCount);
      sum = 0;
    } else {
      for (let fresh = newest + 1; fresh <= bucket; fresh++) {
        const at = first + (fresh & ring);
        sum -= this.#counts[at] ?? 0;
        this.#counts[at] = 0;
      }
    }
    this.#sums[entry] = sum;
    return sum;
  }
}
