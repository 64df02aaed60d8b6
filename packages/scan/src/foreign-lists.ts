import { type Answer, isSuccess } from "./answer.ts";
import { type ProbeContext, takes } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { isSearchName } from "./filling.ts";
import { foreignCursor } from "./foreign-cursors.ts";
import { ownThing, unreachable } from "./foreign-ids.ts";
import { idPlaces } from "./id-places.ts";
import type { Identity } from "./identities.ts";
import { namesId } from "./ids.ts";
import { isRecord } from "./json.ts";
import { type Kind, kindsAlong } from "./kinds.ts";
import type { Pair } from "./pairs.ts";
import type { Thing } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { nextCursor, pagingOf } from "./paging.ts";
import { broken, type Check, held, inconclusive, type NamedOutcome, notApplicable } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { isGone, isSafe, type Operation } from "./target.ts";

/**
 * One check per pair where a read lists objects somebody owns: a collection, what a manifest calls a list, and any other
 * read without an id that turns out to show them, such as a search. None where the policy shows everybody's on purpose.
 */
export function listChecks(context: ProbeContext, operation: Operation, pairs: readonly Pair[]): readonly Check[] {
  if (!showsOwn(context, operation)) return [];
  const named = listedKind(context, operation);
  const isManifest = context.target.source === "manifest";
  if (named === undefined && (isManifest || !mayList(context, operation))) return [];
  return pairs
    .filter(
      ({ owner, attacker }) => takes(operation, owner, context.target) && takes(operation, attacker, context.target),
    )
    .map((pair) => ({
      check: "foreign-list",
      operation,
      run: () => foreignList(context, operation, named, pair),
    }));
}

function showsOwn(context: ProbeContext, operation: Operation): boolean {
  if (!isSafe(operation) || kindsAlong(context.objects.kinds, operation.path).length > 0) return false;
  if (operation.outputs.some((output) => output.everyOwner !== undefined || output.shared !== undefined)) return false;
  return operation.access.kind !== "caller" || operation.access.roles.length === 0;
}

function listedKind(context: ProbeContext, operation: Operation): Kind | undefined {
  const named = operation.outputs.find((output) => output.kind === "list")?.resource;
  return (
    context.objects.kinds.find((kind) => kind.list === operation) ??
    context.objects.kinds.find((kind) => named !== undefined && kind.name === named && kind.parent === undefined)
  );
}

/** A read without ids in its path or query, which may show a list of something; answers tell. */
function mayList(context: ProbeContext, operation: Operation): boolean {
  return (
    !operation.path.includes("{") &&
    !isGone(operation, context.now()) &&
    idPlaces(context.objects.kinds, operation).length === 0
  );
}

/** bob's list must not hold what alice made, while alice's does. */
async function foreignList(
  context: ProbeContext,
  operation: Operation,
  named: Kind | undefined,
  { owner, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const check = "foreign-list";
  const kind = named ?? (await shownKind(context, operation, owner));
  if (kind === undefined) return [{ check, ...notApplicable("It shows nothing the scan can make.") }];
  const thing = await ownThing(context, kind, owner, "fresh");
  if (typeof thing === "string") return [{ check, ...notApplicable(thing) }];
  const own = await pagesOf(context, operation, owner, thing, "positive");
  const trials = own.trials.slice(-1);
  if (!own.found) {
    const why = `${owner.name}'s own ${kind.name} does not appear in it, so nothing can leak that way.`;
    return [{ check, ...notApplicable(why) }];
  }
  const other = await pagesOf(context, operation, attacker, thing, "attack");
  const last = other.trials.at(-1);
  if (last === undefined || isLimited(last.answer))
    return [{ check, ...inconclusive("the list could not be read", [...trials, ...other.trials]) }];
  if (!other.found) {
    const why = `${attacker.name}'s list shows nothing of ${owner.name}`;
    return [
      { check, ...held(why, [...trials, last]) },
      ...(await foreignCursor(context, operation, kind, { owner, attacker })),
    ];
  }
  const again = await pagesOf(context, operation, attacker, thing, "attack");
  if (!again.found) return [{ check, ...inconclusive("it leaked once and not again", [...trials, last]) }];
  return [
    {
      check,
      ...broken(`${attacker.name}'s list shows what belongs to ${owner.name}`, [...trials, ...other.trials.slice(-1)]),
    },
  ];
}

/** The kind whose objects an answer shows, by those of the owner in it, else by its members' names. */
async function shownKind(context: ProbeContext, operation: Operation, owner: Identity): Promise<Kind | undefined> {
  const { answer, outgoing } = await context.baseline(operation);
  if (!isSuccess(answer)) return undefined;
  const reader = outgoing.as ?? owner;
  const shapes: [Kind, number][] = [];
  for (const kind of context.objects.kinds.filter(({ parent }) => parent === undefined)) {
    const thing = await ownThing(context, kind, reader, "shared").catch(unreachable);
    if (typeof thing === "string") continue;
    if (namesId(answer, kind, thing.id)) return kind;
    shapes.push([kind, alikeness(answer, thing)]);
  }
  return shapes.filter(([, share]) => share >= 0.8).sort((left, right) => right[1] - left[1])[0]?.[0];
}

/** How many of a thing's members those of a list have, from 0 to 1. */
function alikeness({ json }: Answer, { created }: Thing): number {
  const lists = [json, ...(isRecord(json) ? Object.values(json) : [])];
  const first: unknown = lists.map((list): unknown => (Array.isArray(list) ? list[0] : undefined)).find(isRecord);
  const own = isRecord(created.answer.json) ? Object.keys(created.answer.json) : [];
  if (!isRecord(first) || own.length === 0) return 0;
  return own.filter((name) => first[name] !== undefined).length / own.length;
}

/** Reads a list page by page, at most eight, until the object is seen. */
async function pagesOf(
  context: ProbeContext,
  operation: Operation,
  as: Identity,
  thing: Thing,
  leg: "positive" | "attack",
) {
  const trials: Trial[] = [];
  const filled = await context.objects.fill(operation, as);
  const base: Record<string, string> = { ...filled.query };
  const search = operation.parameters.find(
    ({ in: place, name }) => place === "query" && (isSearchName(name) || name.toLowerCase() === "name"),
  );
  if (search !== undefined) base[search.name] = thing.canary;
  const paging = pagingOf(operation);
  if (paging.limit !== undefined) base[paging.limit] = String(paging.max);
  let cursor: string | undefined;
  for (let page = 1; page <= 8; page += 1) {
    const query = {
      ...base,
      ...(cursor === undefined || paging.cursor === undefined ? {} : { [paging.cursor]: cursor }),
      ...(paging.page === undefined ? {} : { [paging.page]: String(page) }),
    };
    const trial = await context.send(leg, requestFor(operation, { as, ...filled, query }));
    trials.push(trial);
    // The search term may be echoed; the object's id is not what was asked for.
    if (namesId(trial.answer, thing.kind, thing.id)) return { found: true, trials };
    if (!isSuccess(trial.answer)) break;
    cursor = paging.cursor === undefined ? undefined : nextCursor(trial.answer, paging);
    if (paging.page === undefined ? cursor === undefined : !trial.answer.text.includes('"id"')) break;
  }
  return { found: false, trials };
}
