import { headerOf } from "./answer.ts";
import { type Burst, burstUntilRefused, busiest, type Timed } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { broken, held, notApplicable, type Outcome } from "./probe.ts";

/**
 * How fast a window is filled before it may end, requests a second, so that no other limit is met; how much sooner it is full
 * and how long after that is waited for it to begin anew, milliseconds.
 */
const edge = { perSecond: 350, beforeMs: 100, afterMs: 2500, stepMs: 60 };

/**
 * Whether a limit nobody declares is counted in windows that begin anew, which lets twice of it through around the edge. It
 * is told by what the refusals say: a window is filled shortly before it ends and again shortly after; if then as much got
 * through as two limits, in less time than the last refusal says is still left, no window of that length was kept.
 *
 * @param honest  a request that is limited at the moment
 * @param fresh   the same request of somebody whose own count is not used up; undefined where there is nobody
 * @param before  the burst that met the limit
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function inferredWindow(
  context: ProbeContext,
  honest: Outgoing,
  fresh: Outgoing | undefined,
  before: Burst & { readonly timed: readonly Timed[] },
): Promise<Outcome> {
  const limit = before.trials.length - before.refused.length;
  const waitMs = secondsOf(before.refused) * 1000;
  if (!(waitMs > 0)) return notApplicable("Refusals do not say when the limit is over.");
  if (waitMs > context.patienceMs / 2)
    return notApplicable(`${waitMs / 1000} s are too long to wait for the edge of its window (--patience <minutes>).`);
  if (limit < 5) return notApplicable("So low a limit is too soon used up to tell how it is counted.");
  const most = Math.ceil(limit * 1.1) + 24;
  const fill = (outgoing: Outgoing) => burstUntilRefused(context, () => outgoing, most, edge.perSecond);
  const fillMs = (limit / edge.perSecond) * 1000 + edge.beforeMs;
  const rounds: Timed[] = [];
  let used = honest;
  // What is said is rounded up to whole seconds.
  if (fresh !== undefined && waitMs - 1000 > fillMs) {
    used = fresh;
    await pause(waitMs - 1000 - fillMs);
    rounds.push(...(await fill(used)).timed);
  } else {
    rounds.push(...before.timed);
    await pause(waitMs - 1000);
  }
  if (!(await opensAgain(context, used))) return held("what a window let through is not let through again at its edge");
  const again = await fill(used);
  rounds.push(...again.timed);
  const leftMs = (secondsOf(again.refused) - 1) * 1000;
  // As much as the first time, and no remainder of another limit.
  const isWhole = Math.abs(again.trials.length - again.refused.length + 1 - limit) <= limit * 0.15 + 1;
  if (!(leftMs > 0) || !isWhole)
    return notApplicable("Its window is too short, or not alone, so that its edge cannot be told.");
  const passed = rounds.filter(({ trial }) => trial.answer.status >= 200 && trial.answer.status < 300);
  const inside = busiest(passed, leftMs);
  if (inside <= limit * 1.5) return held("the edge of a window lets nothing more through", again.refused.slice(0, 1));
  return broken(
    `${inside} requests got through inside ${leftMs / 1000} s, around the edge of a window that lets ${limit} through and says that it is not over for ${leftMs / 1000 + 1} s`,
    [...passed.slice(0, 1).map(({ trial }) => trial), ...again.refused.slice(0, 1)],
  );
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
