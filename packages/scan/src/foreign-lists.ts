import { type ProbeContext, requiredQuery } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import { namesId } from "./ids.ts";
import { textAt } from "./json.ts";
import { type Kind, kindsAlong } from "./kinds.ts";
import type { Pair } from "./pairs.ts";
import type { Thing } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { broken, type Check, held, inconclusive, notApplicable, type Outcome } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { isSafe, type Operation } from "./target.ts";

/**
 * One check per pair where a read lists objects somebody owns: a collection, or what a manifest calls a list. None where
 * the policy shows everybody's on purpose.
 */
export function listChecks(context: ProbeContext, operation: Operation, pairs: readonly Pair[]): readonly Check[] {
  const kind = showsOwn(context, operation) ? listedKind(context, operation) : undefined;
  if (kind === undefined) return [];
  return pairs.map((pair) => ({
    check: "foreign-list",
    operation,
    run: () => foreignList(context, operation, kind, pair),
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

/** bob's list must not hold what alice made, while alice's does. */
async function foreignList(
  context: ProbeContext,
  operation: Operation,
  kind: Kind,
  { owner, attacker }: Pair,
): Promise<Outcome> {
  const thing = await context.objects.fresh(kind, owner);
  const own = await pagesOf(context, operation, owner, thing, "positive");
  const trials = own.trials.slice(-1);
  if (!own.found) {
    return notApplicable(`${owner.name}'s own ${kind.name} does not appear in it, so nothing can leak that way.`);
  }
  const other = await pagesOf(context, operation, attacker, thing, "attack");
  const last = other.trials.at(-1);
  if (last === undefined || isLimited(last.answer))
    return inconclusive("the list could not be read", [...trials, ...other.trials]);
  if (!other.found) return held(`${attacker.name}'s list shows nothing of ${owner.name}`, [...trials, last]);
  const again = await pagesOf(context, operation, attacker, thing, "attack");
  if (!again.found) return inconclusive("it leaked once and not again", [...trials, last]);
  return broken(`${attacker.name}'s list shows what belongs to ${owner.name}`, [...trials, ...other.trials.slice(-1)]);
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
  const base: Record<string, string> = { ...requiredQuery(operation, context.random) };
  const search = operation.parameters.find(
    (entry) => entry.in === "query" && /^(?:q|query|search|term|filter|name)$/i.test(entry.name),
  );
  if (search !== undefined) base[search.name] = thing.canary;
  if (operation.page !== undefined) base["limit"] = String(operation.page.max);
  let cursor: string | undefined;
  for (let page = 1; page <= 8; page += 1) {
    const query = {
      ...base,
      ...(cursor === undefined ? {} : { cursor }),
      ...(operation.page?.kind === "pages" ? { page: String(page) } : {}),
    };
    const trial = await context.send(leg, requestFor(operation, { as, query }));
    trials.push(trial);
    // The search term may be echoed; the object's id is not what was asked for.
    if (namesId(trial.answer, thing.kind, thing.id)) return { found: true, trials };
    const next = textAt(trial.answer.json, "next");
    if (operation.page === undefined || (operation.page.kind === "cursor" && next === undefined)) break;
    if (operation.page.kind === "pages" && !trial.answer.text.includes('"id"')) break;
    cursor = next;
  }
  return { found: false, trials };
}
