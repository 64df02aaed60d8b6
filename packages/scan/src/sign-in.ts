import type { Account } from "./account.ts";
import { sameOrigin } from "./browser.ts";
import { isSuccess } from "./answer.ts";
import type { Cookie } from "./cookies.ts";
import { browserEntrance, directEntrance, type Entrance } from "./entrances.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { accompanied, type Identity, identityOf } from "./identities.ts";
import { walk } from "./json.ts";
import type { Random } from "./random.ts";
import type { Redactor } from "./redact.ts";
import { requestFor } from "./requests.ts";
import { Unreachable } from "./scan-error.ts";
import { propertiesOf } from "./schema.ts";
import { isGone, type Operation, pathParameters, type Target } from "./target.ts";
import { validValue } from "./values.ts";

/** The sign-in operations of an API and the accounts to use there. */
export interface Sessions {
  /** Operations that take a user name and a password. */
  readonly signIns: readonly Operation[];
  /** The form of a sign-in that was begun elsewhere, which its path names: nobody begins with it. */
  readonly underWay: Operation | undefined;
  /** Operations that make an account of a user name and a password. */
  readonly signUps: readonly Operation[];
  /** Operations that send something to an account, such as a password reset: they take its name and no password. */
  readonly resets: readonly Operation[];
  /** The one that starts a cookie session by itself. */
  readonly start: Operation | undefined;
  /** Ways to begin a cookie session; that of the cookie which proves callers comes first, where that is known. */
  readonly entrances: readonly Entrance[];
  readonly accounts: readonly Account[];
  /** A request to any of them with any name and password, from the API's own page unless other headers are given. */
  attempt(operation: Operation, user: string, password: string, headers?: Outgoing["headers"]): Outgoing;
  /**
   * A caller proved by cookie: given with --as, or signed in once with the first account and then remembered.
   *
   * @throws Unreachable when there is neither
   */
  identity(): Promise<Identity>;
  /** Signs in anew, that way; the identity's cookie is not shared with anything else. */
  enter(entrance: Entrance | undefined): Promise<{ identity: Identity; trial: Trial; cookie: Cookie }>;
}

/**
 * Finds the sign-in operations of a target that still answer, and signs in there on demand. Sends nothing itself;
 * every cookie received is given to the redactor, so that no report shows it.
 *
 * @param options  `accounts`: the first one signs in; `now`: Unix milliseconds, decides which operations are gone
 * @returns the sessions; `identity` and `enter` reject with `Unreachable` where there is no account, no operation that
 *   starts a session, or its answer is no success or sets no cookie; `attempt` throws it for an operation that takes no password
 */
export function createSessions(options: {
  readonly url: URL;
  readonly target: Target;
  readonly identities: readonly Identity[];
  readonly accounts: readonly Account[];
  readonly redactor: Redactor;
  readonly random: Random;
  readonly now: number;
  readonly send: (leg: Leg, outgoing: Outgoing) => Promise<Trial>;
}): Sessions {
  const { target, accounts, redactor, random } = options;
  const live = target.operations.filter((operation) => !isGone(operation, options.now));
  const isUnderWay = ({ path }: Operation) => pathParameters(path).length > 0;
  const signIns = live.filter((operation) => isSignIn(operation) && !isUnderWay(operation));
  const signUps = live.filter((operation) => isSignUp(operation) && isPublic(operation));
  const resets = live.filter((operation) => isReset(operation) && isPublic(operation));
  const ends = (operation: Operation) =>
    live.some((other) => other.method === "DELETE" && other.path === operation.path);
  const starts = live.filter(
    (operation) => operation.startsSession && !asksAgain(operation) && pathParameters(operation.path).length === 0,
  );
  // Several may start a session; the one that can be ended at the same place sets the cookie.
  const start =
    starts.find((operation) => ends(operation)) ??
    starts.find((operation) => /session|cookie/i.test(operation.path)) ??
    starts[0] ??
    signIns.find((operation) => /session|cookie/i.test(operation.path));
  let remembered: Promise<Identity> | undefined;

  const browser = { send: options.send, redactor, fetcher: { url: options.url } };
  const byBrowser = browserEntrance({ browser, target, now: options.now });
  const entrances = [
    ...(byBrowser === undefined ? [] : [byBrowser]),
    ...(start === undefined
      ? []
      : [directEntrance(start, { ...options, attempt: (...given) => sessions.attempt(...given) })]),
  ];

  const sessions: Sessions = {
    signIns,
    signUps,
    resets,
    underWay: live.find((operation) => isSignIn(operation) && isUnderWay(operation)),
    start,
    entrances,
    accounts,
    attempt(operation, user, password, headers = sameOrigin(options.url)) {
      const fields = accountFields(operation);
      if (fields === undefined || operation.body === undefined)
        throw new Unreachable(`${operation.id} takes no user name`);
      const known = (name: string) =>
        name === fields.user ? user : fields.passwords.includes(name) ? password : undefined;
      const body = validValue(operation.body.schema, { random, known, requiredOnly: true });
      return requestFor(operation, { body, label: "nobody", headers });
    },
    identity() {
      const given = options.identities.find((identity) => identity.kind === "cookie");
      remembered ??=
        given === undefined
          ? sessions.enter(entrances[0]).then((made) => made.identity)
          : Promise.resolve(accompanied(given, sameOrigin(options.url)));
      return remembered;
    },
    async enter(entrance) {
      const account = accounts[0];
      if (entrance === undefined) throw new Unreachable("no operation starts a cookie session");
      if (account === undefined)
        throw new Unreachable("no account was given to sign in with (--account email:password)");
      const { trial, cookie } = await entrance.enter(account);
      if (!isSuccess(trial.answer))
        throw new Unreachable(`signing in as ${account.user} answered ${trial.answer.status}`);
      if (cookie === undefined) throw new Unreachable(`${entrance.operation.id} sets no cookie`);
      redactor.add(cookie.value, "session");
      const made = identityOf("session", `cookie:${cookie.name}=${cookie.value}`);
      return { identity: accompanied(made, sameOrigin(options.url)), trial, cookie };
    },
  };
  return sessions;
}

