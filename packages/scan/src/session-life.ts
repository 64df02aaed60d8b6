import { headersOf, isSuccess } from "./answer.ts";
import { type ProbeContext, takes } from "./context.ts";
import type { Trial } from "./exchange.ts";
import { type Identity, identityOf } from "./identities.ts";
import { outcome } from "./objects.ts";
import { resembles } from "./oracle.ts";
import { broken, held, inconclusive, notApplicable, type Outcome, threeLegs } from "./probe.ts";
import { requestFor, withCredential, withQuery } from "./requests.ts";
import { type Cookie, sessionCookie, tokenIn } from "./sign-in.ts";
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
): Promise<Outcome> {
  const ask = requestFor(read, { as: identity });
  const positive = await context.send("positive", ask);
  if (!isSuccess(positive.answer))
    return inconclusive(`the fresh ${what} ${outcome(positive.answer)} at ${read.id}`, [positive]);
  const left = await context.send("positive", requestFor(end, { as: identity }));
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
