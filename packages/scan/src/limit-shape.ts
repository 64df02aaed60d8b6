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
 * Waits until a limit is over for good: as long as it says, and as long again as it took to use it up, since a limit may
 * come back bit by bit.
 *
 * @param tookMs  how long using it up took, milliseconds
 * @returns false where nothing says when that is, or it is too long to wait
 */
export async function untilOpen(refused: readonly Trial[], tookMs: number): Promise<boolean> {
  const said = refused.map(({ answer }) => Number(headerOf(answer, "retry-after") ?? Number.NaN));
  const seconds = Math.max(...said.filter((value) => !Number.isNaN(value)), -1);
  if (seconds < 0 || seconds * 1000 + tookMs > shortWait * 1000) return false;
  await pause(seconds * 1000 + tookMs + 100);
  return true;
}

/** What one request after the other came to. */
export interface InTurn {
  /** How many got through before the limit. */
  readonly count: number;
  readonly tookMs: number;
  /** The one that met the limit; undefined where none did. */
  readonly refused: Trial | undefined;
}

/** Sends one after the other until one is refused, at most that many. */
export async function inTurn(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  most: number,
): Promise<InTurn> {
  const from = performance.now();
  for (let count = 0; count < most; count += 1) {
    const trial = await context.send("negative", { ...outgoing(count), burst: true });
    if (trial.answer.status === 429) return { count, tookMs: performance.now() - from, refused: trial };
  }
  return { count: most, tookMs: performance.now() - from, refused: undefined };
}

const tooLong = "Nothing says when the limit is over, or not soon enough to try again.";

/** No limit counts in less, milliseconds. */
const shortestWindowMs = 500;

/** Fewer than this say nothing of a limit. */
const leastCount = 3;

/**
 * A limiter that reads its count, waits and then writes it lets all through that come at the same time. Told by what gets
 * through at once, twice, in the time in which it would have been refused in turn, twice: more than double, since a
 * window that begins anew lets double through at its edge.
 *
 * @param sent   the burst, many at a time, that found the limit
 * @param known  what has been sent in turn since and met the limit, so that it is not sent again
 * @param aside  true where another check may send while this one waits for the first time, since the limit does not count
 *   it. Nothing is broken by that round alone
 */
export async function parallelRace(
  context: ProbeContext,
  outgoing: (index: number) => Outgoing,
  sent: Burst,
  { known, aside = false }: { readonly known?: InTurn; readonly aside?: boolean } = {},
): Promise<Outcome> {
  const most = sent.trials.length * 2;
  let refused: readonly Trial[] = sent.refused;
  let { tookMs } = sent;
  let [count, ms] = [0, 0];
  const more = (burst: Burst) => burst.within(ms) > count * 2 + 2;
  const named = Number(sent.refused.map(({ answer }) => limitSaid(answer)).find((said) => /^\d+$/.test(said ?? "")));
  if (sent.trials.length - sent.refused.length <= named * 2 + 2)
    return held("no more get through at the same time than the answers say", sent.refused.slice(0, 1));
  for (let round = 0; round < 2; round += 1) {
    const given = round === 0 ? known : undefined;
    const open = () => untilOpen(refused, tookMs);
    const isOpen = given !== undefined || (aside && round === 0 ? await context.turns.aside(open) : await open());
    if (!isOpen) return notApplicable(tooLong);
    const turn = given ?? (await inTurn(context, outgoing, most));
    count = Math.max(count, turn.count);
    ms = Math.max(ms, turn.tookMs, shortestWindowMs);
    if (turn.refused === undefined || !more(sent))
      return held("no more get through at the same time than one after the other", turn.refused ? [turn.refused] : []);
    refused = [turn.refused];
    ({ tookMs } = turn);
  }
  if (count < leastCount || !(await untilOpen(refused, tookMs))) return notApplicable(tooLong);
  const again = await burst(context, outgoing, sent.trials.length, { limit: 0, windowMs: 60_000 });
  if (!more(again)) return inconclusive("more got through at once, and not again", refused);
  const got = Math.min(sent.within(ms), again.within(ms));
  return broken(`${got} requests at the same time get through where ${count} in turn do`, [
    ...again.trials.slice(0, 1),
    ...refused,
  ]);
}

/**
 * A window that begins anew lets twice the limit through around its edge. It is told by opening a window with one request,
 * filling it just before it ends, and asking again just after.
 *
 * @param honest  a request that is limited at the moment
 * @param fresh   the same for other operations of an equal limit, which nobody called inside a window: those need no wait
 */
export async function windowEdge(
  context: ProbeContext,
  honest: Outgoing,
  limit: Limit,
  fresh: readonly Outgoing[] = [],
): Promise<Outcome> {
  if (limit.windowMs * 4 > context.patienceMs || limit.limit < 2)
    return notApplicable(
      `A window of ${limit.windowMs / 1000} s is too long to wait for its edges (--patience <minutes>).`,
    );
  // Windows begin with the first request, or by the clock.
  for (const [index, start] of (["first request", "clock"] as const).entries()) {
    const asked = fresh[index] ?? honest;
    if (asked === honest) await pause(clearMs(limit));
    const done: Timed[] = [];
    const send = async () => {
      const from = performance.now();
      const trial = await context.send("attack", { ...asked, burst: true });
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

/** How long nothing may have been sent before a window is surely empty, milliseconds. */
export function clearMs(limit: Limit): number {
  return limit.windowMs * 1.1 + 50;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
