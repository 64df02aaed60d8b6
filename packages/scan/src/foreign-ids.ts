import { type ProbeContext, takes } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type IdPlace, idPlaces, withId } from "./id-places.ts";
import type { Identity } from "./identities.ts";
import type { Kind } from "./kinds.ts";
import { looksMissing } from "./looks-missing.ts";
import type { Thing } from "./objects.ts";
import type { Pair } from "./pairs.ts";
import { type Check, type NamedOutcome, notApplicable, threeLegs } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import { isGone, isSafe, type Operation, tightLimit } from "./target.ts";

/**
 * Another's id in a query, a header or a body of an operation that creates nothing: lists filtered by an object, exports
 * of one. One check per place and pair.
 */
export function foreignIdChecks(context: ProbeContext, pairs: readonly Pair[]): readonly Check[] {
  const { target, objects } = context;
  const now = context.now();
  return target.operations.flatMap((operation) => {
    const { access } = operation;
    if (isGone(operation, now) || access.kind !== "caller" || access.roles.length > 0) return [];
    if (objects.kinds.some(({ create, update }) => create === operation || update === operation)) return [];
    const tight = tightLimit(operation, 8, context.patienceMs);
    return idPlaces(objects.kinds, operation)
      .filter(({ kind }) => kind.policy?.shared === undefined)
      .flatMap((place): readonly Check[] => {
        const check = `foreign-${place.field}`;
        if (tight !== undefined) return [{ check, operation, notApplicable: tight }];
        return pairs
          .filter(({ owner, attacker }) => takes(operation, owner, target) && takes(operation, attacker, target))
          .map((pair) => ({ check, operation, run: () => foreignId(context, operation, place, pair) }));
      });
  });
}

async function foreignId(
  context: ProbeContext,
  operation: Operation,
  place: IdPlace,
  { owner, attacker }: Pair,
): Promise<readonly NamedOutcome[]> {
  const check = `foreign-${place.field}`;
  const { kind } = place;
  const theirs = await ownThing(context, kind, owner, isSafe(operation) ? "shared" : "fresh");
  if (typeof theirs === "string") return [{ check, ...notApplicable(theirs) }];
  const marks = [theirs.canary, ...(await insideOf(context, theirs)).map(({ canary }) => canary)];
  const asked = await requestOf(context, operation, owner);
  const attacking = await requestOf(context, operation, attacker).catch((error: unknown) => {
    // Who owns nothing of the kind still can name what belongs to somebody else.
    if (error instanceof Unreachable) return { ...asked, ...credentialOf(asked.headers, owner, attacker) };
    throw error;
  });
  const positive = await context.send("positive", withId(asked, place, theirs.id));
  const missing = await context.send("negative", withId(attacking, place, context.objects.missingId(kind)));
  const canary = marks.find((mark) => positive.answer.text.includes(mark));
  const found = await threeLegs({
    positive,
    negatives: [missing],
    canary,
    attack: (): Promise<Trial> => context.send("attack", withId(attacking, place, theirs.id)),
    broken: `${attacker.name} reaches what belongs to ${owner.name} by naming it in "${place.field}"`,
    held: `${attacker.name} reaches nothing of ${owner.name} by naming it in "${place.field}"`,
  });
  const looks = await looksMissing(context, found, missing, attacker);
  return [
    { check, ...found },
    { ...looks, check: `${check}-looks-missing` },
  ];
}

/** An honest request of an operation, whatever it takes. */
async function requestOf(context: ProbeContext, operation: Operation, as: Identity) {
  const { objects } = context;
  await objects.learnBody(operation, as);
  const filled = await objects.fill(operation, as);
  const body = objects.body(operation, as, objects.canary());
  return requestFor(operation, { as, ...filled, body });
}

function credentialOf(headers: Trial["outgoing"]["headers"], owner: Identity, attacker: Identity) {
  const others = headers.filter(([name]) => name !== owner.header[0]);
  return { as: attacker, label: attacker.name, headers: [attacker.header, ...(attacker.along ?? []), ...others] };
}

/** What lies inside of it, so that a list filtered by it has something to show. */
async function insideOf(context: ProbeContext, thing: Thing): Promise<readonly Thing[]> {
  const inside: Thing[] = [];
  for (const child of context.objects.kinds.filter(({ parent }) => parent === thing.kind)) {
    try {
      inside.push(await context.objects.fresh(child, thing.owner, thing));
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
  }
  return inside;
}

/**
 * An object of somebody's own, or the reason why he has none: what only others may create belongs to nobody here.
 *
 * @throws Unreachable when it could not be made for another reason
 */
export async function ownThing(
  context: ProbeContext,
  kind: Kind,
  owner: Identity,
  how: "shared" | "fresh",
): Promise<Thing | string> {
  try {
    return await context.objects[how](kind, owner);
  } catch (error) {
    const isRefused = kind.create !== undefined && context.isRefused(kind.create, owner);
    if (!(error instanceof Unreachable) || !isRefused) throw error;
    return `${owner.name} may not create a ${kind.name}, so that none is known to belong to ${owner.name}.`;
  }
}

/** What stood in the way, as its reason; any other error is thrown again. */
export function unreachable(error: unknown): string {
  if (error instanceof Unreachable) return error.message;
  throw error;
}
