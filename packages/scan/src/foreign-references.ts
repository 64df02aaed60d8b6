import { namesId } from "./ids.ts";
import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Kind } from "./kinds.ts";
import type { Pair } from "./pairs.ts";
import { outcome } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { broken, type Check, held, inconclusive, limitedWhy, type Outcome } from "./probe.ts";
import { bodyOf } from "./requests.ts";
import { propertiesOf, typeOf } from "./schema.ts";

/** Bodies that name an object: another's id in it. Only where a manifest says which member names what. */
export function referenceChecks(context: ProbeContext, pairs: readonly Pair[]): readonly Check[] {
  const pair = pairs[0];
  if (pair === undefined) return [];
  return context.target.operations.flatMap((operation) => {
    const creates = context.objects.kinds.find((kind) => kind.create === operation);
    if (creates === undefined) return [];
    return operation.objects.flatMap((use) => {
      const kind = context.objects.kinds.find((entry) => entry.name === use.resource && entry.create !== undefined);
      if (use.in !== "body" || kind === undefined || kind.policy?.shared !== undefined) return [];
      return [
        {
          check: `foreign-${use.field}`,
          operation,
          run: () => foreignReference(context, creates, use.field, kind, pair),
        },
      ];
    });
  });
}

/** The attacker names the owner's object in an object of its own; only what is stored decides. */
async function foreignReference(
  context: ProbeContext,
  creates: Kind,
  field: string,
  kind: Kind,
  { owner, attacker }: Pair,
): Promise<Outcome> {
  const theirs = await context.objects.shared(kind, owner);
  const mine = await context.objects.shared(kind, attacker);
  const parent = creates.parent === undefined ? undefined : await context.objects.shared(creates.parent, attacker);
  const ask = async (leg: Trial["leg"], id: string) => {
    const mark = context.objects.canary();
    const honest = context.objects.creation(creates, attacker, parent, mark);
    const value = Array.isArray(valueOf(creates, field)) ? [id] : id;
    const trial = await context.send(leg, { ...honest, body: JSON.stringify({ ...bodyOf(honest), [field]: value }) });
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
  const again = await ask("attack", theirs.id);
  if (!isSuccess(again.answer)) return inconclusive("it was accepted once and not again", [positive, attack, again]);
  return broken(`${attacker.name} may name what belongs to ${owner.name} in "${field}"`, [positive, attack, again]);
}

/** What the schema of a member looks like: a list where it holds several ids. */
function valueOf(kind: Kind, field: string): unknown {
  const schema = propertiesOf(kind.create?.body?.schema ?? {}).get(field);
  return schema !== undefined && typeOf(schema) === "array" ? [] : "";
}
