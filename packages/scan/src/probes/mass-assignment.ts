import { isSuccess } from "../answer.ts";
import { candidate, sticks } from "../assigned-values.ts";
import { honestBody } from "../bodies.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Identity } from "../identities.ts";
import { isRecord, type JsonRecord } from "../json.ts";
import type { Kind } from "../kinds.ts";
import { outcome, type Thing } from "../objects.ts";
import { isLimited } from "../oracle.ts";
import { isOwnRecord, ownRecord } from "../own-record.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  limitedWhy,
  type NamedOutcome,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { requestFor, withFields } from "../requests.ts";
import { propertiesOf } from "../schema.ts";
import { signUpFields } from "../sign-up-fields.ts";
import { fieldOutcomes, type TriedField } from "../stuck-fields.ts";
import { type Operation, tightLimit } from "../target.ts";

/**
 * Fields the client must not set, sent along with a valid create, update or sign-up. A field is called writable only where two
 * different values stick when read back, and all that are so are one finding of their operation.
 */
export const massAssignment: Probe = { id: "mass-assignment", plan: planMassAssignment };

/** Names that decide about power or money in most data models. */
const classic = ["role", "roles", "isAdmin", "admin", "ownerId", "userId", "tenantId", "verified", "plan", "createdAt"];

function planMassAssignment(context: ProbeContext): readonly Check[] {
  const owner = context.identities[0];
  if (owner === undefined) return [{ check: "fields", notApplicable: "No identity was given." }];
  const checks: Check[] = [];
  for (const kind of context.objects.kinds) {
    for (const operation of [kind.create, kind.update]) {
      if (operation?.body === undefined || (kind.read ?? kind.list) === undefined) continue;
      checks.push({ check: "server-set", operation, run: () => allFields(context, kind, operation) });
    }
  }
  for (const operation of context.target.operations) {
    if (!isOwnRecord(context, operation)) continue;
    // After all others: whoever makes himself an administrator for a moment must not be somebody's plain caller then.
    checks.push({ check: "own-record", operation, phase: "crowding", run: () => ownRecord(context, operation) });
  }
  for (const operation of context.sessions.signUps) {
    // An account without it, one or two with it, and one more to be sure.
    const tight = tightLimit(operation, 4, context.patienceMs);
    if (tight !== undefined) checks.push({ check: "sign-up-fields", operation, notApplicable: tight });
    else
      checks.push({
        check: "sign-up-fields",
        operation,
        phase: "crowding",
        run: async () => [await signUpFields(context, operation)],
      });
  }
  return checks.length > 0 ? checks : [{ check: "fields", notApplicable: "Nothing can be written and read back." }];
}

async function allFields(context: ProbeContext, kind: Kind, operation: Operation): Promise<readonly NamedOutcome[]> {
  // Whoever may change one may not always create one.
  const owner = context.worker(kind.create ?? operation);
  if (owner === undefined) return [{ check: "server-set", ...inconclusive("no identity may call it") }];
  const sample = await context.objects.shared(kind, owner);
  const seen = isRecord(sample.created.answer.json) ? sample.created.answer.json : {};
  const declared = propertiesOf(operation.body?.schema ?? {});
  const shown = propertiesOf(
    operation.responses.get(sample.created.answer.status) ?? kind.read?.responses.get(200) ?? {},
  );
  const names = new Set([...(kind.policy?.serverSet ?? []), ...Object.keys(seen), ...shown.keys(), ...classic]);
  const tried: TriedField[] = [];
  for (const name of names) {
    // Another id on an update would hide the object from its own re-read.
    if (declared.has(name) || (name === kind.parameter && operation !== kind.create)) continue;
    const outcome = await oneField(context, kind, operation, owner, name, seen[name], shown.get(name));
    tried.push({ name, outcome });
  }
  return tried.length > 0
    ? fieldOutcomes("server-set", tried)
    : [{ check: "server-set", ...held("every field it shows may be written") }];
}

/** Sends the field with a first and, if that one stuck, a second value. */
async function oneField(
  context: ProbeContext,
  kind: Kind,
  operation: Operation,
  owner: Identity,
  name: string,
  current: unknown,
  schema: JsonRecord | undefined,
): Promise<Outcome> {
  const trials: Trial[] = [];
  for (let round = 1; round <= 2; round += 1) {
    const value = candidate(context, name, current, schema, round);
    const attack =
      operation === kind.create
        ? await createWith(context, kind, owner, name, value)
        : await updateWith(context, operation, kind, owner, name, value);
    trials.push(attack.trial);
    if (isLimited(attack.trial.answer)) return inconclusive(limitedWhy(attack.trial.answer), trials);
    if (!isSuccess(attack.trial.answer)) {
      if (attack.trial.answer.status >= 500)
        return inconclusive(`setting ${name} ${outcome(attack.trial.answer)}`, trials);
      return held(`"${name}" is refused`, trials);
    }
    const reread = attack.thing === undefined ? undefined : (await context.objects.reread(attack.thing)).trial;
    if (reread !== undefined) trials.push(reread);
    // An object that was given away can no longer be read by its creator; its own answer still tells.
    if (!sticks(reread, name, value) && !sticks(attack.trial, name, value))
      return held(`"${name}" is not taken over`, trials);
  }
  return broken(`"${name}" is set by the client: two different values stuck`, trials);
}

async function createWith(context: ProbeContext, kind: Kind, owner: Identity, name: string, value: unknown) {
  const parent = kind.parent === undefined ? undefined : await context.objects.shared(kind.parent, owner);
  const mark = context.objects.canary();
  const honest = context.objects.creation(kind, owner, parent, mark);
  const trial = await context.send("attack", withFields(honest, { [name]: value }));
  const thing = context.objects.adopt(kind, owner, trial, parent?.params ?? {}, mark);
  return { trial, thing };
}

async function updateWith(
  context: ProbeContext,
  operation: Operation,
  kind: Kind,
  owner: Identity,
  name: string,
  value: unknown,
): Promise<{ trial: Trial; thing: Thing }> {
  const thing = await context.objects.fresh(kind, owner);
  const options = { random: context.random, canary: context.objects.canary(), person: () => undefined };
  const body = honestBody(operation, options);
  const outgoing = requestFor(operation, {
    as: owner,
    params: thing.params,
    body: { ...(isRecord(body) ? body : {}), [name]: value },
  });
  return { trial: await context.send("attack", outgoing), thing };
}