/** True for an operation that takes a name and a password; a registration does too, and guessing there would make accounts. */
export function isSignIn(operation: Operation): boolean {
  return (
    operation.method === "POST" &&
    credentialFields(operation) !== undefined &&
    !isRegistration(operation) &&
    !asksAgain(operation)
  );
}

/**
 * True for an operation whose path says that it asks for a password for another reason than to sign in: to be sure before
 * it changes or ends something. Nobody's own account is to be tried there.
 */
export function asksAgain({ path }: Operation): boolean {
  const words = path.replace(/([a-z\d])([A-Z])/g, "$1-$2");
  if (ending.test(words)) return true;
  if (/(?:^|[/_.-])(?:log-?in|sign-?in|sessions?|tokens?)(?:$|[/_.-])/i.test(words)) return false;
  return again.test(words);
}

/** Whoever ends something does not begin it, whatever it is called. */
const ending = /(?:^|[/_.-])(?:end|revoke|terminate|withdraw)(?:$|[/_.-])/i;

const again =
  /(?:^|[/_.-])(?:pass(?:word|wd|phrase)?|delete|remove|close|deactivate|disable|change|reset|verify|verification|confirm(?:ed|ation)?|(?:log|sign)-?out|everywhere|unlink|e-?mail)(?:$|[/_.-])/i;

/** True for an operation whose path says that it makes an account rather than opens one. */
export function isRegistration({ path, startsSession }: Operation): boolean {
  const words = path.replace(/([a-z\d])([A-Z])/g, "$1-$2");
  if (/(?:^|[/_.-])(?:register|registrations?|sign[-_]?up|join|create[-_]?(?:user|account))(?:$|[/_.-])/i.test(words))
    return true;
  return !startsSession && /\/(?:users?|accounts?|members?|customers?)\/?$/i.test(path);
}

/** True for an operation that makes an account of a name and a password. */
function isSignUp(operation: Operation): boolean {
  return operation.method === "POST" && credentialFields(operation) !== undefined && isRegistration(operation);
}

/** True for an operation that sends something to an account, by its path: it takes a name and no password. */
function isReset(operation: Operation): boolean {
  if (operation.method !== "POST" || !/forgot|reset|recover|magic|passwordless|resend/i.test(operation.path))
    return false;
  return accountFields(operation) !== undefined && credentialFields(operation) === undefined;
}

/** The members of an operation's body that are a user name and a password; undefined where it takes none. */
export function credentialFields(operation: Operation): { user: string; password: string } | undefined {
  const fields = accountFields(operation);
  return fields?.password === undefined ? undefined : { user: fields.user, password: fields.password };
}

/** The members of an operation's body that are a user name and, where it takes one, a password and its repetition. */
function accountFields(
  operation: Operation,
): { user: string; password: string | undefined; passwords: readonly string[] } | undefined {
  const names = [...propertiesOf(operation.body?.schema ?? {}).keys()];
  const password = names.find((name) => /^pass(?:word|phrase|wd)?$/i.test(name));
  const again = names.filter((name) =>
    /^(?:confirm|repeat)?_?pass(?:word|phrase|wd)?_?(?:confirm\w*|repeat|again|2)?$/i.test(name),
  );
  const user =
    names.find((name) => /^(?:e-?mail|user_?(?:name)?|login|account)$/i.test(name)) ??
    names.find((name) => /^(?:e-?mail_?address|user_?id|identifier|handle|phone)$/i.test(name));
  return user === undefined ? undefined : { user, password, passwords: again };
}

/** True where nothing says that a caller is needed. */
function isPublic({ access }: Operation): boolean {
  return access.kind === "public" || access.kind === "unknown";
}

/** A token in the answer to a sign-in: a long string in a member called token, accessToken or the like. */
export function tokenIn(json: unknown): string | undefined {
  let found: string | undefined;
  walk(json, (_path, name, value) => {
    if (/^(?:access|id)?_?token$|^jwt$/i.test(name) && typeof value === "string" && value.length >= 16) found ??= value;
  });
  return found;
}
