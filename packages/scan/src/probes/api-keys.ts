import { isSuccess } from "../answer.ts";
import type { ProbeContext, Witness } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Outgoing } from "../fetcher.ts";
import { type Header, readToken } from "../identities.ts";
import { type JsonRecord, listAt, recordAt, textsAt, walk } from "../json.ts";
import { keyScopes } from "../key-scopes.ts";
import type { Kind } from "../kinds.ts";
import type { Thing } from "../objects.ts";
import { judge } from "../oracle.ts";
import {
  type Check,
  inconclusive,
  held,
  broken,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
  threeLegs,
} from "../probe.ts";
import { bodyOf, requestFor, withCredential, withQuery } from "../requests.ts";
import { Unreachable } from "../scan-error.ts";
import { propertiesOf, simplified, typeOf } from "../schema.ts";
import { twoCredentials } from "../two-credentials.ts";

/**
 * A key with its secret, its id or its checksum changed, in the wrong header, in the URL, beside another credential,
 * with a scope that is not enough, after it was revoked, and shown again after it was created.
 */
export const apiKeys: Probe = { id: "api-keys", plan: planApiKeys };

function planApiKeys(context: ProbeContext): readonly Check[] {
  const promised = context.target.policy.credentials.some((entry) => entry.kind === "api-keys");
  if (!promised && givenKey(context) === undefined && keyKind(context) === undefined) {
    return [{ check: "keys", notApplicable: "The API is not known to take keys." }];
  }
  return [{ check: "keys", run: () => attackKeys(context) }];
}

/** A key that grants a read, and where it travels. */
interface Key {
  readonly secret: string;
  readonly header: (secret: string) => Header;
  readonly thing: Thing | undefined;
  readonly positive: Trial;
  readonly witness: Witness;
}

function givenKey(context: ProbeContext) {
  return context.identities.find(
    (identity) =>
      identity.kind !== "cookie" && readToken(identity.secret) === undefined && identity.secret.length >= 16,
  );
}

function keyKind(context: ProbeContext): Kind | undefined {
  return context.objects.kinds.find(
    (kind) => /(?:^|[-_/])(?:api-?)?(?:key|token)s?$/i.test(kind.name) || /\/(?:api-?)?keys$/i.test(kind.collection),
  );
}

async function attackKeys(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const key = await obtainKey(context);
  if (typeof key === "string") {
    const promised = context.target.policy.credentials.some((entry) => entry.kind === "api-keys");
    return [{ check: "keys", ...(promised ? inconclusive(key) : notApplicable(key)) }];
  }
  const { identity } = key.witness;
  return [
    ...(await tampered(context, key)),
    ...(await misplaced(context, key)),
    { check: "two-credentials", ...(await twoCredentials(context, key.header(key.secret), identity)) },
    { check: "scopes", ...(await narrowed(context, key)) },
    ...(await lifetime(context, key)),
  ];
}

/** A key of the same owner with one scope, beside the one with all. */
async function narrowed(context: ProbeContext, key: Key): Promise<Outcome> {
  const { thing, witness } = key;
  if (thing?.kind.create === undefined)
    return notApplicable("The key was given, so no other can be created beside it.");
  const scopes = Object.values(everyScope(context, thing.kind.create.body?.schema ?? {})).flatMap((value) =>
    Array.isArray(value) ? value.filter((scope) => typeof scope === "string") : [],
  );
  const create = async (scope: string) => {
    const made = await makeKey(context, witness, [scope]);
    context.redactor.add(made.secret, "key of one scope");
    return key.header(made.secret);
  };
  return await keyScopes(context, { full: key.header(key.secret), owner: witness.identity, scopes, create });
}

/** A key made for the probe, else one given with --as; or why there is none. */
async function obtainKey(context: ProbeContext): Promise<Key | string> {
  const witness = await context.witness();
  const policy = context.target.policy.credentials.find((entry) => entry.kind === "api-keys");
  const name = policy?.header?.toLowerCase();
  const places: ((secret: string) => Header)[] = [];
  if (name !== undefined) places.push((secret) => [name, secret]);
  else {
    places.push((secret) => ["authorization", `Bearer ${secret}`]);
    if (policy === undefined) places.push((secret) => ["x-api-key", secret]);
  }
  const made = await makeKey(context, witness).catch((error: unknown) => {
    if (error instanceof Unreachable) return error.message;
    throw error;
  });
  const given = givenKey(context);
  const secret = typeof made === "string" ? given?.secret : made.secret;
  if (secret === undefined) return typeof made === "string" ? made : "no key";
  context.redactor.add(secret, "key");
  const known = {
    positive: witness.positive.answer,
    negatives: witness.negatives.map((trial) => trial.answer),
    canary: witness.canary,
  };
  for (const header of places) {
    const positive = await context.send("positive", withCredential(witness.positive.outgoing, header(secret), "a key"));
    if (judge(positive.answer, known) === "granted") {
      return { secret, header, thing: typeof made === "string" ? undefined : made.thing, positive, witness };
    }
  }
  return `a key was ${typeof made === "string" ? "given" : "created"}, but ${witness.operation.id} does not take it`;
}

