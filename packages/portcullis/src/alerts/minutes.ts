/** Length of a bucket: how late a change of traffic is noticed at most. */
export const bucketMs = 10_000;
const perMinute = 6;
/** An hour of buckets, and the minute that is being filled. */
const buckets = 61 * perMinute;

/** Numbers per minute over the last hour, in buckets of ten seconds. */
export interface Minutes {
  /** Goes on to the bucket of this moment; returns true when those before it have just been closed. */
  advance(nowMs: number): boolean;
  /** Adds one to a series, in the bucket of the moment last advanced to. */
  count(series: number): void;
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
    advance(nowMs) {
      const bucket = Math.floor(nowMs / bucketMs);
      if (bucket <= current) return false;
      const isFirst = current < 0;
      if (isFirst) first = bucket;
      // Times in which nothing came are empty buckets, at most all of them.
      for (let next = Math.max(current + 1, bucket - buckets + 1); next <= bucket; next++) {
        for (const ring of rings) ring[next % buckets] = 0;
      }
      current = bucket;
      return !isFirst;
    },
    count(series) {
      const ring = rings[series];
      const place = current % buckets;
      if (ring !== undefined) ring[place] = (ring[place] ?? 0) + 1;
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
