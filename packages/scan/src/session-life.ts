import { headersOf, isSuccess } from "./answer.ts";
import { sameOrigin } from "./browser.ts";
import { type ProbeContext, takes } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type Identity, identityOf } from "./identities.ts";
import { outcome } from "./objects.ts";
import { resembles } from "./oracle.ts";
import { broken, held, inconclusive, notApplicable, type Outcome, threeLegs, untried } from "./probe.ts";
import { requestFor, withCredential, withQuery } from "./requests.ts";
import { type Account, type Cookie, sessionCookie, tokenIn } from "./sign-in.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "./target.ts";

/**
 * A session id that was there before sign-in must not be the session after it: neither one the client made up nor one the
 * server gave a stranger. Decided by whether the old id opens anything, not by what the answer sets.
 *
 * @param cookie  the session cookie as an ordinary sign-in sets it
 * @throws what sending rejects with, such as `BudgetSpent`
 * @see OWASP ASVS 5.0 7.2.4
 */
export async function fixation(context: ProbeContext, cookie: Cookie): Promise<Outcome> {
  const issued = sessionCookie((await context.nowhere()).answer, context.target);
  const planted = [`pcfixed${context.random.text(24)}`];
  if (issued?.name === cookie.name) planted.push(issued.value);
  let last: Trial | undefined;
  for (const [index, value] of planted.entries()) {
    const old = identityOf("planted session", `cookie:${cookie.name}=${value}`);
    const read = readFor(context, old);
    const before = read === undefined ? undefined : await context.send("negative", requestFor(read, { as: old }));
    const account = context.sessions.accounts[0];
    const { start } = context.sessions;
    if (start === undefined || account === undefined) return notApplicable("Nobody can sign in.");
    const attempt = context.sessions.attempt(start, account.user, account.password);
    const signedIn = await context.send("attack", { ...attempt, headers: [...attempt.headers, old.header] });
    last = signedIn;
    if (!isSuccess(signedIn.answer)) continue;
    const what = index === 0 ? "a session id the client made up" : "the session id a stranger was given before";
    if (sessionCookie(signedIn.answer, context.target)?.value === value)
      return broken(`sign-in keeps ${what}`, [signedIn]);
    if (read === undefined || before === undefined || isSuccess(before.answer)) continue;
    const after = await context.send("attack", requestFor(read, { as: old }));
    if (isSuccess(after.answer)) return broken(`sign-in opens ${what}`, [before, signedIn, after]);
  }
  if (last === undefined) return notApplicable("Nobody can sign in.");
  return isSuccess(last.answer)
    ? held("sign-in makes its own session id, and one that was there before opens nothing", [last])
    : inconclusive(`signing in with a cookie that was there before ${outcome(last.answer)}`, [last]);
}

/**
 * Whoever signs in again in the same browser gets a session of its own: one id is one sign-in.
 *
 * @param first  a session that lives
 * @see OWASP ASVS 5.0 7.2.4
 */
export async function rotation(context: ProbeContext, first: Identity, cookie: Cookie): Promise<Outcome> {
  const { start, accounts } = context.sessions;
  const [account] = accounts;
  if (start === undefined || account === undefined) return notApplicable("Nobody can sign in.");
  const attempt = context.sessions.attempt(start, account.user, account.password);
  const again = { ...attempt, headers: [...attempt.headers, first.header], label: "somebody signed in, again" };
  const trials: Trial[] = [];
  for (let times = 1; times <= 2; times += 1) {
    const signedIn = await context.send("attack", again);
    trials.push(signedIn);
    if (!isSuccess(signedIn.answer)) return inconclusive(`signing in again ${outcome(signedIn.answer)}`, trials);
    const now = sessionCookie(signedIn.answer, context.target);
    if (now !== undefined && now.name === cookie.name) {
      context.redactor.add(now.value, "session");
      if (now.value !== first.secret) return held("signing in again makes a session of its own", trials);
    }
  }
  return broken("signing in again keeps the session id there was", trials);
}

