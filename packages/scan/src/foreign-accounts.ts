import { namesPerson } from "./bodies.ts";
import { type ProbeContext, takes } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { unreachable } from "./foreign-ids.ts";
import type { Identity } from "./identities.ts";
import type { Pair } from "./pairs.ts";
import { pagingOf } from "./paging.ts";
import { type Check, notApplicable, type Outcome, threeLegs } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { isGone, isSafe, type Operation, type Parameter, pathParameters, tightLimit } from "./target.ts";

/**
 * Reads that are asked whose things to show, by an account in the path or the query: another's account there. Only what the
 * scan made as that account is proof.
 */
export function accountChecks(context: ProbeContext, pairs: readonly Pair[]): readonly Check[] {
  const { target } = context;
  return target.operations.flatMap((operation) => {
    const { access } = operation;
    if (!isSafe(operation) || isGone(operation, context.now())) return [];
    if (access.kind !== "caller" || access.roles.length > 0) return [];
    if (operation.outputs.some((output) => output.everyOwner !== undefined || output.shared !== undefined)) return [];
    const places = operation.parameters.filter((one) => isAccount(operation, one));
    const tight = tightLimit(operation, 8, context.patienceMs);
    return places.flatMap((place): readonly Check[] => {
      const check = `foreign-${place.name}`;
      if (tight !== undefined) return [{ check, operation, notApplicable: tight }];
      return pairs
        .filter(({ owner, attacker }) => takes(operation, owner, target) && takes(operation, attacker, target))
        .map((pair) => ({ check, operation, run: () => foreignAccount(context, operation, place, pair) }));
    });
  });
}

function isAccount(operation: Operation, { in: place, name }: Parameter): boolean {
  if (!namesPerson(name) || operation.notObjects.includes(name)) return false;
  return place === "query" || (place === "path" && pathParameters(operation.path).includes(name));
}

async function foreignAccount(
  context: ProbeContext,
  operation: Operation,
  place: Parameter,
  { owner, attacker }: Pair,
): Promise<Outcome> {
  const account = context.subject(owner);
  if (account === undefined) return notApplicable(`Nothing told which account ${owner.name} has.`);
  const marks = await marksOf(context, owner);
  const { limit, max } = pagingOf(operation);
  const ask = async (leg: Trial["leg"], as: Identity, id: string) => {
    const filled = await context.objects.fill(operation, as);
    const named = place.in === "path" ? { params: { ...filled.params, [place.name]: id } } : {};
    const most = limit === undefined ? {} : { [limit]: String(max) };
    const query = { ...filled.query, ...most, ...(place.in === "query" ? { [place.name]: id } : {}) };
    return await context.send(leg, requestFor(operation, { as, ...filled, ...named, query }));
  };
  const positive = await ask("positive", owner, account);
  const canary = marks.find((mark) => positive.answer.text.includes(mark));
  if (canary === undefined) return notApplicable(`It shows nothing that the scan made as ${owner.name}.`);
  const missing = await ask("negative", attacker, context.random.uuid());
  return await threeLegs({
    positive,
    negatives: [missing],
    canary,
    attack: () => ask("attack", attacker, account),
    broken: `${attacker.name} reads what belongs to ${owner.name} by naming that account in "${place.name}"`,
    held: `${attacker.name} reads nothing of ${owner.name} by naming that account in "${place.name}"`,
  });
}

/** Markers in what the owner has, of every kind it may make. */
async function marksOf(context: ProbeContext, owner: Identity): Promise<readonly string[]> {
  const marks: string[] = [];
  for (const kind of context.objects.kinds) {
    const made = await context.objects.shared(kind, owner).catch(unreachable);
    if (typeof made !== "string") marks.push(made.canary);
  }
  return marks;
}
