import { type Answer, headerOf, isSuccess } from "../answer.ts";
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
 * Asks lists for far too much: a million, minus one, nothing, all; and for two, to see whether they listen at all. More
 * than the maximum in one answer is broken. Where fewer objects exist than that takes, the scan creates enough of its own.
 */
export const pagination: Probe = { id: "pagination", phase: "crowding", plan: planPagination };

/** Where a description names no maximum (checklist: 100 at most). */
const assumedMax = 100;

/** More objects than that are not created to see a maximum, the size of a page without one, and a limit that is ignored. */
const mostCreated = { maximum: 130, page: 40, ignored: 30 };

function planPagination(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const lists = context.target.operations.filter(
    (operation) =>
      isSafe(operation) &&
      !isGone(operation, now) &&
      tightLimit(operation, 9, context.patienceMs) === undefined &&
      (operation.page !== undefined || sizeParameter(operation) !== undefined || isCollection(context, operation)),
  );
  if (lists.length === 0) return [{ check: "lists", notApplicable: "Nothing answers with a list." }];
  // Several lists may show one kind of object: one crowd is enough for all of them.
  const owners = new Map<Kind, Identity>();
  return lists.map((operation) => ({ check: "ceiling", operation, run: () => ceiling(context, operation, owners) }));
}

function sizeParameter(operation: Operation) {
  return operation.parameters.find(
    (entry) => entry.in === "query" && /^(?:limit|per_?page|page_?size|size|count|take|first)$/i.test(entry.name),
  );
}

function isSearchName(name: string): boolean {
  return /^(?:q|query|search|term|filter)$/i.test(name);
}

function isCollection(context: ProbeContext, operation: Operation): boolean {
  return context.objects.kinds.some((kind) => kind.list === operation);
}

/** How many items an answer holds, in an envelope or not; undefined where it is no list. */
function itemsIn(answer: Answer): number | undefined {
  return longestList(answer.json, 0);
}

function longestList(value: unknown, depth: number): number | undefined {
  if (Array.isArray(value)) return value.length;
  if (!isRecord(value) || depth > 2) return undefined;
  const lengths = Object.values(value).flatMap((member) => longestList(member, depth + 1) ?? []);
  return lengths.length === 0 ? undefined : Math.max(...lengths);
}

