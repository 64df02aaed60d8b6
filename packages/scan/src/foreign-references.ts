import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { ownThing } from "./foreign-ids.ts";
import { type IdPlace, idPlaces, withId } from "./id-places.ts";
import { namesId } from "./ids.ts";
import type { Kind } from "./kinds.ts";
import { outcome } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import type { Pair } from "./pairs.ts";
import { broken, type Check, held, inconclusive, limitedWhy, notApplicable, type Outcome } from "./probe.ts";
import { requestFor } from "./requests.ts";

/**
 * New objects that name another's object. With a manifest, its being stored is enough. A plain description does not say
 * whose objects may be named: there the object has to be one that the attacker cannot read, and a made-up id one that is
 * refused, so that the API is seen to look at what is named and not at whose it is.
 */
export function referenceChecks(context: ProbeContext, pairs: readonly Pair[]): readonly Check[] {
  const pair = pairs[0];
  if (pair === undefined) return [];
  return context.objects.kinds.flatMap((creates) => {
    const operation = creates.create;
    if (operation === undefined) return [];
    return idPlaces(context.objects.kinds, operation)
      .filter((place) => place.in === "body" && place.kind.policy?.shared === undefined && place.kind !== creates)
      .map((place) => ({
        check: `foreign-${place.field}`,
        operation,
        run: () => foreignReference(context, creates, place, pair),
      }));
  });
}

/** The attacker names the owner's object in an object of its own; only what is stored decides. */
async function foreignReference(
  context: ProbeContext,
  creates: Kind,
  place: IdPlace,
  { owner, attacker }: Pair,
): Promise<Outcome> {
  const { field, kind } = place;
  const theirs = await ownThing(context, kind, owner, "shared");
  if (typeof theirs === "string") return notApplicable(theirs);
  const mine = await ownThing(context, kind, attacker, "shared");
  if (typeof mine === "string") return notApplicable(mine);
  const parent = creates.parent === undefined ? undefined : await context.objects.shared(creates.parent, attacker);
  const ask = async (leg: Trial["leg"], id: string) => {
    const mark = context.objects.canary();
    const honest = context.objects.creation(creates, attacker, parent, mark);
    const trial = await context.send(leg, withId(honest, place, id));
    context.objects.adopt(creates, attacker, trial, parent?.params ?? {}, mark);
    return trial;
  };
  const positive = await ask("positive", mine.id);
  if (!isSuccess(positive.answer))
    return inconclusive(`naming an object of its own ${outcome(positive.answer)}`, [positive]);
  const attack = await ask("attack", theirs.id);
  if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), [positive, attack]);
  if (!isSuccess(attack.answer))
    return held(`"${field}" may not name what belongs to ${owner.name}`, [positive, attack]);
  if (!namesId(attack.answer, kind, theirs.id, field))
    return held(`"${field}" of another's object is ignored`, [positive, attack]);
  const trials = [positive, attack];
  if (context.target.source !== "manifest") {
    const why = await whyAllowed(context, kind, theirs.params, attacker, () =>
      ask("negative", context.objects.missingId(kind)),
    );
    if (why !== undefined) return { ...notApplicable(why), trials };
  }
  const again = await ask("attack", theirs.id);
  if (!isSuccess(again.answer)) return inconclusive("it was accepted once and not again", [...trials, again]);
  return broken(`${attacker.name} may name what belongs to ${owner.name} in "${field}"`, [...trials, again]);
}

/** Why naming it may be meant, where nothing says who may; undefined where it cannot be. */
async function whyAllowed(
  context: ProbeContext,
  kind: Kind,
  params: Readonly<Record<string, string>>,
  attacker: Pair["attacker"],
  missing: () => Promise<Trial>,
): Promise<string | undefined> {
  if (kind.read === undefined) return `Nothing says whether a ${kind.name} may be named by everybody.`;
  const seen = await context.send("negative", requestFor(kind.read, { as: attacker, params }));
  if (isSuccess(seen.answer)) return `${attacker.name} may read that ${kind.name}, and so may name it.`;
  const made = await missing();
  return isSuccess(made.answer)
    ? `A ${kind.name} that is not there may be named too: the name opens nothing.`
    : undefined;
}
