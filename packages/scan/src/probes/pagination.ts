import { type Answer, isSuccess } from "../answer.ts";
import { isPrivileged, type ProbeContext, requiredQuery } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { isRecord, numberAt } from "../json.ts";
import type { Identity } from "../identities.ts";
import type { Kind } from "../kinds.ts";
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
  notHonest,
} from "../probe.ts";
import { requestFor } from "../requests.ts";
import { isGone, isSafe, type Operation, tightLimit } from "../target.ts";

/**
 * Asks lists for far too much: a million, minus one, nothing, all. More than the maximum in one answer is broken. Where
 * fewer objects exist than the maximum, the scan creates enough of its own.
 */
export const pagination: Probe = { id: "pagination", phase: "crowding", plan: planPagination };

/** Where a description names no maximum (checklist: 100 at most). */
const assumedMax = 100;

/** More objects than that are not created to see a maximum, and to see the size of a page without one. */
const mostCreated = { maximum: 130, page: 40 };

function planPagination(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const lists = context.target.operations.filter(
    (operation) =>
      isSafe(operation) &&
      !isGone(operation, now) &&
      tightLimit(operation, 9, context.patienceMs) === undefined &&
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

function isSearchName(name: string): boolean {
  return /^(?:q|query|search|term|filter)$/i.test(name);
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
  const reader = (await context.baseline(operation)).outgoing.as;
  const owner = reader === undefined || isPrivileged(reader, context.target) ? reader : context.worker(operation);
  if (owner === undefined) return [{ check: "ceiling", ...inconclusive("no identity may call it") }];
  const kind = context.objects.kinds.find((entry) => entry.list === operation) ?? listedKind(context, operation);
  const { params } = await context.objects.fill(operation, owner);
  const size =
    operation.parameters.find((entry) => entry.in === "query" && isSizeName(entry.name))?.name ??
    (operation.page === undefined ? undefined : "limit");
  const most = operation.page?.max ?? assumedMax;
  // A search for what the scan made finds all of it.
  const base = Object.fromEntries(
    Object.entries(requiredQuery(operation, context.random)).map(([name, value]) =>
      isSearchName(name) ? [name, context.objects.prefix] : [name, value],
    ),
  );
  const ask = (query: Record<string, string>, leg: "positive" | "attack") =>
    context.send(leg, requestFor(operation, { as: owner, params, query: { ...base, ...query } }));
  const positive = await ask({}, "positive");
  if (!isSuccess(positive.answer)) return [{ check: "ceiling", ...notHonest(positive) }];
  if (itemsIn(positive.answer) === undefined)
    return [{ check: "ceiling", ...notApplicable("It answers with no list.") }];
  const found: NamedOutcome[] = [];
  const pageSize = operation.page?.size ?? most;
  const asks = [
    ["million", "1000000"],
    ["over-maximum", String(most + 1)],
    ["minus-one", "-1"],
    ["zero", "0"],
    ["all", "all"],
    ["no-limit", undefined],
  ] as const;
  for (const [check, value] of asks) {
    if (size === undefined && value !== undefined) continue;
    const query: Record<string, string> = value === undefined || size === undefined ? {} : { [size]: value };
    // Without a limit the page's own size applies, which is seen with fewer objects.
    const ceilingHere = value === undefined ? pageSize : most;
    let trial = await ask(query, "attack");
    let result = bounded(trial, ceilingHere, size);
    if (result === "unseen" && kind !== undefined) {
      const affordable = value === undefined ? mostCreated.page : mostCreated.maximum;
      if (ceilingHere < affordable) await crowd(context, kind, owner, ceilingHere + 1, params);
      trial = await ask(query, "attack");
      result = bounded(trial, ceilingHere, size);
    }
    if (result === "unseen") {
      const why = `Fewer than ${ceilingHere + 1} exist and no more can be created, so no maximum can be seen.`;
      found.push({ check, ...notApplicable(why) });
      continue;
    }
    if (result.verdict === "broken") {
      const again = await ask(query, "attack");
      const confirmed = bounded(again, ceilingHere, size);
      if (confirmed === "unseen" || confirmed.verdict !== "broken") {
        result = inconclusive("it answered too much once and not again", [trial, again]);
      }
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
  if (asked === 0 && items === 0) return held(`asking for ${describe(trial)} answers nothing`, [trial]);
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

/** Makes more objects than the ceiling, as far as the API's own limits allow. */
async function crowd(
  context: ProbeContext,
  kind: Kind,
  owner: Identity,
  count: number,
  params: Readonly<Record<string, string>>,
): Promise<void> {
  if (kind.create === undefined || tightLimit(kind.create, count, context.patienceMs) !== undefined) return;
  const rate = context.target.policy.limits.caller;
  if (rate !== undefined && (rate.limit / rate.windowMs) * 1000 < 20) return;
  const within = kind.parent === undefined ? undefined : await context.objects.shared(kind.parent, owner);
  if (within !== undefined && params[within.kind.parameter] !== within.id) return;
  await context.objects.crowd(kind, owner, count);
}
