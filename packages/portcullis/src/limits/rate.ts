import { OptionsError } from "../lib/options-error.ts";

/** How much is allowed in how long: never more than `limit` in any interval of `windowMs`. Frozen. */
export interface Rate {
  /** Largest total cost, whole, 1 .. 1e9. */
  readonly limit: number;
  /** Length of the interval, whole milliseconds, 100 .. 86_400_000 (24 h). */
  readonly windowMs: number;
}

type Unit = "ms" | "s" | "min" | "h" | "d";

/** A rate as text: `"60/min"`, `"2000/s"`, `"5/2s"`, `"60/5min"`, `"5/h"`. Units: `ms`, `s`, `min`, `h`, `d`. */
export type RateText = `${number}/${Unit}` | `${number}/${number}${Unit}`;

/** A rate in numbers, where the text form is too short for it. */
export interface RateOptions {
  /** Largest total cost in any interval of `windowMs`; whole, 1 .. 1e9. */
  readonly limit: number;
  /** Whole milliseconds, 100 .. 86_400_000 (24 h). One minute is 60_000. */
  readonly windowMs: number;
  /** What one call costs; whole, 1 .. `limit`; default 1. Read with {@link parseCost}. */
  readonly cost?: number;
}

/** Largest limit a rate may have. Counters of this size stay exact, and nobody serves more than this. */
const maxLimit = 1_000_000_000;
/** Longest window, 24 h: a process rarely lives longer, and memory does not outlive the process. */
const maxWindowMs = 86_400_000;
/** Shortest window: below it a number of seconds was meant far more often than one of milliseconds. */
const minWindowMs = 100;

/**
 * Reads a rate, or refuses it: what comes out can be enforced exactly as it was written.
 *
 * @param rate  text such as `"60/min"`, or `{ limit, windowMs, cost? }`
 * @returns frozen `{ limit, windowMs }`; the cost is read with {@link parseCost}
 * @throws OptionsError at set-up when the rate is misspelt, not whole, zero, negative, over 1e9, or its window is
 *   shorter than 100 ms or longer than 24 h
 */
export function parseRate(rate: RateText | RateOptions): Rate {
  const { limit, windowMs } = typeof rate === "string" ? readText(rate) : readOptions(rate);
  const shown = show(rate);
  if (!isWhole(limit, 1, maxLimit)) {
    throw new OptionsError(
      `The rate ${shown} has a limit that is no whole number from 1 to ${maxLimit}.`,
      'Write how many calls are allowed, for example "60/min".',
    );
  }
  if (!isWhole(windowMs, minWindowMs, maxWindowMs)) {
    throw new OptionsError(
      `The rate ${shown} has a window that is no whole number of milliseconds from ${minWindowMs} to ${maxWindowMs} (24 h).`,
      'Write the window in milliseconds ({ limit: 60, windowMs: 60_000 }) or as text ("60/min").',
    );
  }
  return Object.freeze({ limit, windowMs });
}

/**
 * What one call costs under a rate.
 *
 * @returns whole, 1 .. `limit`; 1 where the rate names none
 * @throws OptionsError when the cost is not whole, below 1, or more than the limit, so that no call could ever pass
 */
export function parseCost(rate: RateText | RateOptions): number {
  const { limit } = parseRate(rate);
  const cost = typeof rate === "string" ? 1 : (rate.cost ?? 1);
  if (!isWhole(cost, 1, limit)) {
    throw new OptionsError(
      `The rate ${show(rate)} has a cost that is no whole number from 1 to its limit.`,
      `Write what one call costs, from 1 to ${limit}, or leave cost out.`,
    );
  }
  return cost;
}

/**
 * One spelling for every text of the same rate.
 *
 * @throws OptionsError as {@link parseRate}
 */
export function spellRate(text: string): RateText {
  return formatRate(parseRate(readText(text)));
}

/** The shortest text that {@link parseRate} reads back as the same rate: `"60/min"`, `"5/2s"`. */
export function formatRate(rate: Rate): RateText {
  for (const [unit, ms] of unitsDescending) {
    if (rate.windowMs % ms === 0) {
      const count = rate.windowMs / ms;
      return count === 1 ? `${rate.limit}/${unit}` : `${rate.limit}/${count}${unit}`;
    }
  }
  return `${rate.limit}/${rate.windowMs}ms`;
}

const unitsDescending = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
] as const;

const unitMs = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const satisfies Record<Unit, number>;

// Canonical digits only: no sign, no leading zero, no fraction, no exponent, so that a rate reads one way.
const rateText = /^([1-9][0-9]{0,15})\/([1-9][0-9]{0,15})?(ms|s|min|h|d)$/;

function readText(text: string): { limit: number; windowMs: number } {
  const match = rateText.exec(text);
  const unit = match?.[3];
  if (!match || !isUnit(unit)) {
    throw new OptionsError(
      `The rate ${show(text)} is not written as a count, a slash and a window.`,
      'Write "60/min", "2000/s", "5/2s", "60/5min" or "5/h"; the units are ms, s, min, h and d.',
    );
  }
  return { limit: Number(match[1]), windowMs: Number(match[2] ?? 1) * unitMs[unit] };
}

function readOptions(options: RateOptions): { limit: number; windowMs: number } {
  if (typeof options !== "object" || options === null) {
    throw new OptionsError(
      "A rate is neither text nor { limit, windowMs }.",
      'Write "60/min" or { limit: 60, windowMs: 60_000 }.',
    );
  }
  for (const field of Object.keys(options)) {
    if (field !== "limit" && field !== "windowMs" && field !== "cost") {
      throw new OptionsError(
        `A rate has the unknown field ${show(field)}.`,
        "A rate has the fields limit, windowMs (in milliseconds) and cost.",
      );
    }
  }
  return { limit: options.limit, windowMs: options.windowMs };
}

function isUnit(unit: string | undefined): unit is Unit {
  return unit !== undefined && Object.hasOwn(unitMs, unit);
}

function isWhole(value: unknown, smallest: number, largest: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= smallest && value <= largest;
}

function show(rate: RateOptions | string): string {
  return typeof rate === "string" ? JSON.stringify(rate) : `{ limit: ${rate.limit}, windowMs: ${rate.windowMs} }`;
}
