import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import type { Kind } from "./kinds.ts";
import type { Thing } from "./objects.ts";
import { fieldsOf, requestFor } from "./requests.ts";
import { propertiesOf } from "./schema.ts";
import { isGone, type Operation, tightLimit } from "./target.ts";

/** A write with a body that an honest caller could send again and again. */
export interface HonestWrite {
  readonly outgoing: Outgoing;
  /**
   * To be told of every answer, so that what it created is deleted at the end.
   *
   * @returns the object it created or changed, where it is known
   */
  sent(trial: Trial): Thing | undefined;
}

/**
 * An honest request of an operation that takes a body: a creation, a change of an object made for it, or a sign-in with
 * a known account. What else there is would change things the scan did not create.
 *
 * @param requests  how many requests the caller is going to send; less room in the operation's own limits gives a reason
 * @returns the write, or the reason why there is none
 */
export async function honestWrite(
  context: ProbeContext,
  operation: Operation,
  requests: number,
): Promise<HonestWrite | string> {
  const tight = tightLimit(operation, requests, context.patienceMs);
  if (tight !== undefined) return tight;
  const { objects, sessions } = context;
  const account = sessions.accounts[0];
  if (sessions.signIns.includes(operation)) {
    if (account === undefined) return "A valid body needs an account (--account email:password).";
    return { outgoing: sessions.attempt(operation, account.user, account.password), sent: () => undefined };
  }
  const owner = context.worker(operation);
  if (owner === undefined) return "No identity was given that may call it.";
  const creates = objects.kinds.find((kind) => kind.create === operation);
  if (creates !== undefined) {
    const parent = creates.parent === undefined ? undefined : await objects.shared(creates.parent, owner);
    const mark = objects.canary();
    const sent = (trial: Trial) => objects.adopt(creates, owner, trial, parent?.params ?? {}, mark);
    return { outgoing: objects.creation(creates, owner, parent, mark), sent };
  }
  const item = objects.kinds.find((kind) => kind.update === operation);
  if (item === undefined) return "An honest request would change what the scan did not create.";
  const thing = await objects.fresh(item, owner);
  const created = fieldsOf(thing.created.outgoing) ?? {};
  const declared = propertiesOf(operation.body?.schema ?? {});
  const body = Object.fromEntries(Object.entries(created).filter(([name]) => declared.has(name)));
  return { outgoing: requestFor(operation, { as: owner, params: thing.params, body }), sent: () => thing };
}

/** A creation that leaves little behind: a kind without a parent, the first identity's. */
export function plainCreation(context: ProbeContext): (Kind & { readonly create: Operation }) | undefined {
  const now = context.now();
  for (const kind of context.objects.kinds) {
    const { create } = kind;
    if (
      kind.parent === undefined &&
      create?.body !== undefined &&
      tightLimit(create, 40, context.patienceMs) === undefined &&
      !isGone(create, now)
    )
      return { ...kind, create };
  }
  return undefined;
}
