import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Limit } from "./target.ts";

/** What came of a burst. */
export interface Burst {
  readonly trials: readonly Trial[];
  readonly refused: readonly Trial[];
  /** Most requests that were surely let through inside one window. */
  readonly admitted: number;
  /** Most requests that surely reached the target inside one window. */
  readonly sent: number;
  /** Most requests that were surely let through inside that many milliseconds. */
  within(ms: number): number;
  /** From the first request to the last answer, milliseconds. */
  readonly tookMs: number;
}

/** Sends `count` requests as fast as they go; again, at most twice, where the target was too slow to tell. */
export async function burst(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  count: number,
  limit: Limit,
): Promise<Burst> {
  let sent = await burstOnce(context, outgoing, count, limit.windowMs);
  for (let tries = 0; tries < 2 && sent.refused.length === 0 && sent.sent <= limit.limit; tries += 1) {
    sent = await burstOnce(context, outgoing, count, limit.windowMs);
  }
  return sent;
}

/**
 * Sends requests as fast as they go until some are refused, at most `most` of them.
 *
 * @param rate  most of them in a second; default: as many as the target answers
 */
export async function burstUntilRefused(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  most: number,
  rate = Number.POSITIVE_INFINITY,
): Promise<Burst & { readonly timed: readonly Timed[] }> {
  const timed = await sendMany(context, outgoing, most, rate, enoughRefusals);
  return { ...burstOf(timed, 60_000), timed };
}

/** So many refusals are a limit, and no chance. */
const enoughRefusals = 6;

async function burstOnce(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  count: number,
  windowMs: number,
): Promise<Burst> {
  return burstOf(await sendMany(context, outgoing, count, Number.POSITIVE_INFINITY, count + 1), windowMs);
}

async function sendMany(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  count: number,
  rate: number,
  enough: number,
): Promise<readonly Timed[]> {
  const done: Timed[] = [];
  let slot = 0;
  let next = 0;
  let refused = 0;
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      while (next < count && refused < enough) {
        const index = next;
        next += 1;
        // What a pause of the machine delayed is not made up for: that would be faster than the rate.
        slot = Math.max(slot + 1000 / rate, performance.now());
        const aheadMs = slot - performance.now();
        if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
        const from = performance.now();
        const trial = await context.send("attack", { ...outgoing(index), burst: true });
        if (trial.answer.status === 429) refused += 1;
        done.push({ trial, from, to: performance.now() });
      }
    }),
  );
  return done;
}

function burstOf(done: readonly Timed[], windowMs: number): Burst {
  const isRefused = ({ trial }: Timed) => trial.answer.status === 429;
  const passed = done.filter((entry) => !isRefused(entry) && entry.trial.answer.status !== 0);
  return {
    trials: done.map((entry) => entry.trial),
    refused: done.filter(isRefused).map((entry) => entry.trial),
    admitted: busiest(passed, windowMs),
    within: (ms) => busiest(passed, ms),
    tookMs: Math.max(0, ...done.map(({ to }) => to)) - Math.min(...done.map(({ from }) => from)),
    sent: busiest(done, windowMs),
  };
}

/** A request and the times between which the target must have decided about it. */
export interface Timed {
  readonly trial: Trial;
  readonly from: number;
  readonly to: number;
}

/**
 * Most requests that were both sent and answered inside one window: whenever the target decided, it was inside. A slow
 * line can only make this smaller, never larger than what the target really let through.
 */
export function busiest(requests: readonly Timed[], windowMs: number): number {
  return Math.max(
    0,
    ...requests.map(({ from }) => requests.filter((other) => other.from >= from && other.to <= from + windowMs).length),
  );
}
