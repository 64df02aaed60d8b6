import { isLoopbackName } from "../address.ts";
import { isSuccess } from "../answer.ts";
import type { ProbeContext } from "../context.ts";
import { type Cookie, namedCookies } from "../cookies.ts";
import type { Entrance } from "../entrances.ts";
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
import {
  fixation,
  inUrl,
  type Life,
  lifetime,
  readFor,
  rotation,
  signOut,
  signOutEverywhere,
  tokenSignOut,
} from "../session-life.ts";
import type { Account } from "../account.ts";

/**
 * The cookie's flags, strength and lifetime, fixation, a new id at every sign-in, sign-out of cookies and tokens, here and
 * everywhere, sessions in the URL, and whether sign-in,
 * sign-up or a reset tells who has an account, by words or by time.
 */
export const sessions: Probe = { id: "sessions", plan: planSessions };

function planSessions(context: ProbeContext): readonly Check[] {
  const { signIns, entrances, accounts } = context.sessions;
  const cookies = context.target.policy.credentials.some((entry) => entry.kind === "sessions") || entrances.length > 0;
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
  if (account !== undefined) {
    checks.push(...enumerationChecks(context, account));
    // Signing out everywhere at one entrance would end what another is looking at.
    let before: Promise<unknown> = Promise.resolve();
    const inTurn = async (life: Life): Promise<Outcome> => {
      const own = before.then(() => signOutEverywhere(life));
      before = own.catch(() => {});
      return await own;
    };
    for (const entrance of entrances)
      checks.push({
        check: "cookie",
        operation: entrance.operation,
        run: () => cookieChecks(context, entrance, account, inTurn),
      });
  }
  if (entrances.length === 0) checks.push({ check: "cookie", notApplicable: "No operation starts a cookie session." });
  if (signIns.length > 0) checks.push({ check: "token-sign-out", run: () => tokenSignOut(context) });
  return checks;
}

async function cookieChecks(
  context: ProbeContext,
  entrance: Entrance,
  account: Account,
  everywhere: (life: Life) => Promise<Outcome>,
): Promise<readonly NamedOutcome[]> {
  const { operation } = entrance;
  if (!operation.startsSession && operation.begunBy.length === 0) {
    // Nothing but its path says that it starts a session: it may as well answer a token.
    const { trial, cookie } = await entrance.enter(account);
    if (isSuccess(trial.answer) && cookie === undefined)
      return [{ check: "cookie", ...notApplicable(`${operation.id} sets no cookie.`) }];
  }
  const first = await context.sessions.enter(entrance);
  const second = await context.sessions.enter(entrance);
  const { cookie } = first;
  const read = await readFor(context, first.identity);
  const life: Life = { context, entrance, account, first: first.identity, cookie, read };
  return [
    ...flags(context, cookie, first.trial),
    { check: "cookie-strength", ...strength(first.identity, second.identity, [first.trial, second.trial]) },
    { check: "session-in-url", ...(await inUrl(life, first.trial)) },
    { check: "cookie-lifetime", ...lifetime(cookie, first.trial) },
    { check: "fixation", ...(await fixation(life)) },
    { check: "rotation", ...(await rotation(life)) },
    { check: "sign-out", ...(await signOut(life, second.identity)) },
    { check: "sign-out-everywhere", ...(await everywhere(life)) },
  ];
}

function flags(context: ProbeContext, cookie: Cookie, trial: Trial): readonly NamedOutcome[] {
  // What proves callers is named; another cookie may have to come along from other sites, as a sign-in's own does.
  const exact = namedCookies(context.target).includes(cookie.name);
  const onHost = context.target.source === "manifest" || !isLoopbackName(context.fetcher.url.hostname);
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
    ["cookie-prefix", cookie.name.startsWith("__Host-") || !onHost, "the __Host- prefix"],
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
