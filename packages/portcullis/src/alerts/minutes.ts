/** Length of a bucket: how late a change of traffic is noticed at most. */
export const bucketMs = 10_000;
const perMinute = 6;
/** An hour of buckets, and the minute that is being filled. */
const buckets = 61 * perMinute;

/** Numbers per minute over the last hour, in buckets of ten seconds. */
export interface Minutes {
  /** Adds to the bucket of this moment; returns true when buckets before it have just been closed. */
  add(nowMs: number, amounts: readonly number[]): boolean;
  /** Sums of the last closed minute, one per series. */
  lastMinute(): readonly number[];
  /** The usual minute: mean of the hour before the last minute, and how many minutes it is made of. */
  usualMinute(): { readonly means: readonly number[]; readonly minutes: number };
}

/** @param series  how many numbers are kept side by side */
export function createMinutes(series: number): Minutes {
  const rings = Array.from({ length: series }, () => new Float64Array(buckets));
  let first = -1;
  let current = -1;

  function sum(ring: Float64Array, from: number, to: number): number {
    let total = 0;
    for (let bucket = Math.max(from, first); bucket < to; bucket++) total += ring[bucket % buckets] ?? 0;
    return total;
  }

  return {
    add(nowMs, amounts) {
      const bucket = Math.floor(nowMs / bucketMs);
      if (first < 0) first = bucket;
      const isNew = current >= 0 && bucket > current;
      if (bucket > current) {
        // Times in which nothing came are empty buckets, at most all of them.
        for (let next = Math.max(current + 1, bucket - buckets + 1); next <= bucket; next++) {
          for (const ring of rings) ring[next % buckets] = 0;
        }
        current = bucket;
      }
      for (const [index, ring] of rings.entries()) {
        ring[current % buckets] = (ring[current % buckets] ?? 0) + (amounts[index] ?? 0);
      }
      return isNew;
    },
    lastMinute: () => rings.map((ring) => sum(ring, current - perMinute, current)),
    usualMinute() {
      const end = current - perMinute;
      const start = Math.max(first, end - 60 * perMinute);
      const minutes = Math.max(0, end - start) / perMinute;
      return { means: rings.map((ring) => (minutes === 0 ? 0 : sum(ring, start, end) / minutes)), minutes };
    },
  };
}
