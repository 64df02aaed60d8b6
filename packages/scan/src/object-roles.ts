import { isSuccess } from "./answer.ts";
import { honestBody, namesPerson } from "./bodies.ts";
import type { ProbeContext } from "./context.ts";
import type { Identity } from "./identities.ts";
import { isRecord, listAt } from "./json.ts";
import type { Kind } from "./kinds.ts";
import { outcome, type Thing } from "./objects.ts";
import { isLimited } from "./oracle.ts";
import { broken, held, inconclusive, limitedWhy, notApplicable, type Outcome } from "./probe.ts";
import { requestFor } from "./requests.ts";
import { propertiesOf, simplified } from "./schema.ts";
import { stageWrite } from "./stage.ts";
import { type Operation, pathParameters } from "./target.ts";

/** How somebody is given a role in an object: a PUT that names the person, with the role in its body. */
export interface Granting {
  readonly operation: Operation;
  /** The path parameter that names the person. */
  readonly person: string;
  /** The member of the body that names the role. */
  readonly member: string;
  readonly roles: readonly string[];
}

/** Finds how roles in objects of a kind are given; undefined where no operation does it. */
export function grantingOf(context: ProbeContext, kind: Kind): Granting | undefined {
  for (const operation of context.target.operations) {
    const person = pathParameters(operation.path).at(-1);
    if (operation.method !== "PUT" || !operation.path.startsWith(`${kind.item}/`) || person === undefined) continue;
    if (!namesPerson(person)) continue;
    for (const [member, schema] of propertiesOf(operation.body?.schema ?? {})) {
      const roles = listAt(simplified(schema), "enum").filter((role) => typeof role === "string");
      if (/role/i.test(member) && roles.length > 0) return { operation, person, member, roles };
    }
  }
  return undefined;
}

/** True for roles that look and do not touch, by their names; of all others nothing is known. */
export function isReadingRole(role: string): boolean {
  return /^(?:viewer|reader|read(?:[-_ ]?only)?|guest|observer|auditor|watcher|spectator)$/i.test(role);
}

/**
 * Gives somebody a role in a new object that lets him see it but not do this, lets him do it, and looks at what the owner
 * reads afterwards.
 *
 * @param role  a role the operation's policy does not name, or without a policy one that reads by its name
 */
export async function beyondRole(
  context: ProbeContext,
  operation: Operation,
  granting: Granting,
  role: string,
  { owner, attacker }: { readonly owner: Identity; readonly attacker: Identity },
): Promise<Outcome> {
  const stage = await stageWrite(context, operation, owner, attacker);
  const { thing } = stage;
  const subject = context.subject(attacker);
  if (thing === undefined || thing.kind.read === undefined || subject === undefined) {
    return notApplicable("Nobody can be given a role in what it changes.");
  }
  const given = await give(context, granting, thing, subject, role);
  const seen = await context.send("positive", requestFor(thing.kind.read, { as: attacker, params: thing.params }));
  if (!isSuccess(given.answer) || !isSuccess(seen.answer)) {
    return notApplicable(`${attacker.name} could not be made ${role} (${outcome(given.answer)}).`);
  }
  const attack = await context.send("attack", stage.request(attacker, `${attacker.name} as ${role}`));
  if (isLimited(attack.answer)) return inconclusive(limitedWhy(attack.answer), [attack]);
  const after = await stage.changed(attack);
  if (after === undefined) return inconclusive("its effect cannot be read back", [attack]);
  const trials = [seen, attack, after.trial];
  const why = context.target.source === "manifest" ? "the policy does not name it" : "by its name it only reads";
  if (after.changed) return broken(`the role "${role}" may do it although ${why}`, trials);
  const proof = await stage.prove?.();
  if (proof === undefined || !isSuccess(proof.answer))
    return inconclusive(`nothing changed, but ${owner.name} could not do it either`, trials);
  return held(`the role "${role}" may see it and not do this`, [...trials, proof]);
}

async function give(context: ProbeContext, granting: Granting, thing: Thing, subject: string, role: string) {
  const { operation, person, member } = granting;
  const body = honestBody(operation, {
    random: context.random,
    canary: context.objects.canary(),
    person: () => subject,
  });
  const params = { ...thing.params, [person]: subject };
  const named = { ...(isRecord(body) ? body : {}), [member]: role };
  return await context.send("positive", requestFor(operation, { as: thing.owner, params, body: named }));
}
