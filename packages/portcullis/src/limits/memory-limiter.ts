import { completeDemands, enforceDimensions } from "./dimensions.ts";
import { createKeyHash } from "./key-hash.ts";
import type { Demand, Dimension, Limiter } from "./limiter.ts";
import { createMemoryTariff } from "./memory-tariff.ts";
import type { MemoryTariff } from "./memory-tariff.ts";
import { createTicks } from "./ticks.ts";
import { WindowTable } from "./window-table.ts";

/** What the memory limiter is made of. */
export interface MemoryLimiterOptions {
  /** What is counted; at least one, each name once. Copied. */
  readonly dimensions: readonly Dimension[];
  /**
   * How many processes share the limits; whole, 1 .. 10_000, default 1. Each enforces its part of every limit, rounded
   * down, so that all together stay within it however the calls are spread.
   */
  readonly instances?: number;
  /** Monotonic milliseconds, fractions allowed. A clock that steps back stands still until it has caught up. */
  readonly now: () => number;
  /** Cryptographically random bytes, for the secret under which keys are hashed. */
  readonly randomBytes: (count: number) => Uint8Array;
}

/** A {@link Limiter} that keeps its counters in this process. */
export interface MemoryLimiter extends Limiter {
  tariff(demands: readonly Demand[]): MemoryTariff;
}

/**
 * Makes a limiter in fixed process memory: a table per dimension, set aside now. A key takes 289 bytes where buckets
 * count, and 17 bytes and 8 per unit of the limit where an exact log does (limits up to 60); every 16 keys have one
 * overflow of the same size. The default of 16_384 keys is 4.8 MiB, or 8.25 MiB for a limit of exactly 60.
 *
 * Counts last as long as the process: a restart forgets them, and the bound holds only if `instances` is true.
 *
 * @throws OptionsError when there is no dimension, a name is malformed or taken, a rate, a capacity or the instances are
 *   out of range, or a limit divided by the instances is less than 1
 */
export function createMemoryLimiter(options: MemoryLimiterOptions): MemoryLimiter {
  const dimensions = enforceDimensions(options.dimensions, options.instances ?? 1);
  const counted = dimensions.map((dimension) => ({
    ...dimension,
    table: new WindowTable(dimension.rate, dimension.capacity),
  }));
  const ticks = createTicks(options.now);
  const hash = createKeyHash(options.randomBytes(8));
  return Object.freeze({
    dimensions,
    tariff: (demands: readonly Demand[]) => createMemoryTariff(completeDemands(demands, counted), ticks, hash),
    memoryBytes: () => counted.reduce((sum, { table }) => sum + table.bytes, 0),
  });
}
