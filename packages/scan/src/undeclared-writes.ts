import { isSuccess } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Kind } from "./kinds.ts";
import { outcome } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, type NamedOutcome, type Outcome, twice } from "./probe.ts";
import { requestFor } from "./requests.ts";
import type { Trial } from "./exchange.ts";

/**
 * PUT, PATCH and DELETE on the path of an object where nobody declared them, as the owner of an object made for it. What
 * the owner reads afterwards decides: a method that is served and stands in no document is one nobody reviews, guards or
 * retires.
 *
 * @param kind      one that can be created and read back
 * @param declared  the methods of its path
 * @param refused   what an answer means that changed nothing and is no success
 */
export async function undeclaredWrites(
  context: ProbeContext,
  kind: Kind,
  declared: readonly string[],
  refused: (trial: Trial, declared: readonly string[], what: string) => Outcome,
): Promise<readonly NamedOutcome[]> {
  const found: NamedOutcome[] = [];
  for (const method of ["PUT", "PATCH", "DELETE"].filter((name) => !declared.includes(name))) {
    const what = `${method} ${kind.item}`;
    const attack = () => undeclaredWrite(context, kind, method, (trial) => refused(trial, declared, what));
    found.push({ check: `undeclared-${method.toLowerCase()}`, ...(await twice(attack)) });
  }
  return found;
}

async function undeclaredWrite(
  context: ProbeContext,
  kind: Kind,
  method: string,
  refused: (trial: Trial) => Outcome,
): Promise<Outcome> {
  const { objects } = context;
  const owner = kind.create === undefined ? undefined : context.permitted(kind.create);
  if (kind.create === undefined || owner === undefined) return inconclusive(`nobody can create a ${kind.name}`);
  const thing = await objects.fresh(kind, owner);
  const before = await objects.reread(thing);
  if (!before.exists) return inconclusive("what was created could not be read", [before.trial]);
  const mark = objects.canary();
  const parent = kind.parent === undefined ? undefined : await objects.shared(kind.parent, owner);
  const { body } = objects.creation(kind, owner, parent, mark);
  const text = method !== "DELETE" && typeof body === "string" ? body : undefined;
  const { operation: _operation, ...outgoing } = requestFor(
    { ...kind.create, method, path: kind.item },
    { as: owner, params: thing.params, body: text, label: `${owner.name}, undeclared ${method}` },
  );
  const trial = await context.send("attack", outgoing);
  if (isLimited(trial.answer)) return inconclusive(limitedWhy(trial.answer), [before.trial, trial]);
  const after = await objects.reread(thing);
  if (isLimited(after.trial.answer)) return inconclusive(limitedWhy(after.trial.answer), [before.trial, trial]);
  const trials = [before.trial, trial, after.trial];
  const changed = method === "DELETE" ? !after.exists : after.trial.answer.text.includes(mark);
  if (changed) {
    const effect = method === "DELETE" ? "deletes it" : "changes it, as its owner reads";
    return broken(`${method} ${kind.item} is declared nowhere and ${effect}`, trials);
  }
  if (isSuccess(trial.answer))
    return held(`${method} ${kind.item} is declared nowhere, ${outcome(trial.answer)} and changes nothing`, trials);
  return refused(trial);
}
