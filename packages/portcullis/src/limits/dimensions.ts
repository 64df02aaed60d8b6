import { OptionsError } from "../lib/options-error.ts";
import type { Demand, Dimension, EnforcedDimension } from "./limiter.ts";
import { parseRate } from "./rate.ts";

/** Keys per dimension with a counter of their own, where none is named. */
const defaultCapacity = 16_384;
/** Largest capacity of a dimension: 1.2 GiB of counters, or 2 GiB for a limit of exactly 60. */
const maxCapacity = 4_194_304;

/**
 * Fills in what dimensions leave open and gives one instance its part of each limit.
 *
 * @param instances  how many processes share the limits; whole, 1 .. 10_000
 * @returns frozen, in the same order
 * @throws OptionsError when there is none, a name is malformed or taken, a rate, a capacity or the instances are out of
 *   range, or a limit divided by the instances is less than 1
 */
export function enforceDimensions(declared: readonly Dimension[], instances: number): readonly EnforcedDimension[] {
  if (!isWhole(instances, 1, 10_000)) {
    throw new OptionsError(
      `The number of instances is ${instances}.`,
      "Write how many processes share the limits, a whole number from 1 to 10000.",
    );
  }
  if (declared.length === 0) {
    throw new OptionsError("A limiter counts nothing.", "Declare at least one dimension.");
  }
  const names = new Set<string>();
  for (const { name } of declared) {
    if (names.has(name)) throw new OptionsError(`Two dimensions are called "${name}".`, "Give each its own name.");
    names.add(name);
  }
  return Object.freeze(declared.map((dimension) => enforceOne(dimension, instances)));
}

/** A demand with nothing left open, and the dimension it draws on. */
export interface CompleteDemand<D extends EnforcedDimension> extends Readonly<Required<Demand>> {
  readonly of: D;
}

/**
 * Fills in what demands leave open.
 *
 * @param dimensions  what an implementation keeps per dimension comes back in `of`
 * @returns in the same order
 * @throws OptionsError when there is none, a dimension is unknown or demanded twice, a scope is out of range, or a cost
 *   is above the dimension's limit
 */
export function completeDemands<D extends EnforcedDimension>(
  demands: readonly Demand[],
  dimensions: readonly D[],
): readonly CompleteDemand<D>[] {
  if (demands.length === 0) {
    throw new OptionsError("A tariff demands nothing.", "Name at least one dimension, so that the call is counted.");
  }
  const seen = new Set<number>();
  return demands.map((demand) => {
    const dimension = dimensions[demand.dimension];
    if (dimension === undefined) {
      throw new OptionsError(
        `A tariff demands dimension ${demand.dimension}, and there are ${dimensions.length}.`,
        "Name a dimension by its place in the limiter's list, from 0.",
      );
    }
    // Twice in one decision, each demand would be measured before the other is charged.
    if (seen.has(demand.dimension)) {
      throw new OptionsError(
        `A tariff demands the dimension "${dimension.name}" twice.`,
        "Demand it once, with the sum of the costs, or declare a second dimension.",
      );
    }
    seen.add(demand.dimension);
    return completeOne(demand, dimension);
  });
}

// A name stands in a header as a Structured Fields string, and in events and the manifest.
const dimensionName = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

function enforceOne(declared: Dimension, instances: number): EnforcedDimension {
  const { name, capacity = defaultCapacity, advertised = true } = declared;
  if (!dimensionName.test(name)) {
    throw new OptionsError(
      `A dimension is called ${JSON.stringify(name)}.`,
      "Begin with a letter and go on with letters, digits, dots, underscores or hyphens, 64 at most.",
    );
  }
  if (!isWhole(capacity, 1, maxCapacity)) {
    throw new OptionsError(
      `The dimension "${name}" has room for ${capacity} keys.`,
      `Write a whole number from 1 to ${maxCapacity}, about twice the keys active within one window.`,
    );
  }
  const rate = parseRate(declared.rate);
  const limit = Math.floor(rate.limit / instances);
  if (limit < 1) {
    throw new OptionsError(
      `The dimension "${name}" allows ${rate.limit}, which leaves less than 1 for each of ${instances} instances.`,
      "Raise the limit to at least the number of instances, or count in a store that they share.",
    );
  }
  return Object.freeze({ name, rate: Object.freeze({ limit, windowMs: rate.windowMs }), capacity, advertised });
}

function completeOne<D extends EnforcedDimension>(demand: Demand, of: D): CompleteDemand<D> {
  const { cost = 1, scope = 0 } = demand;
  const { limit } = of.rate;
  if (!isWhole(cost, 1, limit)) {
    throw new OptionsError(
      `A tariff demands ${cost} of the dimension "${of.name}", which allows ${limit}.`,
      `Demand a whole number from 1 to ${limit}, or raise the limit.`,
    );
  }
  if (!isWhole(scope, 0, 0xffff_ffff)) {
    throw new OptionsError(
      `A tariff names the scope ${scope} in the dimension "${of.name}".`,
      "Name a whole number from 0 to 4294967295.",
    );
  }
  return { dimension: demand.dimension, cost, scope, of };
}

function isWhole(value: number, smallest: number, largest: number): boolean {
  return Number.isInteger(value) && value >= smallest && value <= largest;
}
