/**
 * Counters over a sliding window for a fixed number of entries, held in memory that is set aside at once. An entry knows
 * whose it is, and lies as much in one piece as it can: what a request costs here is the lines of memory it reads.
 *
 * Times are ticks that never go back from one call to the next. Costs are whole and at least 1.
 */
export interface WindowCounters {
  /** Bytes set aside. */
  readonly bytes: number;

  /**
   * What counts against the entry's limit at this time; never less than what was added in the last window. At 0 the
   * entry is as good as new and may be handed to another key.
   */
  used(entry: number, tick: number): number;

  /** The first tick, this one or later, at which `cost` more would fit; Infinity where the limit itself is smaller. */
  fitsAt(entry: number, tick: number, cost: number): number;

  /** Adds without asking whether it fits; over the limit it stays closed until enough has left the window. */
  add(entry: number, tick: number, cost: number): void;

  /** Takes back what was added at `addedAt`, as far as it has not left the window. */
  remove(entry: number, addedAt: number, cost: number): void;

  /** Whether the entry was given to the key with this hash; of one that was never given away it says nothing. */
  isOf(entry: number, low: number, high: number): boolean;

  /** Gives the entry to the key with this hash; what it counts stays. */
  give(entry: number, low: number, high: number): void;

  /** Makes one entry count what another counts; whose they are stays. */
  copy(from: number, to: number): void;
}
