import { isLoopbackName } from "../address.ts";
import { isSuccess, mediaTypeOf } from "../answer.ts";
import { type ProbeContext, takes } from "../context.ts";
import type { Trial } from "../exchange.ts";
import type { Identity } from "../identities.ts";
import { outcome } from "../objects.ts";
import { isLimited, sameSignature } from "../oracle.ts";
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
  threeLegs,
} from "../probe.ts";
import { requestFor } from "../requests.ts";
import { type Cookie, sessionCookie, tokenIn } from "../sign-in.ts";
import { isGone, isSafe, type Operation, pathParameters, tightLimit } from "../target.ts";

/**
 * The cookie's flags and strength, fixation, sign-out, and whether sign-in tells an unknown user from a wrong password.
 */
export const sessions: Probe = { id: "sessions", plan: planSessions };

function planSessions(context: ProbeContext): readonly Check[] {
  const { signIns, start, accounts } = context.sessions;
  const cookies = context.target.policy.credentials.some((entry) => entry.kind === "sessions") || start !== undefined;
  const checks: Check[] = [];
  if (accounts.length === 0) {
    if (!cookies && signIns.length === 0) return [{ check: "sessions", notApplicable: "Nobody signs in here." }];
    return [
      {
        check: "sessions",
        run: () => Promise.resolve(inconclusive("signing in needs an account (--account email:password)")),
      },
    ];
  }
  for (const operation of signIns) {
    checks.push({ check: "one-answer", operation, run: () => oneAnswer(context, operation) });
  }
  if (start === undefined) checks.push({ check: "cookie", notApplicable: "No operation starts a cookie session." });
  else checks.push({ check: "cookie", operation: start, run: () => cookieChecks(context) });
  return checks;
}

/** A known name with a wrong password and an unknown name must be answered alike. */
async function oneAnswer(context: ProbeContext, operation: Operation): Promise<Outcome> {
  const account = context.sessions.accounts[0];
  if (account === undefined) return inconclusive("it needs an account");
  const wrong = context.random.text(18);
  const domain = account.user.split("@")[1];
  const unknown = () =>
    `pc${context.random.text(Math.max(4, account.user.indexOf("@") - 2))}${domain === undefined ? "" : `@${domain}`}`;
  const trials: Trial[] = [];
  let differs = 0;
  for (let pair = 0; pair < 2; pair += 1) {
    const known = await context.send("attack", context.sessions.attempt(operation, account.user, wrong));
    const stranger = await context.send("negative", context.sessions.attempt(operation, unknown(), wrong));
    trials.push(known, stranger);
    const limited = [known, stranger].find((trial) => isLimited(trial.answer));
    if (limited !== undefined) return inconclusive(limitedWhy(limited.answer), trials);
    if (isSuccess(known.answer) && tokenIn(known.answer.json) !== undefined)
      return broken("a wrong password signs in", trials);
    if (!sameSignature(known.answer, stranger.answer) || !sameHeaders(known, stranger)) differs += 1;
  }
  if (differs === 2) return broken("sign-in tells an unknown user from a wrong password", trials);
  if (differs === 1) return inconclusive("the two answers differed once and not again", trials);
  return held("an unknown user and a wrong password are answered alike", trials);
}

function sameHeaders(left: Trial, right: Trial): boolean {
  const names = (trial: Trial) =>
    trial.answer.headers
      .map(([name]) => name)
      .filter((name) => !/^(?:ratelimit|x-ratelimit|retry-after|date|etag)/.test(name))
      .sort()
      .join(" ");
  return names(left) === names(right) && mediaTypeOf(left.answer) === mediaTypeOf(right.answer);
}

async function cookieChecks(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  // A made-up session that the server must not adopt travels with the second sign-in.
  const fixed = `pcfixed${context.random.text(24)}`;
  const first = await context.sessions.another();
  const cookie = sessionCookie(first.trial.answer, context.target);
  if (cookie === undefined) return [{ check: "cookie", ...inconclusive("no cookie was set", [first.trial]) }];
  const second = await context.sessions.another([["cookie", `${cookie.name}=${fixed}`]]);
  return [
    ...flags(context, cookie, first.trial),
    { check: "cookie-strength", ...strength(first.identity, second.identity, [first.trial, second.trial]) },
    {
      check: "fixation",
      ...(second.identity.secret === fixed
        ? broken("sign-in keeps a session id the client made up", [second.trial])
        : held("sign-in makes its own session id", [second.trial])),
    },
    { check: "sign-out", ...(await signOut(context, second.identity)) },
  ];
}

function flags(context: ProbeContext, cookie: Cookie, trial: Trial): readonly NamedOutcome[] {
  const exact = context.target.source === "manifest";
  const has = (name: string) => cookie.attributes.has(name);
  const sameSite = cookie.attributes.get("samesite")?.toLowerCase();
  const rules: readonly (readonly [string, boolean, string])[] = [
    ["cookie-httponly", has("httponly"), "HttpOnly"],
    ["cookie-secure", has("secure"), "Secure"],
    [
      "cookie-samesite",
      sameSite === "strict" || (!exact && sameSite === "lax"),
      exact ? "SameSite=Strict" : "SameSite",
    ],
    [
      "cookie-prefix",
      cookie.name.startsWith("__Host-") || (!exact && isLoopbackName(context.fetcher.url.hostname)),
      "the __Host- prefix",
    ],
    ["cookie-domain", !has("domain"), "a host of its own (no Domain)"],
  ];
  return rules.map(([check, good, what]) => ({
    check,
    ...(good ? held(`the session cookie has ${what}`, [trial]) : broken(`the session cookie lacks ${what}`, [trial])),
  }));
}

/** ASVS 5.0 7.2.3: at least 128 bits, so at least 22 characters of base64. */
function strength(first: Identity, second: Identity, trials: readonly Trial[]): Outcome {
  if (first.secret === second.secret) return broken("two sign-ins get the same session id", trials);
  if (first.secret.length < 22)
    return broken(`a session id of ${first.secret.length} characters can be guessed`, trials);
  return held("session ids are long and never the same", trials);
}

/** After sign-out the cookie must be worth nothing. */
async function signOut(context: ProbeContext, identity: Identity): Promise<Outcome> {
  const { end } = context.sessions;
  if (end === undefined) return notApplicable("Nothing signs out.");
  const read = context.target.operations.find(
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
  if (read === undefined) return notApplicable("Nothing can be read with the cookie.");
  const ask = requestFor(read, { as: identity });
  const positive = await context.send("positive", ask);
  if (!isSuccess(positive.answer))
    return inconclusive(`the fresh session ${outcome(positive.answer)} at ${read.id}`, [positive]);
  const left = await context.send("positive", requestFor(end, { as: identity }));
  if (!isSuccess(left.answer)) return inconclusive(`signing out ${outcome(left.answer)}`, [positive, left]);
  return await threeLegs({
    positive,
    negatives: [await context.nowhere()],
    attack: () => context.send("attack", { ...ask, label: "session after sign-out" }),
    broken: "the session still works after sign-out",
    held: "the session is dead after sign-out",
  });
}
