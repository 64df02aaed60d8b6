import { headersOf, isSuccess } from "./answer.ts";
import { sameOrigin } from "./browser.ts";
import { type ProbeContext, takes } from "./context.ts";
import { type Cookie, namedCookies, sessionCookie } from "./cookies.ts";
import { endsOf, type Entrance, everywhereQuery } from "./entrances.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { accompanied, type Identity, identityOf } from "./identities.ts";
import { outcome } from "./objects.ts";
import { resembles } from "./oracle.ts";
import { broken, held, inconclusive, notApplicable, type Outcome, threeLegs, untried } from "./probe.ts";
import { requestFor, withCredential, withHeaders, withQuery } from "./requests.ts";
import type { Account } from "./account.ts";
import { credentialFields, tokenIn } from "./sign-in.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "./target.ts";

/** Sessions of one entrance, and what shows that one is alive. */
export interface Life {
  readonly context: ProbeContext;
  readonly entrance: Entrance;
  readonly account: Account;
  /** A session of the account. */
  readonly first: Identity;
  readonly cookie: Cookie;
  /** A read that the cookie opens; undefined where there is none. */
  readonly read: Operation | undefined;
}

/**
 * A session id that was there before sign-in must not be the session after it: neither one the client made up nor one the
 * server gave a stranger. Decided by whether the old id opens anything, not by what the answer sets.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 * @see OWASP ASVS 5.0 7.2.4
 */
export async function fixation({ context, entrance, account, cookie, read }: Life): Promise<Outcome> {
  const issued = sessionCookie((await context.nowhere()).answer, context.target);
  const planted = [`pcfixed${context.random.text(24)}`];
  if (issued?.name === cookie.name) planted.push(issued.value);
  let last: Trial | undefined;
  for (const [index, value] of planted.entries()) {
    const old = identityOf("planted session", `cookie:${cookie.name}=${value}`);
    const before = read === undefined ? undefined : await context.send("negative", requestFor(read, { as: old }));
    const signedIn = await entrance.enter(account, { cookie: old.header[1], leg: "attack" });
    last = signedIn.trial;
    if (!isSuccess(last.answer)) continue;
    const what = index === 0 ? "a session id the client made up" : "the session id a stranger was given before";
    if (signedIn.cookie?.value === value) return broken(`sign-in keeps ${what}`, [last]);
    if (read === undefined || before === undefined || isSuccess(before.answer)) continue;
    const after = await context.send("attack", requestFor(read, { as: old }));
    if (isSuccess(after.answer)) return broken(`sign-in opens ${what}`, [before, last, after]);
  }
  if (last === undefined) return notApplicable("Nobody can sign in.");
  return isSuccess(last.answer)
    ? held("sign-in makes its own session id, and one that was there before opens nothing", [last])
    : inconclusive(`signing in with a cookie that was there before ${outcome(last.answer)}`, [last]);
}

/**
 * Whoever signs in again in the same browser gets a session of its own: one id is one sign-in. Where only the session
 * before ends at that, nothing is said: the browser has both.
 *
 * @see OWASP ASVS 5.0 7.2.4
 */
export async function rotation({ context, entrance, account, first, cookie }: Life): Promise<Outcome> {
  const trials: Trial[] = [];
  for (let times = 1; times <= 2; times += 1) {
    const again = { cookie: first.header[1], leg: "attack", label: "somebody signed in, again" } as const;
    const { trial, cookie: now } = await entrance.enter(account, again);
    trials.push(trial);
    if (!isSuccess(trial.answer)) return inconclusive(`signing in again ${outcome(trial.answer)}`, trials);
    if (now !== undefined && now.name === cookie.name) {
      context.redactor.add(now.value, "session");
      if (now.value !== first.secret) return held("signing in again makes a session of its own", trials);
    }
  }
  return broken("signing in again keeps the session id there was", trials);
}

