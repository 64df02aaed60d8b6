import type { CompleteDemand } from "./dimensions.ts";
import type { LimitKey } from "./key.ts";
import type { KeyHash } from "./key-hash.ts";
import type { Admitted, Decision, Demand, EnforcedDimension, Refused, Tariff } from "./limiter.ts";
import { wholeMs } from "./ticks.ts";
import { nowhere } from "./window-table.ts";
import type { Entry, WindowTable } from "./window-table.ts";

/** The memory limiter decides everything at once, so nothing of it has to be awaited. */
export interface MemoryTariff extends Tariff {
  settle(keys: readonly LimitKey[], reservation?: Admitted): Decision;
}

/** A dimension with its counters. */
export interface CountedDimension extends EnforcedDimension {
  readonly table: WindowTable;
}

/**
 * A tariff over counters in this process.
 *
 * @param demands  complete and checked; each dimension at most once
 * @param ticks    the limiter's time; never goes back
 * @param hash     the limiter's keyed hash
 */
export function createMemoryTariff(
  demands: readonly CompleteDemand<CountedDimension>[],
  ticks: () => number,
  hash: KeyHash,
): MemoryTariff {
  const parts = demands.map(({ of, ...demand }) => ({
    ...demand,
    table: of.table,
    limit: of.rate.limit,
    advertised: of.advertised,
    // An odd factor makes another number of every scope and spreads a key's scopes over the table.
    salt: Math.imul(demand.scope, 0x9e37_79b1),
  }));
  return new PreparedTariff(parts, ticks, hash);
}

/** A demand with everything at hand that deciding it takes. */
interface Part extends Readonly<Required<Demand>> {
  readonly table: WindowTable;
  readonly limit: number;
  readonly advertised: boolean;
  /** Mixed into a key's hash, which is secret; so keys of other scopes meet no more often than other keys. */
  readonly salt: number;
}

class PreparedTariff implements MemoryTariff {
  readonly demands: readonly Readonly<Required<Demand>>[];
  readonly #parts: readonly Part[];
  readonly #ticks: () => number;
  readonly #hash: KeyHash;
  /** Where the keys of the call being decided count; nothing else runs in between. */
  readonly #entries: Int32Array;
  /** Whether one of them is shared by strangers. */
  #crowded = false;
  /** What a look at one dimension answers for a key without a counter: the same for all of them. */
  readonly #untouched: Admission | undefined;

  constructor(parts: readonly Part[], ticks: () => number, hash: KeyHash) {
    this.#parts = parts;
    this.#ticks = ticks;
    this.#hash = hash;
    this.#entries = new Int32Array(parts.length);
    this.#untouched = untouched(parts);
    this.demands = Object.freeze(parts.map(({ dimension, cost, scope }) => Object.freeze({ dimension, cost, scope })));
  }

  reserve(keys: readonly LimitKey[]): Decision {
    return this.#decide(keys, true);
  }

  settle(keys: readonly LimitKey[], reservation?: Admitted): Decision {
    reservation?.giveBack();
    return this.#decide(keys, true);
  }

