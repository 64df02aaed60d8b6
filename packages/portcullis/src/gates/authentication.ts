import type { Caller } from "../caller.ts";
import type { Exchange, Outcome, SentCredential } from "../exchange.ts";
import type { HeaderGate, RouteGate } from "../gate.ts";
import { isBasic } from "../lib/basic-credentials.ts";
import { basicChallengeOf, challengeOf } from "../lib/challenge.ts";
import { credentialFinder } from "../lib/find-credential.ts";
import { isPromise } from "../lib/maybe-promise.ts";
import { withinTime } from "../lib/within-time.ts";
import { Refusal } from "../refusal.ts";

/**
 * Proves who is calling. A route that is not public needs a caller; a header credential that is there and bad is 401 on
 * every route, public ones too; a bad cookie is cleared and counts as absent, or nobody could sign in again. Two kinds
 * of credential in one request are 400: nobody can say which one the client meant.
 *
 * @returns step; refuses with `no-credential`, `bad-credential`, `bad-token`, `bad-api-key` (401),
 *   `several-credentials` (400), `verifier-unavailable` (503)
 * @see RFC 9110 section 11.6 (Authorization, WWW-Authenticate), RFC 6750, OWASP ASVS 5.0 8.3.1 and 16.5.3
 */
export const authentication: RouteGate = (api, route) => {
  const find = credentialFinder(api);
  const rolesOf = api.config.roles;
  const isPublic = route.access.public;
  const takesBasic = isPublic && route.body?.basic !== undefined;

  return function proveCaller(x) {
    const found = find(x);
    // There it is a part of the form, which the handler proves.
    if (takesBasic && isBasic(x.headers["authorization"])) return undefined;
    if (found instanceof Refusal) return found;
    if (found === undefined) return isPublic ? undefined : new Refusal("no-credential", "none");
    if (found.known !== undefined) return admit(x, found.known);
    try {
      const proved = found.verifier.verifier.verify(found.value, {
        id: x.id,
        address: x.address?.text ?? "unknown",
      });
      if (!isPromise(proved)) return decide(x, found, proved);
      const late = (): Refusal => new Refusal("verifier-unavailable", "the verifier does not answer");
      return withinTime(api.deadlines, route.timeoutMs, proved, late).then(
        (verdict) => decide(x, found, verdict),
        (error: unknown) => couldNotDecide(error),
      );
    } catch (error) {
      return couldNotDecide(error);
    }
  };

  function decide(x: Exchange, found: SentCredential, proved: Caller | Refusal): Outcome | Promise<Outcome> {
    if (!(proved instanceof Refusal)) {
      if (!isCaller(proved)) return couldNotDecide(new TypeError("the verifier answered something that is no caller"));
      api.provedBefore.add(found.value);
      return admit(x, proved);
    }
    if (proved.status === 503) return proved;
    api.provedBefore.delete(found.value);
    const { carrier } = found.verifier.credential;
    if (carrier.in !== "cookie") return proved;
    // A kept one is not cleared and counts like the others: as a guess for the limiter, as no answer for a cache.
    x.clearedCookies = carrier.kept === true ? NONE : carrier.cookies;
    return isPublic ? undefined : new Refusal("no-credential", proved.reason);
  }

  function admit(x: Exchange, caller: Caller): Outcome | Promise<Outcome> {
    if (rolesOf === undefined) {
      x.caller = caller;
      return undefined;
    }
    try {
      const roles = rolesOf(caller);
      if (!isPromise(roles)) {
        x.caller = withRoles(caller, roles);
        return undefined;
      }
      const late = (): readonly string[] => {
        throw new Error("the roles function does not answer");
      };
      const known = withinTime(api.deadlines, route.timeoutMs, roles, late);
      return known
        .then((found) => {
          x.caller = withRoles(caller, found);
          return undefined;
        })
        .catch(rolesUnknown);
    } catch (error) {
      return rolesUnknown(error);
    }
  }
};

const NONE: readonly string[] = Object.freeze([]);

/**
 * Says with every 401 how one proves oneself here, where the refusal does not say it itself; a handler's own too.
 *
 * @see RFC 9110 section 15.5.2, RFC 6750 section 3.1 (no error code where no credential was sent)
 */
export const challenge: HeaderGate = (api) => {
  const challenges = challengeOf(api.config.name, api.config.credentials);
  const basic = basicChallengeOf(api.config.name);

  return function addChallenge(x, headers) {
    if (x.status !== 401) return;
    const said = x.refusal?.headers?.some((part, i) => i % 2 === 0 && part.toLowerCase() === "www-authenticate");
    if (said === true) return;
    const triedBasic = x.route?.body?.basic !== undefined && isBasic(x.headers["authorization"]);
    headers.push("www-authenticate", triedBasic ? basic : challenges);
  };
};

/** A verifier may be the application's own, and not every one is checked by a compiler. */
function isCaller(proved: unknown): boolean {
  return typeof proved === "object" && proved !== null && "subject" in proved && isName(proved.subject);
}

function isName(subject: unknown): boolean {
  return typeof subject === "string" && subject !== "";
}

/** A verifier that throws has not said no, and the gate stays closed all the same. */
function couldNotDecide(cause: unknown): Refusal {
  return new Refusal("verifier-unavailable", "the verifier threw", { cause });
}

/** A caller whose roles nobody knows may hold any or none: nobody is let in. */
function rolesUnknown(cause: unknown): Refusal {
  return new Refusal("verifier-unavailable", "the roles function failed", { cause });
}

function withRoles(caller: Caller, roles: readonly string[]): Caller {
  // A text would give a role for each of its letters.
  if (!Array.isArray(roles)) throw new TypeError("the roles function answered no list");
  return Object.freeze({ ...caller, roles: Object.freeze([...roles]) });
}
