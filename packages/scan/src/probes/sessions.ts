import { isLoopbackName } from "../address.ts";
import { isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import { enumerationChecks } from "../enumeration.ts";
import type { Trial } from "../exchange.ts";
import type { Identity } from "../identities.ts";
import {
  broken,
  type Check,
  held,
  inconclusive,
  type NamedOutcome,
  notApplicable,
  type Outcome,
  type Probe,
} from "../probe.ts";
import { fixation, inUrl, lifetime, rotation, signOut, signOutEverywhere, tokenSignOut } from "../session-life.ts";
import { type Cookie, sessionCookie } from "../sign-in.ts";

/**
 * The cookie's flags, strength and lifetime, fixation, a new id at every sign-in, sign-out of cookies and tokens, here and
 * everywhere, sessions in the URL, and whether sign-in,
 * sign-up or a reset tells who has an account, by words or by time.
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
  const [account] = accounts;
  if (account !== undefined) checks.push(...enumerationChecks(context, account));
  if (start === undefined) checks.push({ check: "cookie", notApplicable: "No operation starts a cookie session." });
  else checks.push({ check: "cookie", operation: start, run: () => cookieChecks(context) });
  if (signIns.length > 0) checks.push({ check: "token-sign-out", run: () => tokenSignOut(context) });
  return checks;
}

async function cookieChecks(context: ProbeContext): Promise<readonly NamedOutcome[]> {
  const { start, accounts } = context.sessions;
  const [account] = accounts;
  if (start !== undefined && account !== undefined && !start.startsSession) {
    // Nothing but its path says that it starts a session: it may as well answer a token.
    const trial = await context.send("positive", context.sessions.attempt(start, account.user, account.password));
    if (isSuccess(trial.answer) && sessionCookie(trial.answer, context.target) === undefined)
      return [{ check: "cookie", ...notApplicable(`${start.id} sets no cookie.`) }];
  }
  const first = await context.sessions.another();
  const cookie = sessionCookie(first.trial.answer, context.target);
  if (cookie === undefined) return [{ check: "cookie", ...inconclusive("no cookie was set", [first.trial]) }];
  const second = await context.sessions.another();
  return [
    ...flags(context, cookie, first.trial),
    { check: "cookie-strength", ...strength(first.identity, second.identity, [first.trial, second.trial]) },
    { check: "session-in-url", ...(await inUrl(context, first)) },
    { check: "cookie-lifetime", ...lifetime(cookie, first.trial) },
    { check: "fixation", ...(await fixation(context, cookie)) },
    { check: "rotation", ...(await rotation(context, first.identity, cookie)) },
    { check: "sign-out", ...(await signOut(context, second.identity)) },
    { check: "sign-out-everywhere", ...(await signOutEverywhere(context)) },
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
