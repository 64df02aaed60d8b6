import { isSuccess } from "./answer.ts";
import { sticks } from "./assigned-values.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type Identity, identityOf, readToken } from "./identities.ts";
import { type JsonRecord, listAt, walk } from "./json.ts";
import { isLimited } from "./oracle.ts";
import { obtained } from "./obtained.ts";
import { selfViews } from "./own-record.ts";
import { broken, held, inconclusive, limitedWhy, type NamedOutcome, notApplicable, notHonest } from "./probe.ts";
import { anywhere, newAccount, signInOf } from "./registration.ts";
import { requestFor } from "./requests.ts";
import { propertiesOf, simplified } from "./schema.ts";
import { credentialFields } from "./sign-in.ts";
import type { Operation } from "./target.ts";

/**
 * Fields that grant power, sent along with a sign-up. One counts as writable where two accounts made with it have it, and
 * one made without it has not: in their own record, in the token they are given, or in the answer to a sign-up that shows
 * the field unasked. The accounts are left behind like everybody's the scan registers; those that were given more power
 * than others are named one by one.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function signUpFields(context: ProbeContext, signUp: Operation): Promise<NamedOutcome> {
  const check = "sign-up-fields";
  const plain = await join(context, signUp, {});
  if (isLimited(plain.made.answer)) return { check, ...inconclusive(limitedWhy(plain.made.answer), [plain.made]) };
  if (!isSuccess(plain.made.answer)) return { check, ...notHonest(plain.made, "the same sign-up without them") };
  const powers = powersOf(context, signUp, plain);
  let wanted = powers;
  let first = await join(context, signUp, wanted);
  // One value may be refused for its type, or by a column that knows no such field.
  if (!isSuccess(first.made.answer) && !isLimited(first.made.answer) && powers["role"] !== undefined) {
    wanted = { role: powers["role"] };
    first = await join(context, signUp, wanted);
  }
  if (isLimited(first.made.answer)) return { check, ...inconclusive(limitedWhy(first.made.answer), first.trials) };
  const names = Object.keys(powers).join(", ");
  if (!isSuccess(first.made.answer)) {
    if (first.made.answer.status < 500) return { check, ...held(`a sign-up with ${names} is refused`, first.trials) };
    const why = `a sign-up with them is an internal error (${first.made.answer.status})`;
    return { check, ...inconclusive(why, first.trials) };
  }
  const stuck = Object.entries(wanted).filter(([name, value]) => has(first, plain, name, value));
  if (stuck.length === 0) {
    if (first.record === undefined && first.claims === undefined)
      return { check, ...notApplicable("Nothing shows what an account may do.") };
    return { check, ...held(`${names}: none is taken over at sign-up`, first.trials) };
  }
  nameLeftover(context, signUp, first, stuck);
  const second = await join(context, signUp, Object.fromEntries(stuck));
  const trials = [...plain.trials, ...first.trials, ...second.trials];
  const kept = stuck.filter(([name, value]) => has(second, plain, name, value));
  if (kept.length > 0) nameLeftover(context, signUp, second, kept);
  if (kept.length === 0) {
    const why = `"${stuck.map(([name]) => name).join('", "')}" stuck for one new account and not for another`;
    return { check, ...inconclusive(why, trials) };
  }
  const why = `whoever signs up says what he may do: ${fieldsSaid(kept)} stuck for two new accounts`;
  // Whoever lets an address count as verified has said nothing of a role.
  const isPower = kept.some(([name]) => !/verified/i.test(name));
  return { check: isPower ? check : "sign-up-verified", ...broken(why, trials) };
}

type Field = readonly [name: string, value: unknown];

function fieldsSaid(fields: readonly Field[]): string {
  return fields.map(([name, value]) => `"${name}": ${JSON.stringify(value)}`).join(", ");
}

/** An account with more power than others is no harmless leftover: somebody has to take it away again. */
function nameLeftover(context: ProbeContext, signUp: Operation, joined: Joined, fields: readonly Field[]): void {
  const who = joined.user === "" ? "an account" : `the account ${joined.user}`;
  context.objects.leave(`${who}, made by ${signUp.id}, has ${fieldsSaid(fields)}: take that away or delete it`);
}

/** What came of a sign-up. */
interface Joined {
  readonly made: Trial;
  /** The name it signs in with; "" where the sign-up takes none. */
  readonly user: string;
  /** Its own record, where something shows it. */
  readonly record: Trial | undefined;
  /** What its token says, where it is given one that can be read. */
  readonly claims: JsonRecord | undefined;
  readonly trials: readonly Trial[];
}

