import type { Rate } from "../../src/limits/rate.ts";

/** One charge in a log. */
export interface Charge {
  readonly at: number;
  readonly cost: number;
}

/**
 * What the limiter's counters are measured against: every charge in a list, nothing thrown away, each question answered
 * by adding up. Times are whole ticks (microseconds).
 */
export class ReferenceLog {
  readonly limit: number;
  readonly charges: Charge[] = [];
  readonly #leavesAt: (chargedAt: number) => number;

  /** @param leavesAt  the first tick at which a charge of that time counts no more */
  constructor(limit: number, leavesAt: (chargedAt: number) => number) {
    this.limit = limit;
    this.#leavesAt = leavesAt;
  }

  used(tick: number): number {
    return this.charges.reduce((sum, { at, cost }) => (tick < this.#leavesAt(at) ? sum + cost : sum), 0);
  }

  fits(tick: number, cost: number): boolean {
    return this.used(tick) + cost <= this.limit;
  }

  /** The first tick from this one on at which it fits; it can only be this one, or one at which something leaves. */
  fitsAt(tick: number, cost: number): number {
    const candidates = [tick, ...this.charges.map(({ at }) => this.#leavesAt(at)).filter((leaves) => leaves > tick)];
    return Math.min(...candidates.filter((candidate) => this.fits(candidate, cost)));
  }

  add(tick: number, cost: number): Charge {
    const charge = { at: tick, cost };
    this.charges.push(charge);
    return charge;
  }

  remove(charge: Charge): void {
    this.charges.splice(this.charges.indexOf(charge), 1);
  }

  /** The largest cost inside any half-open interval of this length; one that begins at a charge is the largest. */
  heaviest(lengthTicks: number): number {
    return this.charges.reduce((heaviest, { at: start }) => {
      const inside = this.charges.filter(({ at }) => at >= start && at < start + lengthTicks);
      return Math.max(
        heaviest,
        inside.reduce((sum, { cost }) => sum + cost, 0),
      );
    }, 0);
  }
}

/** The definition: what lies in the last window counts, and nothing else. @param stretched makes the window longer */
export function exactLog(rate: Rate, stretched = 1): ReferenceLog {
  return new ReferenceLog(rate.limit, (chargedAt) => chargedAt + rate.windowMs * 1000 * stretched);
}

/** The specification of the sub-buckets: each a 63rd of the window, 64 of them count, the partly expired one whole. */
export function bucketLog(rate: Rate): ReferenceLog {
  const width = Math.ceil((rate.windowMs * 1000) / 63);
  return new ReferenceLog(rate.limit, (chargedAt) => (Math.floor(chargedAt / width) + 64) * width);
}

/** The specification that every limiter follows for this rate. */
export function specifiedLog(rate: Rate): ReferenceLog {
  return rate.limit <= 60 ? exactLog(rate) : bucketLog(rate);
}