/** Where something ends all of somebody's sessions, another one of them must be worth nothing afterwards. */
export async function signOutEverywhere({ context, entrance, read }: Life): Promise<Outcome> {
  const { endAll } = entrance;
  if (endAll === undefined) return notApplicable("Nothing signs out everywhere.");
  // It ends what others work with, so that it takes an account that nobody else of the scan is.
  const { accounts } = context.sessions;
  const isSomebody = (index: number) => context.identities.some(({ name }) => name === `account${index + 1}`);
  const spare = accounts.find((_account, index) => index > 0 && !isSomebody(index));
  if (spare === undefined)
    return untried(
      `Whether ${endAll.id} ends other sessions was not tried: it takes a second account (--account, twice).`,
    );
  const [here, there] = [await signInAs(context, entrance, spare), await signInAs(context, entrance, spare)];
  if (here === undefined || there === undefined)
    return inconclusive("the second account is not signed in with a cookie by the operation the first one is");
  if (read === undefined || !takes(endAll, here, context.target))
    return notApplicable("Nothing can be read with the cookie, or what signs out everywhere does not take it.");
  const asks = credentialFields(endAll) !== undefined;
  const leave = asks
    ? { ...context.sessions.attempt(endAll, spare.user, spare.password), as: here }
    : requestFor(endAll, { as: here, query: everywhereQuery(endAll) });
  const leaving = asks ? withHeaders(leave, [here.header], here.name) : leave;
  return await replayAfterSignOut(context, there, read, leaving, "session elsewhere");
}

async function signInAs(context: ProbeContext, entrance: Entrance, account: Account): Promise<Identity | undefined> {
  const { cookie } = await entrance.enter(account);
  if (cookie === undefined) return undefined;
  context.redactor.add(cookie.value, "session");
  const made = identityOf("session", `cookie:${cookie.name}=${cookie.value}`);
  return accompanied(made, sameOrigin(context.fetcher.url));
}

/** A cookie that no browser would keep so long (RFC 6265bis, section 5.5) belongs to a session that never ends. */
export function lifetime({ attributes }: Cookie, trial: Trial): Outcome {
  const maxAge = Number(attributes.get("max-age") ?? "NaN");
  const until = Date.parse(attributes.get("expires") ?? "") - Date.now();
  const seconds = Number.isFinite(maxAge) ? maxAge : until / 1000;
  if (!Number.isFinite(seconds)) return held("the session cookie ends with the browser", [trial]);
  const days = Math.round(seconds / 86_400);
  return days > mostDays
    ? broken(`the session cookie is to live ${days} days; browsers keep none longer than ${mostDays}`, [trial])
    : held(`the session cookie lives ${days < 1 ? "less than a day" : `${days} days`}`, [trial]);
}

const mostDays = 400;

/** After sign-out the cookie must be worth nothing. */
export async function signOut({ context, entrance, read }: Life, identity: Identity): Promise<Outcome> {
  const { end } = entrance;
  if (end === undefined) return notApplicable("Nothing signs out.");
  if (read === undefined) return notApplicable("Nothing can be read with the cookie.");
  return await replayAfterSignOut(context, identity, read, requestFor(end, { as: identity }), "session");
}

/** After sign-out the token that sign-in answered must be worth nothing, where something signs out that takes it. */
export async function tokenSignOut(context: ProbeContext): Promise<Outcome> {
  const { signIns, accounts, start } = context.sessions;
  const account = accounts[0];
  if (account === undefined) return notApplicable("Nobody can sign in.");
  for (const operation of signIns) {
    const { end } = endsOf(operation, context.target, context.now());
    // Where a manifest says what starts a cookie session, that is what a sign-out ends.
    if (end === undefined || start?.startsSession === true) continue;
    const trial = await context.send("positive", context.sessions.attempt(operation, account.user, account.password));
    const token = isSuccess(trial.answer) ? tokenIn(trial.answer.json) : undefined;
    if (token === undefined) continue;
    context.redactor.add(token, "token of a sign-in");
    const identity = identityOf("signed in", `Bearer ${token}`);
    const read = await readFor(context, identity);
    if (read === undefined || !takes(end, identity, context.target)) continue;
    return await replayAfterSignOut(context, identity, read, requestFor(end, { as: identity }), "token");
  }
  return notApplicable("No sign-in answers a token that a sign-out takes.");
}

