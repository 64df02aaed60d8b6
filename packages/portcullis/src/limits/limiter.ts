import type { LimitKey } from "./key.ts";
import type { Rate } from "./rate.ts";

/**
 * Counts calls per key and dimension and decides which pass. One implementation per place the counters live in.
 *
 * Every implementation promises:
 * 1. **The bound.** Per key and dimension, the cost that is admitted and not given back is never more than the rate's
 *    `limit` in any interval `[t, t + windowMs)` of the limiter's clock; no boundary, clock step or crowding lifts it.
 * 2. **Little is given up.** What an exact log over a window longer by 1/60 would admit is admitted (for a key that is
 *    not `crowded`); limits up to 60 are exact.
 * 3. **All or nothing.** The demands of one tariff are decided together: all are charged, or none.
 * 4. **Refused calls are free.** A refusal changes no counter, in no dimension.
 * 5. **Exact waiting time.** `retryAfterMs` is the first whole millisecond at which the same call passes if nobody else
 *    comes. There always is one: what could never pass cannot be prepared.
 * 6. **Fixed memory.** Nothing grows with the number of keys; a counter that still counts is never dropped to make room.
 *
 * A request meets it twice. On arrival, before anything is proved, it *reserves* in process memory (address, wide
 * address, the unproved share of global). Once the caller is proved, it *settles*: all proved dimensions in one
 * decision, and the reservation is given back whatever comes out, so that nobody's refused call costs another. A caller
 * who proves nothing simply leaves the reservation standing: reserve, settle without it, and give it back only if the
 * settling refuses.
 *
 * Where several processes share the limits, each reserves, and charges failures, in its own memory, and they settle in
 * one place. So a dimension that must hold exactly over all of them is settled; what is reserved in it holds for each
 * process's part of the limit, and what is charged is told to the others afterwards.
 */
export interface Limiter {
  /** What can be counted, with the rates that are enforced here: declared limits divided by `instances`, rounded down. */
  readonly dimensions: readonly EnforcedDimension[];

  /**
   * Prepares, at set-up, what one kind of call costs and where. Prepare one per route and stage, not one per request.
   *
   * @param demands  at least one; each dimension at most once
   * @throws OptionsError when the list is empty, a dimension is unknown or named twice, or a cost is not whole, below 1
   *   or above the dimension's enforced limit (no call could ever pass)
   */
  tariff(demands: readonly Demand[], options?: TariffOptions): Tariff;

  /** Bytes of process memory set aside for counters, all of it at set-up; the system backs it as it is touched. */
  memoryBytes(): number;
}

/** How a tariff's second stage is decided. */
export interface TariffOptions {
  /**
   * True where guessing is what is counted, as in a sign-in: where the place the counters live in cannot be asked,
   * settling throws, and no process lets calls pass by a share of its own. Default false.
   */
  readonly isStrict?: boolean;
}

/** One thing that is counted: calls per caller, per address, per tenant, all together. */
export interface Dimension {
  /** Name in headers, events and the manifest: a letter, then letters, digits, `.`, `_`, `-`; at most 64. */
  readonly name: string;
  /** How much each key may use, over all instances together. */
  readonly rate: Rate;
  /**
   * How many keys get a counter of their own; 1 .. 4_194_304, default 16_384. Rounded up to 16 times a power of two.
   * Choose twice as many as are active within one window. 1 means one counter for everybody, whatever the key.
   */
  readonly capacity?: number;
  /**
   * Whether clients may read this counter in RateLimit headers; default true. False for what strangers share, such as
   * the global limit, where it would tell one caller about the others.
   */
  readonly advertised?: boolean;
}

/** A dimension with nothing left to default, and the rate that one instance enforces. */
export type EnforcedDimension = Readonly<Required<Dimension>>;

/** What one call takes from one dimension. */
export interface Demand {
  /** Index into the limiter's dimensions. */
  readonly dimension: number;
  /** Whole, 1 .. the dimension's limit; default 1. */
  readonly cost?: number;
  /**
   * Separates counters inside a dimension: whole, 0 .. 2^32-1, default 0. Routes with the same rate share one table and
   * count apart under a scope each, which saves a table per route and a string per request.
   */
  readonly scope?: number;
}

/**
 * A prepared list of demands. In each method `keys` stands in the order of the demands, one key each; a missing key
 * throws before anything is charged, because a call that cannot be counted must not pass.
 */
export interface Tariff {
  /** As prepared, costs and scopes filled in. */
  readonly demands: readonly Readonly<Required<Demand>>[];

  /**
   * Stage one: charges every demand, or none. Decided in process memory, at once, in every implementation. What was
   * taken stays taken unless it is given back, so a request that dies in between costs what it reserved.
   */
  reserve(keys: readonly LimitKey[]): Decision;

  /**
   * Stage two: charges every demand, or none, wherever the counters live. May be used alone, for a single demand by an
   * input field, or for a try that is given back when it succeeds.
   *
   * @param reservation  given back before the demands are looked at, whether they are admitted or refused
   */
  settle(keys: readonly LimitKey[], reservation?: Admitted): Decision | Promise<Decision>;

  /**
   * Tells what {@link reserve} would decide, and charges nothing. For the failure budget: spent means not admitted.
   * Calls in flight can overshoot a budget that is only looked at; where each try counts (a password, a code), settle
   * the try and give it back when it succeeds.
   */
  peek(keys: readonly LimitKey[]): Decision;

  /**
   * Charges after the fact, without asking: the counter may go over its limit, and stays closed until what was charged
   * has left the window. For failures that have already happened. Cannot be given back. Use a dimension either for this
   * and {@link peek} or for reserving: what goes over the limit may push out what somebody could still give back.
   */
  charge(keys: readonly LimitKey[]): void;
}

/** What a limiter decided, and how the binding dimension stands now. A value of its own: it may be kept. */
export type Decision = Admitted | Refused;

interface Standing {
  /**
   * Index of the binding dimension. Of an admission: the advertised one with the least left, -1 where none is
   * advertised. Of a refusal: the one that takes longest to have room again, advertised or not.
   */
  readonly dimension: number;
  /** The binding dimension's limit; 0 where there is none. */
  readonly limit: number;
  /** What is left of it now; 0 where there is none. */
  readonly remaining: number;
  /** Whole milliseconds until more of it is left than now; 0 when all of it is left, or there is none. */
  readonly resetMs: number;
  /**
   * True when a key had to share its counter because the table was full: the bound holds, but strangers count together.
   * Worth an event; the fix is a larger `capacity`.
   */
  readonly crowded: boolean;
}

/** The call passes and was charged. It is also the receipt for what was charged. */
export interface Admitted extends Standing {
  readonly admitted: true;
  /**
   * Takes the charge back, out of the very part of the window it was put in. A second time does nothing, and so does
   * giving back what has already left the window, or the answer of a {@link Tariff.peek}.
   */
  giveBack(): void;
}

/** The call does not pass, and nothing was charged. */
export interface Refused extends Standing {
  readonly admitted: false;
  /** Whole milliseconds, at least 1, until the same call passes if nobody else comes. */
  readonly retryAfterMs: number;
}
