import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type Identity, subjectOf } from "./identities.ts";
import { kindsAlong } from "./kinds.ts";
import { outcome } from "./objects.ts";
import { isLimited, signatureOf } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";
import { paramsIn, requestFor } from "./requests.ts";

/**
 * A foreign object must look missing: another answer tells a stranger that it exists. Both requests are sent twice
 * more, in both orders, before anything is called broken.
 *
 * @param found    what became of the attack on the foreign object
 * @param missing  the same request by the same attacker, for an object that is not there
 * @param again    sends the attack once more, where that takes another object; default the same request
 */
export async function looksMissing(
  context: ProbeContext,
  found: Outcome,
  missing: Trial,
  attacker: Identity,
  again?: () => Promise<Trial>,
): Promise<NamedOutcome> {
  const check = "foreign-looks-missing";
  const attack = found.trials.find((trial) => trial.leg === "attack");
  if (found.verdict !== "held" || attack === undefined)
    return { check, ...notApplicable("The foreign object was not refused in the first place.") };
  const subject = subjectOf(attacker);
  if (subject !== undefined && attack.outgoing.target.includes(subject)) {
    // Preparing a request like "remove bob" makes bob a member first, and a member may be told that it exists.
    return { check, ...notApplicable(`The request names ${attacker.name}, who may see the object because of it.`) };
  }
  const first = [missing, attack];
  const limited = first.find(({ answer }) => isLimited(answer));
  if (limited !== undefined) return { check, ...inconclusive(limitedWhy(limited.answer), first) };
  if (signatureOf(attack.answer) === signatureOf(missing.answer))
    return { check, ...held("a foreign object looks like a missing one", first) };
  const attackAgain = again ?? (() => context.send(attack.leg, attack.outgoing));
  const missingAgain = () => context.send(missing.leg, missing.outgoing);
  // In both orders: a target that changes its answers by turns is no oracle.
  const repeated = [await missingAgain(), await attackAgain(), await attackAgain(), await missingAgain()];
  const trials = [...first, ...repeated.slice(0, 2)];
  const expected = [missing, attack, attack, missing].map(({ answer }) => signatureOf(answer));
  if (repeated.some(({ answer }, index) => signatureOf(answer) !== expected[index]))
    return { check, ...inconclusive("its refusals differ from one request to the next", trials) };
  const seen = await readBy(context, repeated[1] ?? attack, attacker);
  if (seen !== undefined && isSuccess(seen.answer)) {
    const why = `${attacker.name} may read the object, and so knows that it is there.`;
    return { check, ...notApplicable(why) };
  }
  return {
    check,
    ...broken(
      `${attacker.name} can tell foreign objects from missing ones: ${outcome(attack.answer)} and ${outcome(missing.answer)}`,
      trials,
    ),
  };
}

/** The attacker's read of what the path of an attack names last; undefined where nothing reads it. */
async function readBy(context: ProbeContext, { outgoing }: Trial, attacker: Identity): Promise<Trial | undefined> {
  const { operation } = outgoing;
  const kind = operation === undefined ? undefined : kindsAlong(context.objects.kinds, operation.path).at(-1);
  if (operation === undefined || kind?.read === undefined || kind.read === operation) return undefined;
  const params = paramsIn(operation.path, outgoing.target.split("?")[0] ?? "");
  if (params === undefined) return undefined;
  return await context.send("reread", requestFor(kind.read, { as: attacker, params }));
}