async function replayAfterSignOut(
  context: ProbeContext,
  identity: Identity,
  read: Operation,
  leave: Outgoing,
  what: string,
): Promise<Outcome> {
  const ask = requestFor(read, { as: identity });
  const positive = await context.send("positive", ask);
  if (!isSuccess(positive.answer))
    return inconclusive(`the fresh ${what} ${outcome(positive.answer)} at ${read.id}`, [positive]);
  const left = await context.send("positive", leave);
  if (!isSuccess(left.answer) && left.answer.status !== 302 && left.answer.status !== 303)
    return inconclusive(`signing out ${outcome(left.answer)}`, [positive, left]);
  return await threeLegs({
    positive,
    negatives: [await context.nowhere(), await context.send("negative", withCredential(ask, undefined, "nobody"))],
    attack: () => context.send("attack", { ...ask, label: `${what} after sign-out` }),
    broken: `the ${what} still works after sign-out`,
    held: `the ${what} is dead after sign-out`,
  });
}

/**
 * A session id belongs into its cookie: an address stands in histories, logs and Referer headers. Looked for in where a
 * sign-in leads to, and tried as a query parameter in the cookie's place.
 *
 * @see OWASP ASVS 5.0 14.2.1
 */
export async function inUrl({ context, first: identity, read }: Life, trial: Trial): Promise<Outcome> {
  const leads = headersOf(trial.answer, "location").find((value) => value.includes(identity.secret));
  if (leads !== undefined) return broken("sign-in leads to an address that carries the session id", [trial]);
  if (read === undefined) return notApplicable("Nothing can be read with the cookie.");
  const ask = requestFor(read, { as: identity });
  const positive = await context.send("positive", ask);
  if (!isSuccess(positive.answer)) return inconclusive(`the fresh session ${outcome(positive.answer)}`, [positive]);
  const bare = withCredential(ask, undefined, "nobody, session id in the URL");
  const without = await context.send("negative", bare);
  if (resembles(without.answer, positive.answer)) return notApplicable(`${read.id} answers everybody.`);
  for (const name of new Set([identity.cookie ?? "session", "session", "sid", "sessionId", "session_id", "token"])) {
    const attack = () => context.send("attack", withQuery(bare, name, identity.secret));
    const made = withQuery(bare, name, context.random.text(identity.secret.length));
    const first = await attack();
    if (!resembles(first.answer, positive.answer)) continue;
    const madeUp = await context.send("negative", made);
    const again = await attack();
    if (resembles(madeUp.answer, positive.answer) || !resembles(again.answer, positive.answer)) continue;
    return broken(`the session id is taken from the URL too (?${name}=)`, [positive, without, madeUp, first, again]);
  }
  return held("a session id in the URL opens nothing", [positive, without]);
}

/**
 * A read without parameters that the identity may make and a stranger may not: what wants a caller, or, for a cookie that
 * proves nobody to the API, a page that takes it.
 *
 * @returns one that was seen to; else the first there is
 */
export async function readFor(context: ProbeContext, identity: Identity): Promise<Operation | undefined> {
  const { target } = context;
  const named = namedCookies(target);
  const isCredential = identity.cookie === undefined || named.length === 0 || named.includes(identity.cookie);
  const likely = target.operations.filter(
    (operation) =>
      isSafe(operation) &&
      tightLimit(operation, 4, context.patienceMs) === undefined &&
      pathParameters(operation.path).length === 0 &&
      !isGone(operation, context.now()) &&
      !operation.parameters.some((parameter) => parameter.required) &&
      (isCredential
        ? operation.access.kind === "caller" &&
          operation.access.roles.length === 0 &&
          takes(operation, identity, target)
        : operation.parameters.some(({ name, in: place }) => place === "cookie" && name === identity.cookie)),
  );
  // Of pages the shortest: one that lists who is signed in where changes while the scan signs in.
  let page: { readonly operation: Operation; readonly length: number } | undefined;
  for (const operation of likely.slice(0, mostReads)) {
    const { answer } = await context.send("positive", requestFor(operation, { as: identity }));
    const { length } = answer.text;
    if (!isSuccess(answer) || (page !== undefined && page.length <= length)) continue;
    const strangers = await context.send("negative", requestFor(operation, { label: "nobody" }));
    if (resembles(strangers.answer, answer)) continue;
    if (answer.json !== undefined) return operation;
    page = { operation, length };
  }
  return page?.operation ?? likely[0];
}

/** So many reads are tried before the first is taken. */
const mostReads = 8;
