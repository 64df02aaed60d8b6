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

async function burstOnce(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  count: number,
  windowMs: number,
): Promise<Burst> {
  const done: Timed[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      while (next < count) {
        const index = next;
        next += 1;
        const from = performance.now();
        const trial = await context.send("attack", { ...outgoing(index), burst: true });
        done.push({ trial, from, to: performance.now() });
      }
    }),
  );
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
