import { isSuccess } from "../answer.ts";
import { isPrivileged, type ProbeContext, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import { canAct, type Identity } from "../identities.ts";
import { isRecord, numberAt, textAt } from "../json.ts";
import type { Kind } from "../kinds.ts";
import { outcome } from "../objects.ts";
import { isLimited } from "../oracle.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { bodyOf, withHeaders } from "../requests.ts";
import { Unreachable } from "../scan-error.ts";
import { isGone, type Operation, tightLimit } from "../target.ts";

/**
 * One key, used again: by its caller for the same payload, at the same time, for another payload, and by somebody else.
 * Only where a creation says that it takes a key.
 *
 * @see IETF draft The Idempotency-Key HTTP Header Field, section 2.6 and 2.7
 */
export const idempotency: Probe = { id: "idempotency", plan: planIdempotency };

function planIdempotency(context: ProbeContext): readonly Check[] {
  const now = context.now();
  const checks = context.target.operations.flatMap((operation): readonly Check[] => {
    const header = keyHeader(operation);
    if (header === undefined || operation.method !== "POST" || isGone(operation, now)) return [];
    const kind = context.objects.kinds.find(({ create, parent }) => create === operation && parent === undefined);
    const tight = tightLimit(operation, 10, context.patienceMs);
    if (kind === undefined)
      return [{ check: "key", operation, notApplicable: "It creates nothing the scan could tell apart and delete." }];
    if (tight !== undefined) return [{ check: "key", operation, notApplicable: tight }];
    return [{ check: "key", operation, run: () => keyAgain(context, operation, kind, header) }];
  });
  return checks.length > 0 ? checks : [{ check: "key", notApplicable: "Nothing takes an Idempotency-Key." }];
}

function keyHeader({ parameters }: Operation): string | undefined {
  return parameters.find(({ in: place, name }) => place === "header" && /^(?:x-)?idempotency-key$/i.test(name))?.name;
}

async function keyAgain(
  context: ProbeContext,
  operation: Operation,
  kind: Kind,
  header: string,
): Promise<readonly NamedOutcome[]> {
  const { objects } = context;
  const owner = await creatorOf(context, operation, kind);
  if (owner === undefined) return [{ check: "key", ...notApplicable("Nobody was given who may create it.") }];
  const bodies = () => bodyOf(objects.creation(kind, owner, undefined, objects.canary()));
  const known = new Set<string>();
  const send: Send = async (leg, key, as, body) => {
    const honest = { ...objects.creation(kind, as, undefined, objects.canary()), body: JSON.stringify(body) };
    const trial = await context.send(leg, withHeaders(honest, [[header, key]], honest.label));
    const id = idOf(trial);
    if (id !== undefined && !known.has(id)) objects.adopt(kind, as, trial, {}, "");
    if (id !== undefined) known.add(id);
    return trial;
  };
  const [body, other] = [bodies(), bodies()];
  const key = `pc-${context.random.uuid()}`;
  const first = await send("positive", key, owner, body);
  const made = idOf(first);
  if (isLimited(first.answer)) return [{ check: "key", ...inconclusive(limitedWhy(first.answer), [first]) }];
  if (made === undefined)
    return [{ check: "key", ...inconclusive(`the creation with a key ${outcome(first.answer)}`, [first]) }];
  const again = await send("negative", key, owner, body);
  if (isSuccess(again.answer) && idOf(again) !== made)
    return [{ check: "key-again", ...broken("the same request with the same key creates twice", [first, again]) }];
  const changed = await send("attack", key, owner, other);
  return [
    { check: "key-again", ...held("the same request with the same key creates once", [first, again]) },
    {
      check: "key-payload",
      ...(isSuccess(changed.answer)
        ? broken("another payload under a used key is answered as a success", [first, changed])
        : held("another payload under a used key is refused", [first, changed])),
    },
    {
      check: "key-others",
      ...(await byOthers(context, operation, owner, first, (as) => send("attack", key, as, body))),
    },
    { check: "key-race", ...(await atOnce(context, owner, send, bodies())) },
  ];
}

/** The first who can create one: what a key may do is often not said. */
async function creatorOf(context: ProbeContext, operation: Operation, kind: Kind): Promise<Identity | undefined> {
  const likely = context.permitted(operation);
  const able = context.identities.filter(
    (identity) =>
      canAct(identity) && takes(operation, identity, context.target) && !isPrivileged(identity, context.target),
  );
  for (const identity of new Set(likely === undefined ? able : [likely, ...able])) {
    const thing = await context.objects.shared(kind, identity).catch((error: unknown) => {
      if (error instanceof Unreachable) return undefined;
      throw error;
    });
    if (thing !== undefined) return identity;
  }
  return undefined;
}

type Send = (leg: Trial["leg"], key: string, as: Identity, body: unknown) => Promise<Trial>;

/** Somebody else with the same key and the same payload must not be answered with what the first one made. */
async function byOthers(
  context: ProbeContext,
  operation: Operation,
  owner: Identity,
  first: Trial,
  send: (as: Identity) => Promise<Trial>,
): Promise<Outcome> {
  const account = context.subject(owner);
  const other = context.identities.find(
    (identity) =>
      identity.name !== owner.name &&
      canAct(identity) &&
      takes(operation, identity, context.target) &&
      !isPrivileged(identity, context.target) &&
      (account === undefined || context.subject(identity) !== account),
  );
  if (other === undefined) return notApplicable("It takes a second caller.");
  const trial = await send(other);
  return isSuccess(trial.answer) && idOf(trial) === idOf(first)
    ? broken(`${other.name} is answered with what ${owner.name} made under the same key`, [first, trial])
    : held("a key is worth nothing to somebody else", [first, trial]);
}

/** Two at the same time, twice: a key that is written down only after the work lets both through. */
async function atOnce(context: ProbeContext, owner: Identity, send: Send, body: unknown): Promise<Outcome> {
  let trials: readonly Trial[] = [];
  for (let round = 0; round < 2; round += 1) {
    const key = `pc-${context.random.uuid()}`;
    trials = await Promise.all([send("attack", key, owner, body), send("attack", key, owner, body)]);
    const ids = trials.filter(({ answer }) => isSuccess(answer)).map((trial) => idOf(trial));
    if (new Set(ids).size < 2) return held("two requests with one key at the same time create once", trials);
  }
  return broken("two requests with one key at the same time create twice", trials);
}

function idOf({ answer }: Trial): string | undefined {
  if (!isSuccess(answer)) return undefined;
  const levels = isRecord(answer.json) ? [answer.json, ...Object.values(answer.json)] : [];
  for (const level of levels) {
    const id = textAt(level, "id") ?? textAt(level, "_id") ?? numberAt(level, "id")?.toString();
    if (id !== undefined) return id;
  }
  return undefined;
}
