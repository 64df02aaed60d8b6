import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type Identity, subjectOf } from "./identities.ts";
import { outcome } from "./objects.ts";
import { isLimited, signatureOf } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";

/**
 * A foreign object must look missing: another answer tells a stranger that it exists. Both requests are sent twice
 * more, in both orders, before anything is called broken.
 *
 * @param found    what became of the attack on the foreign object
 * @param missing  the same request by the same attacker, for an object that is not there
 */
export async function looksMissing(
  context: ProbeContext,
  found: Outcome,
  missing: Trial,
  attacker: Identity,
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
  const again: [Trial, Trial][] = [];
  // In both orders: a target that changes its answers by turns is no oracle.
  for (const trial of [missing, attack, attack, missing])
    again.push([trial, await context.send(trial.leg, trial.outgoing)]);
  const trials = [...first, ...again.slice(0, 2).map(([, repeated]) => repeated)];
  if (again.some(([trial, repeated]) => signatureOf(repeated.answer) !== signatureOf(trial.answer)))
    return { check, ...inconclusive("its refusals differ from one request to the next", trials) };
  return {
    check,
    ...broken(
      `${attacker.name} can tell foreign objects from missing ones: ${outcome(attack.answer)} and ${outcome(missing.answer)}`,
      trials,
    ),
  };
}
