import { headerOf } from "./answer.ts";
import { type Burst, burstUntilRefused, busiest, type Timed } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Sent } from "./history.ts";
import { broken, held, notApplicable, type Outcome } from "./probe.ts";

/**
 * How fast a window is filled before it may end, requests a second, so that no other limit is met; how much sooner it is full
 * and how long after that is waited for it to begin anew, milliseconds.
 */
const edge = { perSecond: 350, beforeMs: 100, afterMs: 2500, stepMs: 60 };

/** Limiters that keep every interval count in parts of it; this part of it is allowed for. */
const part = 0.05;

/**
 * Whether a limit nobody declares is counted in windows that begin anew, which lets twice of it through around the edge. It
 * is told by what the refusals say: a window is filled shortly before it ends and again shortly after; if then as much got
 * through as two limits, in less time than the last refusal says is still left, no window of that length was kept.
 *
 * A limiter that keeps every interval may look alike where half of its limit was used up before: what it lets through the
 * second time is then as much as the same caller had sent one window earlier. Where it was, nothing is said.
 *
 * @param honest  a request that is limited at the moment
 * @param fresh   the same request of somebody whose own count is not used up; undefined where there is nobody
 * @param before  the burst that met the limit
 * @param isOfRoute  true where other operations are not counted along
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function inferredWindow(
  context: ProbeContext,
  honest: Outgoing,
  fresh: Outgoing | undefined,
  before: Filled,
  isOfRoute: boolean,
): Promise<Outcome> {
  const most = before.trials.length + 24;
  // A busy machine sends no faster than it did.
  const fillMs = Math.max((most / edge.perSecond) * 1000, before.tookMs * 1.5) + edge.beforeMs;
  const fill = (outgoing: Outgoing) => burstUntilRefused(context, () => outgoing, most, edge.perSecond);
  let last = before;
  // What is said is rounded up to whole seconds. A window that is nearly over leaves no time; the one after it is whole.
  if (fresh !== undefined && secondsOf(last.refused) * 1000 - 1000 < fillMs && (await opensAgain(context, honest)))
    last = await fill(honest);
  const waitMs = secondsOf(last.refused) * 1000;
  if (!(waitMs > 0)) return notApplicable("Refusals do not say when the limit is over.");
  if (waitMs > context.patienceMs / 2)
    return notApplicable(`${waitMs / 1000} s are too long to wait for the edge of its window (--patience <minutes>).`);
  if (fresh !== undefined && waitMs - 1000 < fillMs) return notApplicable(tooShort);
  await pause(waitMs - 1000 - (fresh === undefined ? 0 : fillMs));
  const first = fresh === undefined ? before : await fill(fresh);
  if (first.refused.length === 0) return notApplicable(tooShort);
  if (!(await opensAgain(context, fresh ?? honest)))
    return held("what a window let through is not let through again at its edge");
  const again = await fill(fresh ?? honest);
  return judged(context, { who: fresh?.as, operation: isOfRoute ? honest.operation : undefined }, first, again);
}

/** A burst that went on until some were refused. */
type Filled = Burst & { readonly timed: readonly Timed[] };

const tooShort = "Its window is too short, or not alone, so that its edge cannot be told.";

function judged(context: ProbeContext, counted: Sent, first: Filled, again: Filled): Outcome {
  const leftMs = (secondsOf(again.refused) - 1) * 1000;
  // The one that saw the window open counts too.
  const [one, two] = [passedIn(first), passedIn(again) + 1];
  const limit = Math.max(one, two);
  if (limit < 5) return notApplicable("So low a limit is too soon used up to tell how it is counted.");
  const isLess = (part: number) => limit - part > limit * 0.15 + 1;
  if (!(leftMs > 0) || isLess(two) || (counted.who === undefined && isLess(one))) return notApplicable(tooShort);
  const rounds = [...first.timed, ...again.timed];
  const passed = rounds.filter(({ trial }) => trial.answer.status >= 200 && trial.answer.status < 300);
  const inside = busiest(passed, leftMs);
  const [from, to] = [Math.min(...rounds.map((each) => each.from)), Math.max(...rounds.map((each) => each.to))];
  if (inside <= limit * 1.5)
    return to - from > leftMs || isLess(one)
      ? notApplicable(tooShort)
      : held("the edge of a window lets nothing more through", again.refused.slice(0, 1));
  // In a window that is kept the last refusal is due to the first request here, and what was let through since to what had
  // been sent that long before it.
  const saidMs = leftMs + 1000;
  const opened = Math.min(...again.timed.map((each) => each.from)) - edge.stepMs;
  const tookMs = to - opened + saidMs * part;
  const earlier = context.history.most(counted, tookMs, from - saidMs - tookMs, from - leftMs + saidMs * part);
  if (earlier * 2 >= two) return notApplicable("Too much was sent before to tell how it is counted.");
  return broken(
    `${inside} requests got through inside ${leftMs / 1000} s, around the edge of a window that lets ${limit} through and says that it is not over for ${saidMs / 1000} s`,
    [...passed.slice(0, 1).map(({ trial }) => trial), ...again.refused.slice(0, 1)],
  );
}

function passedIn({ trials, refused }: Burst): number {
  return trials.length - refused.length;
}

/** What most refusals say, in seconds; NaN where they say nothing of it. */
function secondsOf(refused: readonly Trial[]): number {
  const said = refused.map(({ answer }) => Number(headerOf(answer, "retry-after") ?? Number.NaN));
  return said.length === 0 ? Number.NaN : Math.min(...said);
}

/** Asks until the limit is over; false where that takes too long. */
async function opensAgain(context: ProbeContext, honest: Outgoing): Promise<boolean> {
  const until = performance.now() + edge.afterMs;
  while (performance.now() < until) {
    const trial = await context.send("negative", { ...honest, burst: true });
    if (trial.answer.status !== 429) return true;
    await pause(edge.stepMs);
  }
  return false;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
