import { type Answer, isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { isRecord, numberAt } from "../json.ts";
import type { Kind } from "../kinds.ts";
import { outcome, type Thing } from "../objects.ts";
import { isLimited } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { requestFor } from "../requests.ts";
import { BudgetSpent } from "../scan-error.ts";
import { isGone, isSafe, type Operation } from "../target.ts";

/**
 * Asks lists for far too much: a million, minus one, nothing, all. More than the maximum in one answer is broken. Where
 * fewer objects exist than the maximum, the scan creates enough of its own.
 */
export const pagination: Probe = { id: "pagination", plan: planPagination };

/** Where a description names no maximum (checklist: 100 at most). */
const assumedMax = 100;

function planPagination(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const lists = context.target.operations.filter(
    (operation) =>
      isSafe(operation) &&
      !isGone(operation, now) &&
      operation.limits.length === 0 &&
      (operation.page !== undefined ||
        operation.parameters.some((entry) => entry.in === "query" && isSizeName(entry.name)) ||
        isCollection(context, operation)),
  );
  if (lists.length === 0) return [{ check: "lists", notApplicable: "Nothing answers with a list." }];
  return lists.map((operation) => ({ check: "ceiling", operation, run: () => ceiling(context, operation) }));
}

function isSizeName(name: string): boolean {
  return /^(?:limit|per_?page|page_?size|size|count|take|first)$/i.test(name);
}

function isCollection(context: ProbeContext, operation: Operation): boolean {
  return context.objects.kinds.some((kind) => kind.list === operation);
}

/** How many items an answer holds; undefined where it is no list. */
function itemsIn(answer: Answer): number | undefined {
  const { json } = answer;
  if (Array.isArray(json)) return json.length;
  if (!isRecord(json)) return undefined;
  const lists = Object.values(json).filter((value) => Array.isArray(value));
  return lists.length === 0 ? undefined : Math.max(...lists.map((list) => list.length));
}

async function ceiling(context: ProbeContext, operation: Operation): Promise<readonly NamedOutcome[]> {
  const owner = context.permitted(operation) ?? context.identities[0];
  if (owner === undefined) return [{ check: "ceiling", ...inconclusive("no identity may call it") }];
  const kind = context.objects.kinds.find((entry) => entry.list === operation) ?? listedKind(context, operation);
  const { params } = await context.objects.fill(operation, owner);
  const size =
    operation.parameters.find((entry) => entry.in === "query" && isSizeName(entry.name))?.name ??
    (operation.page === undefined ? undefined : "limit");
  const most = operation.page?.max ?? assumedMax;
  const ask = (query: Record<string, string>, leg: "positive" | "attack") =>
    context.send(leg, requestFor(operation, { as: owner, params, query }));
  const positive = await ask({}, "positive");
  if (!isSuccess(positive.answer))
    return [{ check: "ceiling", ...inconclusive(`the honest request ${outcome(positive.answer)}`, [positive]) }];
  if (itemsIn(positive.answer) === undefined)
    return [{ check: "ceiling", ...notApplicable("It answers with no list.") }];
  const found: NamedOutcome[] = [];
  let grown = false;
  for (const [check, value] of [
    ["million", "1000000"],
    ["over-maximum", String(most + 1)],
    ["minus-one", "-1"],
    ["zero", "0"],
    ["all", "all"],
    ["no-limit", undefined],
  ] as const) {
    if (size === undefined && value !== undefined) continue;
    const query: Record<string, string> = value === undefined || size === undefined ? {} : { [size]: value };
    let trial = await ask(query, "attack");
    let result = bounded(trial, most, size);
    if (result === "unseen" && !grown) {
      grown = await grow(context, kind, owner, operation, most, params);
      trial = await ask(query, "attack");
      result = bounded(trial, most, size);
    }
    if (result === "unseen") {
      found.push({
        check,
        ...notApplicable(`Fewer than ${most + 1} exist and no more can be created, so no maximum can be seen.`),
      });
      continue;
    }
    if (result.verdict === "broken") {
      const again = await ask(query, "attack");
      const twice = bounded(again, most, size);
      if (twice === "unseen" || twice.verdict !== "broken")
        result = inconclusive("it answered too much once and not again", [trial, again]);
    }
    found.push({ check, ...result });
  }
  return found;
}

/** Whether one answer respects the maximum; `unseen` where too few exist to tell. */
function bounded(trial: Trial, most: number, size: string | undefined): Outcome | "unseen" {
  const { answer } = trial;
  if (isLimited(answer)) return inconclusive(limitedWhy(answer), [trial]);
  if (answer.status >= 500) return broken(`asking for too much is an internal error (${answer.status})`, [trial]);
  if (!isSuccess(answer)) return held(`asking for ${describe(trial)} is refused`, [trial]);
  const items = itemsIn(answer) ?? 0;
  if (items > most)
    return broken(`asking for ${describe(trial)} answers ${items} items, ${most} are the most`, [trial]);
  // The answer says itself what size it used, or there were more than it gave.
  const used = size === undefined ? undefined : numberAt(answer.json, size);
  const total = numberAt(answer.json, "total");
  const asked = Number(new URLSearchParams(trial.outgoing.target.split("?")[1]).get(size ?? "") ?? Number.NaN);
  if (used !== undefined && used <= most && used !== asked)
    return held(`asking for ${describe(trial)} gets ${used} at most`, [trial]);
  const more = isRecord(answer.json) && typeof answer.json["next"] === "string";
  if (more || items === most || (total !== undefined && total > items))
    return held(`asking for ${describe(trial)} answers ${items} of more`, [trial]);
  // A request for less than everything needs no proof that there is a maximum.
  if (asked === 0 || asked === -1)
    return items <= most && items <= 1 ? held(`asking for ${describe(trial)} answers ${items}`, [trial]) : "unseen";
  return "unseen";
}

function describe(trial: Trial): string {
  const query = trial.outgoing.target.split("?")[1];
  return query === undefined ? "no limit" : query;
}

/** For lists of objects under another path, such as search: the kind whose members they show. */
function listedKind(context: ProbeContext, operation: Operation): Kind | undefined {
  const named = operation.outputs.find((output) => output.kind === "list")?.resource;
  return context.objects.kinds.find((kind) => kind.name === named && kind.parent === undefined);
}

/** Creates as many objects as it takes to exceed the maximum; false where that cannot be done. */
async function grow(
  context: ProbeContext,
  kind: Kind | undefined,
  owner: Parameters<typeof context.objects.fresh>[1],
  operation: Operation,
  most: number,
  params: Readonly<Record<string, string>>,
): Promise<boolean> {
  if (kind?.create === undefined || most > 250 || kind.create.limits.length > 0) return true;
  if (operation.parameters.some((entry) => entry.in === "query" && entry.required)) return true;
  const rate = context.target.policy.limits.caller;
  if (rate !== undefined && (rate.limit / rate.windowMs) * 1000 < 20) return true;
  const within: Thing | undefined =
    kind.parent === undefined ? undefined : await context.objects.shared(kind.parent, owner);
  if (within !== undefined && params[within.kind.parameter] !== within.id) return true;
  let left = most + 1;
  try {
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (left > 0) {
          left -= 1;
          await context.objects.fresh(kind, owner, within);
        }
      }),
    );
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
  }
  return true;
}
