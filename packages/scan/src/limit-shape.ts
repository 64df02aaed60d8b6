import { headerOf } from "./answer.ts";
import { type Burst, burst, busiest, type Timed } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { broken, held, inconclusive, notApplicable, type Outcome } from "./probe.ts";
import type { Limit } from "./target.ts";

/** Larger bursts are not sent. */
export const mostRequests = 1500;

/** A fifth more than a limit allows. */
export function burstSize(limit: Limit): number {
  return Math.ceil(limit.limit * 1.2) + 1;
}

/** What a burst into a limit that nobody declared says of it. */
export function described({ trials, refused }: Burst): string {
  const last = refused[0]?.answer;
  const said = last === undefined ? undefined : limitSaid(last);
  const wait = last === undefined ? undefined : headerOf(last, "retry-after");
  const count = `after ${trials.length - refused.length} requests`;
  return [count, said === undefined ? [] : `it says ${said}`, wait === undefined ? [] : `Retry-After ${wait}`]
    .flat()
    .join(", ");
}

/** The limit an answer names: `RateLimit`, its older headers, or the common `X-RateLimit-Limit`. */
function limitSaid(answer: NonNullable<Burst["refused"][number]>["answer"]): string | undefined {
  return (
    headerOf(answer, "ratelimit-policy") ?? headerOf(answer, "ratelimit-limit") ?? headerOf(answer, "x-ratelimit-limit")
  );
}

/** Longest wait for a limit to be over, before something is tried again, seconds. */
const shortWait = 5;

/**
 * Waits until a limit is over.
 *
 * @returns false where nothing says when that is, or it is too long to wait
 */
export async function untilOpen({ refused }: Pick<Burst, "refused">): Promise<boolean> {
  const said = refused.map(({ answer }) => Number(headerOf(answer, "retry-after") ?? Number.NaN));
  const seconds = Math.max(...said.filter((value) => !Number.isNaN(value)), -1);
  if (seconds < 0 || seconds > shortWait) return false;
  await pause(seconds * 1000 + 60);
  return true;
}

/**
 * A limiter that reads its count, waits and then writes it lets all through that come at the same time. Told by comparing
 * what got through at once with what gets through one after the other, twice.
 *
 * @param sent  the burst, many at a time, that found the limit
 */
export async function parallelRace(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  sent: Burst,
): Promise<Outcome> {
  const atOnce = sent.trials.length - sent.refused.length;
  if (!(await untilOpen(sent)))
    return notApplicable("Nothing says when the limit is over, or not soon enough to try again.");
  let inTurn = 0;
  const trials: Trial[] = [];
  for (; inTurn <= atOnce * 2; inTurn += 1) {
    const trial = await context.send("negative", { ...outgoing(inTurn), burst: true });
    trials.splice(0, trials.length, trial);
    if (trial.answer.status === 429) break;
  }
  if (atOnce <= inTurn * 1.5 + 2) return held("as many get through at the same time as one after the other", trials);
  if (!(await untilOpen({ refused: trials })))
    return inconclusive("more got through at once, and it could not be repeated");
  const again = await burst(context, outgoing, sent.trials.length, { limit: 0, windowMs: 60_000 });
  const second = again.trials.length - again.refused.length;
  if (second <= inTurn * 1.5 + 2) return inconclusive("more got through at once, and not again", trials);
  return broken(`${Math.min(atOnce, second)} requests at the same time get through where ${inTurn} in turn do`, [
    ...again.trials.slice(0, 1),
    ...trials,
  ]);
}

/**
 * A window that begins anew lets twice the limit through around its edge. It is told by opening a window with one request,
 * filling it just before it ends, and asking again just after.
 *
 * @param honest  a request that is limited at the moment
 */
export async function windowEdge(context: ProbeContext, honest: Outgoing, limit: Limit): Promise<Outcome> {
  if (limit.windowMs * 4 > context.patienceMs || limit.limit < 2)
    return notApplicable(
      `A window of ${limit.windowMs / 1000} s is too long to wait for its edges (--patience <minutes>).`,
    );
  // Windows begin with the first request, or by the clock.
  for (const start of ["first request", "clock"] as const) {
    await pause(limit.windowMs * 1.1 + 50);
    const done: Timed[] = [];
    const send = async () => {
      const from = performance.now();
      const trial = await context.send("attack", { ...honest, burst: true });
      done.push({ trial, from, to: performance.now() });
    };
    const together = async (count: number) => void (await Promise.all(Array.from({ length: count }, send)));
    const lead = Math.min(200, limit.windowMs / 4);
    if (start === "first request") {
      const opened = performance.now();
      await send();
      await pause(opened + limit.windowMs - lead - performance.now());
    } else {
      await pause(limit.windowMs - (Date.now() % limit.windowMs) - lead);
    }
    const edge = performance.now() + lead;
    await together(limit.limit - (start === "first request" ? 1 : 0));
    await pause(edge - performance.now() + 15);
    await together(limit.limit);
    const admitted = done.filter(({ trial }) => trial.answer.status !== 429 && trial.answer.status !== 0);
    const most = busiest(admitted, limit.windowMs);
    if (most > limit.limit) {
      return broken(
        `${most} requests got through around the edge of a window, ${limit.limit} per ${limit.windowMs / 1000} s are declared`,
        admitted.slice(-2).map(({ trial }) => trial),
      );
    }
  }
  return held("the edge of a window lets nothing more through");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