async function makeKey(
  context: ProbeContext,
  witness: Witness,
  only?: readonly string[],
): Promise<{ secret: string; thing: Thing }> {
  const kind = keyKind(context);
  if (kind?.create === undefined) throw new Unreachable("no key was given and nothing creates one");
  const mark = context.objects.canary();
  const honest = context.objects.creation(kind, witness.identity, undefined, mark);
  const schema = kind.create.body?.schema ?? {};
  const body = { ...bodyOf(honest), ...everyScope(context, schema, only) };
  let trial = await context.send("positive", { ...honest, body: JSON.stringify(body) });
  if (!isSuccess(trial.answer) && trial.answer.status < 500) {
    // What may be left out may have to be something the description does not say.
    const needed = new Set([...textsAt(schema, "required"), ...Object.keys(everyScope(context, schema, only))]);
    const least = Object.fromEntries(Object.entries(body).filter(([name]) => needed.has(name)));
    trial = await context.send("positive", { ...honest, body: JSON.stringify(least) });
  }
  const thing = context.objects.adopt(kind, witness.identity, trial, {}, mark);
  if (!isSuccess(trial.answer) || thing === undefined)
    throw new Unreachable(`creating a key answered ${trial.answer.status}`);
  const prefix = context.target.policy.credentials.find((entry) => entry.kind === "api-keys")?.prefix;
  let secret: string | undefined;
  walk(trial.answer.json, (_path, member, value) => {
    if (typeof value !== "string" || value.length < 20 || /\s/.test(value)) return;
    const fits = prefix === undefined ? /key|secret|token/i.test(member) : value.startsWith(`${prefix}_`);
    if (fits && (secret === undefined || value.length > secret.length)) secret = value;
  });
  if (secret === undefined) throw new Unreachable("the answer to creating a key shows no key");
  return { secret, thing };
}

/** The scopes asked for, else every scope the schema lists, or every scope the operations demand, so that the key may do what its owner may. */
function everyScope(context: ProbeContext, schema: JsonRecord, only?: readonly string[]): JsonRecord {
  const out: Record<string, unknown> = {};
  const demanded = context.target.operations.flatMap(({ access }) => (access.kind === "caller" ? access.scopes : []));
  for (const [name, member] of propertiesOf(schema)) {
    if (typeOf(simplified(member)) !== "array" || !/scope|permission/i.test(name)) continue;
    const listed = listAt(simplified(recordAt(simplified(member), "items") ?? {}), "enum");
    out[name] = only ?? (listed.length > 0 ? listed : [...new Set(demanded)]);
  }
  return out;
}

async function tampered(context: ProbeContext, key: Key): Promise<readonly NamedOutcome[]> {
  const { secret } = key;
  const cut = secret.lastIndexOf("_") + 1;
  const parts = secret.split("_");
  const changes: readonly (readonly [string, string, string])[] = [
    ["checksum-changed", swapAt(secret, secret.length - 1), "with its last character changed"],
    ["secret-changed", swapAt(secret, cut + Math.floor((secret.length - cut) / 2)), "with its secret changed"],
    ["secret-cut", secret.slice(0, -4), "cut short"],
    ["secret-longer", `${secret}A`, "with a character more"],
    [
      "id-changed",
      [...parts.slice(0, -2), swapAt(parts.at(-2) ?? "", 0), parts.at(-1) ?? ""].join("_"),
      "with its id changed",
    ],
    ["other-case", swapCase(secret), "in other letters (case)"],
    ["prefix-only", secret.slice(0, cut), "without its secret"],
  ];
  const found: NamedOutcome[] = [];
  for (const [check, changed, what] of changes) {
    if (changed === secret) continue;
    context.redactor.add(changed, "changed key");
    found.push({ check, ...(await attempt(context, key, key.header(changed), `a key ${what}`, `a key ${what} is`)) });
  }
  return found;
}

