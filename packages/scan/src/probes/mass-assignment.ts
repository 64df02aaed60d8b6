import { isSuccess } from "../answer.ts";
import { honestBody } from "../bodies.ts";
import type { ProbeContext } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Identity } from "../identities.ts";
import { isRecord, type JsonRecord, walk } from "../json.ts";
import type { Kind } from "../kinds.ts";
import { outcome, type Thing } from "../objects.ts";
import { isLimited } from "../oracle.ts";
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
import { ScanError, Unreachable } from "../scan-error.ts";
import { propertiesOf, typeOf } from "../schema.ts";
import type { Operation } from "../target.ts";
import { validValue } from "../values.ts";

/**
 * Fields the client must not set, sent along with a valid create or update. A field is called writable only where two
 * different values stick when read back.
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
    const view = context.target.operations.find((entry) => entry.method === "GET" && entry.path === operation.path);
    if (!/^(?:PATCH|PUT)$/.test(operation.method) || operation.path.includes("{") || view === undefined) continue;
    checks.push({ check: "own-record", operation, run: () => ownRecord(context, operation, view) });
  }
  return checks.length > 0 ? checks : [{ check: "fields", notApplicable: "Nothing can be written and read back." }];
}

async function allFields(context: ProbeContext, kind: Kind, operation: Operation): Promise<readonly NamedOutcome[]> {
  const owner = context.worker(operation);
  if (owner === undefined) return [{ check: "server-set", ...inconclusive("no identity may call it") }];
  const sample = await context.objects.shared(kind, owner);
  const seen = isRecord(sample.created.answer.json) ? sample.created.answer.json : {};
  const declared = propertiesOf(operation.body?.schema ?? {});
  const shown = propertiesOf(
    operation.responses.get(sample.created.answer.status) ?? kind.read?.responses.get(200) ?? {},
  );
  const names = new Set([...(kind.policy?.serverSet ?? []), ...Object.keys(seen), ...shown.keys(), ...classic]);
  const found: NamedOutcome[] = [];
  for (const name of names) {
    // Another id on an update would hide the object from its own re-read.
    if (declared.has(name) || (name === kind.parameter && operation !== kind.create)) continue;
    const result = await oneField(context, kind, operation, owner, name, seen[name], shown.get(name));
    found.push({ check: `field-${name}`, ...result });
  }
  return found.length > 0 ? found : [{ check: "server-set", ...held("every field it shows may be written") }];
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

/** A value of the field's own type that nobody would have chosen. */
function candidate(
  context: ProbeContext,
  name: string,
  current: unknown,
  schema: JsonRecord | undefined,
  round: number,
): unknown {
  if (typeof current === "boolean") return round === 1 ? !current : current;
  if (typeof current === "number") return current + 7919 * round;
  const type = schema === undefined ? undefined : typeOf(schema);
  if (schema !== undefined && type === "string") {
    try {
      return validValue(schema, { random: context.random }, name);
    } catch (error) {
      if (error instanceof ScanError || !(error instanceof Unreachable)) throw error;
    }
  }
  if (typeof current === "string" && /^[0-9a-f]{8}-[0-9a-f]{4}-/i.test(current)) return context.random.uuid();
  if (name.endsWith("At")) return new Date(Date.UTC(2001, round, 1)).toISOString();
  if (/^(?:is[A-Z]|admin$|verified$)/.test(name)) return round === 1;
  if (name === "roles") return [`pc-role-${round}`];
  return `pc-${name}-${round}${context.random.text(4)}`;
}

function sticks(trial: Trial | undefined, name: string, value: unknown): boolean {
  if (trial === undefined || !isSuccess(trial.answer)) return false;
  let found = false;
  walk(trial.answer.json, (_path, member, seen) => {
    if (member !== name) return;
    if (JSON.stringify(seen) === JSON.stringify(value)) found = true;
    // A database without booleans answers 1 and 0.
    if (typeof value === "boolean" && seen === Number(value)) found = true;
  });
  return found;
}

/** The caller's own record: only fields that grant power, and what stuck is put back. */
async function ownRecord(
  context: ProbeContext,
  operation: Operation,
  view: Operation,
): Promise<readonly NamedOutcome[]> {
  const owner = context.permitted(operation);
  if (owner === undefined) return [{ check: "own-record", ...inconclusive("no identity may call it") }];
  const before = await context.send("reread", requestFor(view, { as: owner }));
  if (!isRecord(before.answer.json))
    return [{ check: "own-record", ...inconclusive(`reading it ${outcome(before.answer)}`, [before]) }];
  const record = before.answer.json;
  const declared = propertiesOf(operation.body?.schema ?? {});
  const base = Object.fromEntries(
    [...declared.keys()].filter((name) => record[name] !== undefined).map((name) => [name, record[name]]),
  );
  const found: NamedOutcome[] = [];
  for (const name of ["role", "roles", "isAdmin", "admin", "verified"]) {
    if (declared.has(name)) continue;
    const trials: Trial[] = [];
    let stuck = 0;
    for (let round = 1; round <= 2; round += 1) {
      const value = candidate(context, name, record[name], undefined, round);
      const attack = await context.send(
        "attack",
        requestFor(operation, { as: owner, body: { ...base, [name]: value } }),
      );
      trials.push(attack);
      if (!isSuccess(attack.answer)) break;
      const after = await context.send("reread", requestFor(view, { as: owner }));
      trials.push(after);
      if (sticks(after, name, value) || sticks(attack, name, value)) stuck += 1;
    }
    if (stuck > 0 && record[name] !== undefined) {
      await context.send("positive", requestFor(operation, { as: owner, body: { ...base, [name]: record[name] } }));
    }
    const verdict =
      stuck === 2
        ? broken(`"${name}" of the caller's own record is set by the client: two different values stuck`, trials)
        : stuck === 1
          ? inconclusive(`"${name}" stuck once and not again`, trials)
          : held(`"${name}" is not taken over`, trials);
    found.push({ check: `own-${name}`, ...verdict });
  }
  return found;
}