  peek(keys: readonly LimitKey[]): Decision {
    const [part] = this.#parts;
    const [key] = keys;
    if (this.#untouched === undefined || part === undefined || key === undefined) return this.#decide(keys, false);
    key.hashWith(this.#hash);
    const entry = part.table.find(key.low ^ part.salt, key.high, this.#ticks());
    return entry === nowhere ? this.#untouched : this.#decide(keys, false);
  }

  charge(keys: readonly LimitKey[]): void {
    const tick = this.#ticks();
    this.#demandKeys(keys);
    for (let i = 0; i < this.#parts.length; i++) this.#entries[i] = nowhere;
    this.#commit(keys, tick);
  }

  #decide(keys: readonly LimitKey[], charges: boolean): Decision {
    const tick = this.#ticks();
    this.#demandKeys(keys);
    let binding = -1;
    let least = Infinity;
    let refusing = -1;
    let latest = tick;
    this.#crowded = false;
    for (let i = 0; i < this.#parts.length; i++) {
      const part = this.#parts[i];
      const key = keys[i];
      if (part === undefined || key === undefined) continue;
      const { table, cost } = part;
      const entry = table.find(key.low ^ part.salt, key.high, tick);
      this.#entries[i] = entry;
      if (table.isShared(entry)) this.#crowded = true;
      const left = part.limit - cost - (entry === nowhere ? 0 : table.counters.used(entry, tick));
      if (left < 0) {
        // Go on looking: the call passes when the last of its dimensions has room.
        const fitsAt = table.counters.fitsAt(entry, tick, cost);
        if (fitsAt > latest) {
          latest = fitsAt;
          refusing = i;
        }
      } else if (part.advertised && left < least) {
        least = left;
        binding = i;
      }
    }
    const refused = this.#parts[refusing];
    if (refused !== undefined) return this.#refused(refusing, refused, tick, latest);
    const charged = charges ? this.#commit(keys, tick) : undefined;
    const part = this.#parts[binding];
    if (part === undefined) return new Admission(this.#parts, charged, tick, -1, 0, 0, 0, this.#crowded);
    const remaining = charges ? least : least + part.cost;
    const resetMs = this.#resetMs(binding, part, remaining, tick);
    return new Admission(this.#parts, charged, tick, part.dimension, part.limit, remaining, resetMs, this.#crowded);
  }

  #refused(index: number, part: Part, tick: number, fitsAt: number): Refused {
    const entry = this.#entries[index] ?? nowhere;
    const remaining = Math.max(0, part.limit - part.table.counters.used(entry, tick));
    return {
      admitted: false,
      dimension: part.dimension,
      limit: part.limit,
      remaining,
      resetMs: this.#resetMs(index, part, remaining, tick),
      crowded: this.#crowded,
      retryAfterMs: wholeMs(fitsAt - tick),
    };
  }

  /** Until one more than `remaining` is left. */
  #resetMs(index: number, part: Part, remaining: number, tick: number): number {
    const entry = this.#entries[index] ?? nowhere;
    if (remaining === part.limit || entry === nowhere) return 0;
    return wholeMs(part.table.counters.fitsAt(entry, tick, remaining + 1) - tick);
  }

  /** Charges every demand; returns where, in the order of the demands. */
  #commit(keys: readonly LimitKey[], tick: number): readonly Entry[] {
    return this.#parts.map((part, i) => {
      const { table } = part;
      const key = keys[i];
      let entry = this.#entries[i] ?? nowhere;
      if (key !== undefined && (entry === nowhere || table.isShared(entry))) {
        entry = table.claim(key.low ^ part.salt, key.high, tick);
        this.#entries[i] = entry;
        if (table.isShared(entry)) this.#crowded = true;
      }
      table.counters.add(entry, tick, part.cost);
      return entry;
    });
  }

  /** Throws before anything is charged when a key is missing; otherwise every key is hashed afterwards. */
  #demandKeys(keys: readonly LimitKey[]): void {
    for (let i = 0; i < this.#parts.length; i++) {
      const key = keys[i];
      if (key === undefined) {
        throw new RangeError("A limiter was asked to decide without a key for each of its demands.");
      }
      key.hashWith(this.#hash);
    }
  }
}

/** Of a tariff with one demand only; with several, the one that binds depends on the others. */
function untouched(parts: readonly Part[]): Admission | undefined {
  const [part, ...others] = parts;
  if (part === undefined || others.length > 0) return undefined;
  const { dimension, limit, advertised } = part;
  if (!advertised) return new Admission(parts, undefined, 0, -1, 0, 0, 0, false);
  return new Admission(parts, undefined, 0, dimension, limit, limit, 0, false);
}

class Admission implements Admitted {
  readonly admitted = true;
  readonly dimension: number;
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
  readonly crowded: boolean;
  readonly #parts: readonly Part[];
  readonly #tick: number;
  /** Where it was charged; undefined when there is nothing to give back, or no longer. */
  #charged: readonly Entry[] | undefined;

  constructor(
    parts: readonly Part[],
    charged: readonly Entry[] | undefined,
    tick: number,
    dimension: number,
    limit: number,
    remaining: number,
    resetMs: number,
    crowded: boolean,
  ) {
    this.#parts = parts;
    this.#charged = charged;
    this.#tick = tick;
    this.dimension = dimension;
    this.limit = limit;
    this.remaining = remaining;
    this.resetMs = resetMs;
    this.crowded = crowded;
  }

  giveBack(): void {
    const charged = this.#charged;
    if (charged === undefined) return;
    this.#charged = undefined;
    for (let i = 0; i < charged.length; i++) {
      const part = this.#parts[i];
      const entry = charged[i];
      if (part === undefined || entry === undefined) continue;
      // The entry cannot have gone to another key meanwhile: as long as this charge counts, the entry is not free.
      part.table.counters.remove(entry, this.#tick, part.cost);
    }
  }
}