/** Where something ends all of somebody's sessions, another one of them must be worth nothing afterwards. */
export async function signOutEverywhere(context: ProbeContext): Promise<Outcome> {
  const end = context.target.operations.find(
    (operation) =>
      !isSafe(operation) &&
      !isGone(operation, context.now()) &&
      pathParameters(operation.path).length === 0 &&
      everywhere.test(operation.path.replace(/([a-z\d])([A-Z])/g, "$1-$2")),
  );
  if (end === undefined) return notApplicable("Nothing signs out everywhere.");
  // It ends what others work with, so that it takes an account that nobody else of the scan is.
  const { accounts } = context.sessions;
  const isSomebody = (index: number) => context.identities.some(({ name }) => name === `account${index + 1}`);
  const spare = accounts.find((_account, index) => index > 0 && !isSomebody(index));
  if (spare === undefined)
    return untried(
      `Whether ${end.id} ends other sessions was not tried: it takes a second account (--account, twice).`,
    );
  const [here, there] = [await signInAs(context, spare), await signInAs(context, spare)];
  if (here === undefined || there === undefined)
    return inconclusive("the second account is not signed in with a cookie by the operation the first one is");
  const read = readFor(context, there);
  if (read === undefined || !takes(end, here, context.target))
    return notApplicable("Nothing can be read with the cookie, or what signs out everywhere does not take it.");
  return await replayAfterSignOut(context, there, read, end, "session elsewhere", here);
}

async function signInAs(context: ProbeContext, { user, password }: Account): Promise<Identity | undefined> {
  const { start } = context.sessions;
  if (start === undefined) return undefined;
  const trial = await context.send("positive", context.sessions.attempt(start, user, password));
  const cookie = isSuccess(trial.answer) ? sessionCookie(trial.answer, context.target) : undefined;
  if (cookie === undefined) return undefined;
  context.redactor.add(cookie.value, "session");
  const made = identityOf("session", `cookie:${cookie.name}=${cookie.value}`);
  return { ...made, along: sameOrigin(context.fetcher.url) };
}

const everywhere =
  /(?:log|sign)[-_]?out[-_/]?(?:all|everywhere|others?)|(?:other|all)[-_/]?sessions|sessions[-_/](?:others?|all)|(?:end|revoke|close)[-_/]?all/i;

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
export async function signOut(context: ProbeContext, identity: Identity): Promise<Outcome> {
  const { end } = context.sessions;
  if (end === undefined) return notApplicable("Nothing signs out.");
  const read = readFor(context, identity);
  if (read === undefined) return notApplicable("Nothing can be read with the cookie.");
  return await replayAfterSignOut(context, identity, read, end, "session");
}

/** After sign-out the token that sign-in answered must be worth nothing, where something signs out that takes it. */
export async function tokenSignOut(context: ProbeContext): Promise<Outcome> {
  const { signIns, accounts, start, end } = context.sessions;
  const account = accounts[0];
  if (account === undefined || end === undefined) return notApplicable("Nothing signs out.");
  for (const operation of signIns) {
    // What stands at the place of the cookie's sign-in ends the cookie, and answers everybody else as it likes.
    const endsCookie = start?.startsSession === true || (end.path === start?.path && operation !== start);
    if (endsCookie) continue;
    const trial = await context.send("positive", context.sessions.attempt(operation, account.user, account.password));
    const token = isSuccess(trial.answer) ? tokenIn(trial.answer.json) : undefined;
    if (token === undefined) continue;
    context.redactor.add(token, "token of a sign-in");
    const identity = identityOf("signed in", `Bearer ${token}`);
    const read = readFor(context, identity);
    if (read === undefined || !takes(end, identity, context.target)) continue;
    return await replayAfterSignOut(context, identity, read, end, "token");
  }
  return notApplicable("No sign-in answers a token that a sign-out takes.");
}

async function replayAfterSignOut(
  context: ProbeContext,
  identity: Identity,
  read: Operation,
  end: Operation,
  what: string,
  leaver = identity,
): Promise<Outcome> {
  const ask = requestFor(read, { as: identity });
  const positive = await context.send("positive", ask);
  if (!isSuccess(positive.answer))
    return inconclusive(`the fresh ${what} ${outcome(positive.answer)} at ${read.id}`, [positive]);
  const left = await context.send("positive", requestFor(end, { as: leaver }));
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
export async function inUrl(
  context: ProbeContext,
  { identity, trial }: { identity: Identity; trial: Trial },
): Promise<Outcome> {
  const leads = headersOf(trial.answer, "location").find((value) => value.includes(identity.secret));
  if (leads !== undefined) return broken("sign-in leads to an address that carries the session id", [trial]);
  const read = readFor(context, identity);
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

/** A read without parameters that the identity's kind of credential may make. */
function readFor(context: ProbeContext, identity: Identity): Operation | undefined {
  return context.target.operations.find(
    (operation) =>
      isSafe(operation) &&
      operation.access.kind === "caller" &&
      operation.access.roles.length === 0 &&
      tightLimit(operation, 4, context.patienceMs) === undefined &&
      pathParameters(operation.path).length === 0 &&
      !isGone(operation, context.now()) &&
      takes(operation, identity, context.target) &&
      !operation.parameters.some((parameter) => parameter.required),
  );
}