async function ceiling(
  context: ProbeContext,
  operation: Operation,
  owners: Map<Kind, Identity>,
): Promise<readonly NamedOutcome[]> {
  const kind = context.objects.kinds.find((entry) => entry.list === operation) ?? listedKind(context, operation);
  const reader = (await context.baseline(operation)).outgoing.as;
  const known = kind === undefined ? undefined : owners.get(kind);
  const isForEverybody = reader === undefined || !isPrivileged(reader, context.target);
  const able = [context.worker(operation), reader].filter((one) => one !== undefined);
  // Crowds of different owners grow at the same time, each within the limit of its own caller.
  const idle = able.find((one) => ![...owners.values()].includes(one));
  const owner = isForEverybody ? (known ?? idle ?? able[0]) : reader;
  if (owner === undefined) return [{ check: "ceiling", ...inconclusive("no identity may call it") }];
  if (kind !== undefined && isForEverybody) owners.set(kind, owner);
  const filled = await context.objects.fill(operation, owner);
  const parameter = sizeParameter(operation);
  const size = parameter?.name ?? (operation.page === undefined ? undefined : "limit");
  const most = operation.page?.max ?? numberAt(parameter?.schema, "maximum") ?? assumedMax;
  // A search for what the scan made finds all of it.
  const base = Object.fromEntries(
    Object.entries({ ...requiredQuery(operation, context.random), ...filled.query }).map(([name, value]) =>
      isSearchName(name) ? [name, context.objects.prefix] : [name, value],
    ),
  );
  const ask: Asking = (query, leg) =>
    context.send(leg, requestFor(operation, { as: owner, ...filled, query: { ...base, ...query } }));
  const positive = await ask({}, "positive");
  if (!isSuccess(positive.answer)) return [{ check: "ceiling", ...notHonest(positive) }];
  if (itemsIn(positive.answer) === undefined)
    return [{ check: "ceiling", ...notApplicable("It answers with no list.") }];
  const found: NamedOutcome[] = [];
  // Without a limit the page's own size applies, which is seen with fewer objects; unless there is no limit at all.
  const pageSize = operation.page?.size ?? most;
  const enough = async (count: number) => {
    if (kind !== undefined) await crowd(context, kind, owner, count, filled.params);
  };
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
    const ceilingHere = value === undefined ? pageSize : most;
    let trial = await ask(query, "attack");
    let result = bounded(trial, ceilingHere, size);
    if (result === "unseen" && kind !== undefined) {
      const affordable = value === undefined && size !== undefined ? mostCreated.page : mostCreated.maximum;
      // One more than too many: who asks for minus one may get all but one.
      if (ceilingHere < affordable) await enough(ceilingHere + 2);
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
  if (size === undefined || found.some(({ verdict }) => verdict === "broken")) return found;
  const least = Math.max(2, numberAt(parameter?.schema, "minimum") ?? 1);
  return [
    ...found,
    { check: "ignored", ...(await ignored((leg) => ask({ [size]: String(least) }, leg), least, enough)) },
  ];
}

type Asking = (query: Record<string, string>, leg: "positive" | "attack") => Promise<Trial>;

/** A small limit that changes nothing: then everything comes, however much there is. */
async function ignored(
  ask: (leg: "attack") => Promise<Trial>,
  least: number,
  enough: (count: number) => Promise<void>,
): Promise<Outcome> {
  let trial = await ask("attack");
  if (isSuccess(trial.answer) && (itemsIn(trial.answer) ?? 0) < least) {
    await enough(least + 1);
    trial = await ask("attack");
  }
  const undecided = undecidedSmall(trial, least);
  if (undecided !== undefined) return undecided;
  const before = itemsIn(trial.answer) ?? 0;
  await enough(Math.max(mostCreated.ignored, before + 5));
  const more = await ask("attack");
  const again = await ask("attack");
  const items = [more, again].map(({ answer }) => (isSuccess(answer) ? (itemsIn(answer) ?? 0) : 0));
  const trials = [trial, more, again];
  if (items.every((count) => count >= mostCreated.ignored && count > before))
    return broken(`asking for ${describe(more)} answers ${items[0]} items: everything there is`, trials);
  return notApplicable(`The limit asked for is not kept, and no more than ${Math.max(before, ...items)} come at once.`);
}

/** What to say of a small limit that is kept, refused, or not to be judged; undefined where it is not kept. */
function undecidedSmall(trial: Trial, least: number): Outcome | undefined {
  const { answer } = trial;
  if (isLimited(answer)) return inconclusive(limitedWhy(answer), [trial]);
  if (!isSuccess(answer)) return notApplicable(`Asking for ${describe(trial)} is refused.`);
  const items = itemsIn(answer) ?? 0;
  if (items < least) return notApplicable(`Fewer than ${least} exist, so whether a limit is kept cannot be seen.`);
  return items <= least ? held(`asking for ${describe(trial)} answers ${items}`, [trial]) : undefined;
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
  if (goesOn(answer) || items === most || (total !== undefined && total > items))
    return held(`asking for ${describe(trial)} answers ${items} of more`, [trial]);
  if (asked === 0 && items === 0) return held(`asking for ${describe(trial)} answers nothing`, [trial]);
  return "unseen";
}

/** True where an answer says that there is more of it. */
function goesOn(answer: Answer): boolean {
  if (/rel="?next"?/i.test(headerOf(answer, "link") ?? "")) return true;
  if (!isRecord(answer.json)) return false;
  return Object.entries(answer.json).some(
    ([name, value]) =>
      (/^next(?:_?(?:page|cursor|token|url|link))?$/i.test(name) && typeof value === "string" && value !== "") ||
      (/^has_?(?:more|next)(?:_?page)?$/i.test(name) && value === true),
  );
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