/** Signs somebody new up, then in, and looks at what he is. */
async function join(context: ProbeContext, signUp: Operation, more: JsonRecord): Promise<Joined> {
  const received = (secret: string, name: string) => context.redactor.add(secret, name);
  const using = { random: context.random, prefix: context.objects.prefix, url: context.fetcher.url, received };
  const leg = Object.keys(more).length === 0 ? "positive" : "attack";
  const { outgoing, password, user } = newAccount(signUp, "newcomer", using, more);
  const made = await context.send(leg, outgoing);
  const name = user(credentialFields(signUp)?.user ?? "");
  const nothing: Joined = { made, user: name, record: undefined, claims: undefined, trials: [made] };
  if (!isSuccess(made.answer)) return nothing;
  const signIn = signInOf(context.target, context.now());
  const fields = signIn === undefined ? undefined : credentialFields(signIn);
  const opened =
    signIn === undefined || fields === undefined
      ? made
      : await context.send("positive", context.sessions.attempt(signIn, user(fields.user), password));
  if (!isSuccess(opened.answer)) return nothing;
  const credentials = obtained(opened.answer, anywhere(signIn ?? signUp), context.target.schemes);
  const people = credentials.map((credential) => identityOf("newcomer", credential));
  for (const { secret } of people) received(secret, "newcomer");
  const claims = people.map(({ secret }) => readToken(secret)?.claims).find((one) => one !== undefined);
  const record = await recordOf(context, people);
  return { made, user: name, record, claims, trials: record === undefined ? [made] : [made, record] };
}

/** Most ways to send a credential that are tried. */
const mostWays = 4;

/** What shows somebody himself; the way other callers' credentials travel is tried first. */
async function recordOf(context: ProbeContext, people: readonly Identity[]): Promise<Trial | undefined> {
  const usual = (one: Identity) =>
    context.identities.some(({ header, scheme }) => header[0] === one.header[0] && scheme === one.scheme) ? 0 : 1;
  const likely = people.toSorted((left, right) => usual(left) - usual(right)).slice(0, mostWays);
  for (const view of selfViews(context).slice(0, 2)) {
    for (const as of likely) {
      const trial = await context.send("reread", requestFor(view, { as }));
      if (isSuccess(trial.answer)) return trial;
    }
  }
  return undefined;
}

/** True where an account has what was sent along, and one made without it has not. */
function has(joined: Joined, plain: Joined, name: string, value: unknown): boolean {
  if (sticks(joined.record, name, value)) return plain.record !== undefined && !sticks(plain.record, name, value);
  if (says(joined.claims, name, value)) return plain.claims !== undefined && !says(plain.claims, name, value);
  // An answer may merely repeat what was sent; one that names the field unasked shows what was stored.
  return sticks(joined.made, name, value) && names(plain.made.answer.json, name) && !sticks(plain.made, name, value);
}

function says(claims: JsonRecord | undefined, name: string, value: unknown): boolean {
  return claims !== undefined && JSON.stringify(claims[name]) === JSON.stringify(value);
}

function names(json: unknown, name: string): boolean {
  let found = false;
  walk(json, (_path, member) => {
    found ||= member === name;
  });
  return found;
}

/** The fields, each with a value that an ordinary account has not; those the description lets everybody choose are left out. */
function powersOf(context: ProbeContext, signUp: Operation, plain: Joined): JsonRecord {
  const declared = propertiesOf(signUp.body?.schema ?? {});
  const all: Record<string, unknown> = {
    role: strongestOf(context, signUp, plain),
    roles: ["admin"],
    isAdmin: true,
    is_admin: true,
    admin: true,
    permissions: ["admin"],
    scopes: ["admin"],
    verified: true,
    emailVerified: true,
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !declared.has(name)));
}

/** A role by the name the description has for it; `admin` where it has none. */
function strongestOf(context: ProbeContext, signUp: Operation, plain: Joined): string {
  const schemas = [...selfViews(context), signUp].flatMap(({ responses }) => [...responses.values()]);
  const choices = schemas
    .flatMap((schema) => listAt(simplified(propertiesOf(schema ?? {}).get("role") ?? {}), "enum"))
    .filter((choice) => typeof choice === "string");
  const unlike = choices.filter((choice) => !sticks(plain.record ?? plain.made, "role", choice));
  return unlike.find((choice) => /admin|owner|root|super/i.test(choice)) ?? unlike[0] ?? "admin";
}
