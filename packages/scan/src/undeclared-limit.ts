import { headerOf, isSuccess } from "./answer.ts";
import { type Burst, burstUntilRefused, type Timed } from "./burst.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import { inferredWindow } from "./inferred-window.ts";
import { bypasses } from "./limit-bypass.ts";
import { described, parallelRace } from "./limit-shape.ts";
import { broken, held, inconclusive, type NamedOutcome, type Outcome } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { isGone, isSafe, type Operation, pathParameters } from "./target.ts";

/**
 * How a limit is looked for that nobody declares: a burst, and where that meets none, a second that lasts. Both leave room
 * below the limits of an address, which other checks use at the same moment.
 */
const search = { burst: 280, more: 850, perSecond: 240, pauseMs: 1100, longestMs: 20_000 };

/**
 * Looks for the limit of a caller where no policy declares one: whether there is one, what it counts by, and whether anything
 * lifts it. That there is none is broken only where the description speaks of 429, since a proxy may do it elsewhere.
 *
 * @param callers  everybody who may call the operation; the first one calls too often
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function undeclaredLimit(
  context: ProbeContext,
  operation: Operation,
  callers: readonly Identity[],
): Promise<readonly NamedOutcome[]> {
  const [alice, bob] = callers;
  const check = "caller";
  if (alice === undefined) return [{ check, ...inconclusive("no identity may call it") }];
  const honest = requestFor(operation, { as: alice });
  const first = await burstUntilRefused(context, () => honest, search.burst);
  const sent = first.refused.length > 0 ? first : await forLonger(context, operation, honest, first);
  if ("verdict" in sent) return [{ check, ...sent }];
  const key = bob === undefined ? undefined : await countedBy(context, operation, bob);
  const why = `there is a limit: ${described(sent)}${key === undefined ? "" : `, counted by ${key}`}`;
  // While it is known when the limit was met: what comes after may meet it again.
  const fresh = key === "caller" && bob !== undefined ? requestFor(operation, { as: bob }) : undefined;
  const window = await inferredWindow(context, honest, fresh, sent, await isOfRoute(context, operation, alice));
  const found: NamedOutcome[] = [
    { check, ...held(why, sent.refused.slice(0, 1)) },
    { check: "caller-retry-after", ...saysWhen(sent.refused) },
    { check: "caller-window", ...window },
    ...(await bypasses(context, honest, check, sent)),
  ];
  if (window.verdict !== "broken")
    found.push({
      check: "caller-parallel",
      ...(await parallelRace(context, () => honest, sent, { aside: key === "caller" })),
    });
  return found;
}

/**
 * None of many requests was refused; asked again for longer where the description says that too many are refused.
 *
 * @returns the burst that met a limit then; else what is to be said
 */
async function forLonger(
  context: ProbeContext,
  operation: Operation,
  honest: Trial["outgoing"],
  first: Burst,
): Promise<Outcome | (Burst & { readonly timed: readonly Timed[] })> {
  const told = [operation, ...context.target.operations].find(({ responses }) => responses.has(429));
  const count = first.trials.length;
  const last = first.trials.slice(-1);
  if (told === undefined)
    return inconclusive(`${count} requests in a row meet no limit, and the description promises none`, last);
  await new Promise((resolve) => setTimeout(resolve, search.pauseMs));
  const more = await burstUntilRefused(context, () => honest, search.more, search.perSecond);
  if (more.refused.length > 0) return more;
  const answered = [...first.trials, ...more.trials].filter(
    ({ answer }) => answer.status >= 200 && answer.status < 300,
  );
  const seconds = Math.ceil((first.tookMs + search.pauseMs + more.tookMs) / 1000);
  if (answered.length < (count + more.trials.length) * 0.95)
    return inconclusive("the burst was answered with neither success nor 429", last);
  if (seconds * 1000 > search.longestMs)
    return inconclusive(`the target was too slow to tell: ${answered.length} requests took ${seconds} s`, last);
  return broken(
    `${answered.length} requests of ${honest.label} in ${seconds} s meet no limit, although the description of ${told.id} speaks of 429; a limit per minute or hour above that would not show`,
    [...last, ...more.trials.slice(-1)],
  );
}

/** Whether somebody else is limited along. */
async function countedBy(context: ProbeContext, operation: Operation, other: Identity): Promise<string> {
  const trial = await context.send("negative", { ...requestFor(operation, { as: other }), burst: true });
  return trial.answer.status === 429 ? "address or for all together" : "caller";
}

/** Whether another read of the same caller is served meanwhile. */
async function isOfRoute(context: ProbeContext, operation: Operation, caller: Identity): Promise<boolean> {
  const other = context.target.operations.find(
    (one) =>
      one.path !== operation.path &&
      isSafe(one) &&
      one.access.kind === "caller" &&
      pathParameters(one.path).length === 0 &&
      !isGone(one, context.now()) &&
      !one.parameters.some(({ required }) => required) &&
      !context.isRefused(one, caller),
  );
  if (other === undefined) return false;
  const trial = await context.send("negative", { ...requestFor(other, { as: caller }), burst: true });
  return isSuccess(trial.answer);
}

/** A refusal says when to come again, in Retry-After or in one of the headers that tell when a limit is over. */
function saysWhen(refused: readonly Trial[]): Outcome {
  const some = refused.slice(0, 2);
  const told = ["retry-after", "ratelimit", "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"];
  const silent = some.filter(({ answer }) => told.every((name) => headerOf(answer, name) === undefined));
  if (silent.length < some.length || some.length < 2) return held("429 says when to come again", some.slice(0, 1));
  return broken("429 says nowhere when to come again (Retry-After)", some);
}
