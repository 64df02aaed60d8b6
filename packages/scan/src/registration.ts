import { isSuccess } from "./answer.ts";
import type { Login, Recipe } from "./auth-file.ts";
import { sameOrigin } from "./browser.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { identityOf } from "./identities.ts";
import { isRecord } from "./json.ts";
import { obtained } from "./obtained.ts";
import type { Random } from "./random.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import type { Account } from "./account.ts";
import { asksAgain, credentialFields, isRegistration } from "./sign-in.ts";
import { isGone, type Operation, pathParameters, type Target } from "./target.ts";
import { validValue } from "./values.ts";

/** What registering takes. */
export interface Registering {
  readonly target: Target;
  readonly url: URL;
  readonly random: Random;
  /** What every marker of the scan begins with; names of accounts begin with it too. */
  readonly prefix: string;
  readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
  /** Told of every secret made or received. */
  readonly received: (secret: string, name: string) => void;
  /** Unix milliseconds. */
  readonly now: number;
}

/**
 * The operation that makes an account and asks for a password, where one is described that strangers may call.
 */
export function signUpOf(target: Target, now: number): Operation | undefined {
  return target.operations.find(
    (operation) =>
      operation.method === "POST" &&
      operation.access.kind !== "caller" &&
      !isGone(operation, now) &&
      pathParameters(operation.path).length === 0 &&
      isRegistration(operation) &&
      credentialFields(operation) !== undefined,
  );
}

/** The operation that signs in with the same kind of name. */
export function signInOf(target: Target, now: number): Operation | undefined {
  const all = target.operations.filter(
    (operation) =>
      operation.method === "POST" &&
      !isGone(operation, now) &&
      pathParameters(operation.path).length === 0 &&
      !isRegistration(operation) &&
      !asksAgain(operation) &&
      credentialFields(operation) !== undefined,
  );
  return all.find(({ path }) => /log-?in|sign-?in|session|token|auth/i.test(path)) ?? all[0];
}

/** How somebody with a name and a password signs in. */
export function signInRecipe(
  name: string,
  operation: Operation,
  account: { user: string; password: string },
  using: Pick<Registering, "random" | "url">,
): Recipe {
  const fields = credentialFields(operation);
  const known = (member: string) =>
    member === fields?.user ? account.user : member === fields?.password ? account.password : undefined;
  const body = validValue(operation.body?.schema ?? {}, { random: using.random, known, requiredOnly: true });
  const whole = typeof body === "object" && body !== null ? { ...body, ...named(fields, account) } : body;
  const outgoing = requestFor(operation, { body: whole, headers: sameOrigin(using.url) });
  const login: Login = {
    endpoint: outgoing.target,
    method: outgoing.method,
    headers: outgoing.headers,
    body: typeof outgoing.body === "string" ? outgoing.body : undefined,
    token: undefined,
    cookies: false,
    secrets: [account.password],
  };
  return { name, roles: [], headers: [], login };
}

/** What the passwords of registered accounts look like, and nothing else does. */
export const registeredPassword = /\bPc-[a-z\d]{12}-9aZ!/;

/** An account that nobody has yet. */
export interface NewAccount {
  /** The request that makes it. */
  readonly outgoing: Outgoing;
  readonly password: string;
  /** What a member of a body that names a user is filled with. */
  user(member: string): string;
}

/**
 * Makes up an account whose name begins with the scan's prefix. Sends nothing; the password is told to `received`.
 *
 * @param name  for the report
 * @param more  members the body has besides
 */
export function newAccount(
  signUp: Operation,
  name: string,
  using: Pick<Registering, "random" | "prefix" | "url" | "received">,
  more: Readonly<Record<string, unknown>> = {},
): NewAccount {
  const { random, prefix } = using;
  const handle = `${prefix}-${random.text(8)}`;
  const email = `${handle}@example.com`;
  const password = `Pc-${random.text(12)}-9aZ!`;
  using.received(password, name);
  const known = (member: string): string | undefined => {
    if (/^(?:confirm|repeat|re)?_?-?pass(?:word|phrase|wd)?(?:_?(?:confirm\w*|repeat|again|2))?$/i.test(member))
      return password;
    if (/e-?mail/i.test(member)) return email;
    return /^(?:user_?name|login|handle|nick(?:name)?)$/i.test(member) ? handle.replaceAll("-", "") : undefined;
  };
  const honest = validValue(signUp.body?.schema ?? {}, { random, canary: handle, known });
  const body = isRecord(honest) ? { ...honest, ...more } : honest;
  const outgoing = requestFor(signUp, { body, headers: sameOrigin(using.url), label: name });
  const fields = credentialFields(signUp);
  const own = fields === undefined ? email : (known(fields.user) ?? handle);
  return { outgoing, password, user: (member) => known(member) ?? own };
}

/**
 * Registers a throwaway user.
 *
 * @param name  for the report
 * @returns how it signs in
 * @throws Unreachable when the registration is refused or gives nothing to sign in with
 */
export async function register(signUp: Operation, name: string, using: Registering): Promise<Recipe> {
  const { outgoing, password, user } = newAccount(signUp, name, using);
  const trial = await using.send("positive", outgoing);
  if (!isSuccess(trial.answer)) throw new Unreachable(`${signUp.id} answered ${trial.answer.status}`);
  const signIn = signInOf(using.target, using.now);
  const wanted = signIn === undefined ? undefined : credentialFields(signIn);
  if (signIn !== undefined && wanted !== undefined)
    return signInRecipe(name, signIn, { user: user(wanted.user), password }, using);
  const [credential] = obtained(trial.answer, anywhere(signUp), using.target.schemes);
  if (credential === undefined)
    throw new Unreachable(`${signUp.id} gives no credential, and nothing is described that does`);
  const { header } = identityOf(name, credential);
  return { name, roles: [], headers: [header], login: undefined };
}

/**
 * Registers an account by itself: for who comes in by a browser's way, or for nobody of the scan, so that wrong passwords and
 * sign-outs hurt no caller.
 *
 * @param name  for the report
 * @returns undefined where the registration is refused, or nothing signs in with a name and a password
 */
export async function registerAccount(
  signUp: Operation,
  name: string,
  using: Registering,
): Promise<Account | undefined> {
  const signIn = signInOf(using.target, using.now);
  const wanted = signIn === undefined ? undefined : credentialFields(signIn);
  if (wanted === undefined) return undefined;
  const { outgoing, password, user } = newAccount(signUp, name, using);
  const { answer } = await using.send("positive", outgoing);
  return isSuccess(answer) ? { user: user(wanted.user), password } : undefined;
}

/** A sign-in of which nothing is known but its place: credentials may be anywhere in its answer. */
export function anywhere({ path, method }: Operation): Login {
  return { endpoint: path, method, headers: [], body: undefined, token: undefined, cookies: false, secrets: [] };
}

function named(fields: { user: string; password: string } | undefined, account: { user: string; password: string }) {
  return fields === undefined ? {} : { [fields.user]: account.user, [fields.password]: account.password };
}