function swapAt(text: string, at: number): string {
  const unit = text.charAt(at);
  const other = unit === "a" ? "b" : "a";
  return text.slice(0, at) + other + text.slice(at + 1);
}

function swapCase(text: string): string {
  const cut = text.lastIndexOf("_") + 1;
  const flipped = Array.from(text.slice(cut), (unit) =>
    unit === unit.toLowerCase() ? unit.toUpperCase() : unit.toLowerCase(),
  );
  return text.slice(0, cut) + flipped.join("");
}

/** The witness' request without the key's own header. */
function withoutKey(key: Key, label: string): Outgoing {
  const own = key.header(key.secret)[0];
  return { ...key.positive.outgoing, headers: key.positive.outgoing.headers.filter(([name]) => name !== own), label };
}

function attempt(context: ProbeContext, key: Key, header: Header, label: string, what: string) {
  const bare = withoutKey(key, label);
  const clean = { ...bare, headers: [header, ...bare.headers] };
  return threeLegs({
    positive: key.positive,
    negatives: key.witness.negatives,
    canary: key.witness.canary,
    attack: () => context.send("attack", clean),
    broken: `${what} accepted`,
    held: `${what} refused`,
  });
}

/** The right key where it does not belong. */
async function misplaced(context: ProbeContext, key: Key): Promise<readonly NamedOutcome[]> {
  const { secret } = key;
  const own = key.header(secret);
  const headers: readonly Header[] = [
    ["authorization", `Bearer ${secret}`],
    ["authorization", secret],
    ["authorization", `ApiKey ${secret}`],
    ["x-api-key", secret],
    ["api-key", secret],
    ["x-auth-token", secret],
  ];
  const found: NamedOutcome[] = [];
  for (const header of headers) {
    if (header[0] === own[0] && header[1] === own[1]) continue;
    const place = header[1] === secret ? header[0] : `${header[0]} ${header[1].split(" ")[0]}`;
    const check = `in-${place.toLowerCase().replace(/[^a-z]+/g, "-")}`;
    found.push({ check, ...(await attempt(context, key, header, `a key in ${place}`, `a key in ${place} is`)) });
  }
  const naked = withoutKey(key, "a key in the URL");
  for (const name of ["api_key", "apikey", "key", "access_token", "token"]) {
    const result = await threeLegs({
      positive: key.positive,
      negatives: key.witness.negatives,
      canary: key.witness.canary,
      attack: () => context.send("attack", withQuery(naked, name, secret)),
      broken: `a key in the URL (?${name}=) is accepted`,
      held: `a key in the URL (?${name}=) is refused`,
    });
    found.push({ check: `in-url-${name}`, ...result });
  }
  return found;
}

/** Shown once, and dead as soon as it is revoked. */
async function lifetime(context: ProbeContext, key: Key): Promise<readonly NamedOutcome[]> {
  const { thing, secret } = key;
  if (thing === undefined) return [{ check: "revoked", ...notApplicable("The key was given, so it is not revoked.") }];
  const found: NamedOutcome[] = [];
  const view = thing.kind.list ?? thing.kind.read;
  if (view !== undefined) {
    const trial = await context.send("attack", requestFor(view, { as: thing.owner, params: thing.params }));
    if (!isSuccess(trial.answer)) {
      return [{ check: "shown-once", ...inconclusive(`listing keys answered ${trial.answer.status}`, [trial]) }];
    }
    const shown = trial.answer.text.includes(secret);
    found.push({
      check: "shown-once",
      ...(shown ? broken("the list of keys shows the whole key again", [trial]) : held("a key is shown once", [trial])),
    });
  }
  const { remove } = thing.kind;
  if (remove === undefined) return [...found, { check: "revoked", ...notApplicable("Nothing revokes a key.") }];
  const gone = await context.send("positive", requestFor(remove, { as: thing.owner, params: thing.params }));
  if (!isSuccess(gone.answer))
    return [...found, { check: "revoked", ...inconclusive(`revoking the key answered ${gone.answer.status}`, [gone]) }];
  const use = () => attempt(context, key, key.header(secret), "a revoked key", "a revoked key is");
  let after = await use();
  const promised = context.target.policy.credentials.find((entry) => entry.kind === "api-keys")?.revocationSeconds ?? 0;
  if (after.verdict === "broken" && promised > 0 && promised <= 10) {
    // A stated delay is no hole; being accepted after it is.
    await new Promise((resolve) => setTimeout(resolve, promised * 1000 + 100));
    after = await use();
  }
  return [...found, { check: "revoked", ...after }];
}
