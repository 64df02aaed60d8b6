/** A tick is a microsecond: whole numbers, so that no sum or difference of times is ever rounded. */
export const ticksPerMs = 1000;

/**
 * Reads a millisecond clock in whole ticks that never go back.
 *
 * A clock that steps back stands still until it has caught up: counters then hold longer, and nothing opens. A reading
 * that is no usable time (NaN, negative, infinite, beyond 2^52 ticks or 142 years) leaves the time where it was.
 *
 * @param now  monotonic milliseconds, fractions allowed
 */
export function createTicks(now: () => number): () => number {
  let latest = 0;
  return function ticks() {
    const reading = Math.floor(now() * ticksPerMs);
    // Below 2^52, dividing ticks by a bucket's width can never round up into the next bucket.
    if (reading > latest && reading < 2 ** 52) latest = reading;
    return latest;
  };
}

/** Ticks to wait, in milliseconds, rounded up: whoever waits that long by a millisecond clock has waited long enough. */
export function wholeMs(ticks: number): number {
  return Math.ceil(ticks / ticksPerMs);
}
