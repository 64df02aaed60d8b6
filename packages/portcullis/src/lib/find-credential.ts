import type { Exchange, SentCredential } from "../exchange.ts";
import type { Carrier } from "../credential.ts";
import type { ApiPlan, PlannedVerifier } from "../plan.ts";
import { Refusal } from "../refusal.ts";
import { readCookies } from "./cookies.ts";
import { Unreadable } from "./unreadable.ts";

const invalid: readonly string[] = Object.freeze(["www-authenticate", 'Bearer error="invalid_token"']);

/**
 * Finds the one credential of a request without proving it, and keeps it on the exchange: the rate limiter asks before
 * the authentication gate does.
 */
export function credentialFinder(api: ApiPlan): (x: Exchange) => SentCredential | Refusal | undefined {
  const bearers = api.verifiers.filter(({ credential }) => credential.carrier.in === "authorization");
  const named = api.verifiers.flatMap((verifier) =>
    verifier.credential.carrier.in === "header"
      ? [{ verifier, header: verifier.credential.carrier.header.toLowerCase() }]
      : [],
  );
  const cookied = api.verifiers.flatMap((verifier) =>
    verifier.credential.carrier.in === "cookie" ? [{ verifier, cookies: verifier.credential.carrier.cookies }] : [],
  );

  return function findCredential(x) {
    if (x.credential === "unread") x.credential = look(x);
    return x.credential;
  };

  function look(x: Exchange): SentCredential | Refusal | undefined {
    let found: SentCredential | undefined;
    const authorization = x.headers["authorization"];
    if (authorization !== undefined) {
      found = findBearer(authorization);
      if (found === undefined) {
        const details = bearers.length === 0 ? {} : { headers: invalid };
        return new Refusal("bad-credential", "Authorization is nothing this API knows", details);
      }
    }
    for (const { verifier, header } of named) {
      const value = x.headers[header];
      if (value === undefined) continue;
      if (found !== undefined) return new Refusal("several-credentials", `Authorization and ${header}`);
      found = { verifier, value, known: verifier.verifier.cached(value) };
    }
    const cookie = cookied.length === 0 ? undefined : x.headers["cookie"];
    if (cookie === undefined) return found;
    for (const { verifier, cookies } of cookied) {
      const values = readCookies(cookie, cookies);
      if (values instanceof Unreadable) return new Refusal("bad-header", `${values.reason} ${values.where}`);
      const present = cookies.filter((name) => values[name] !== undefined && values[name] !== "");
      if (present.length === 0) continue;
      if (found !== undefined) return several(x, found.verifier, verifier);
      const value = present.map((name) => `${name}=${values[name] ?? ""}`).join("; ");
      found = { verifier, value, known: verifier.verifier.cached(value) };
    }
    return found;
  }

  /** A client can leave its header out. A browser cannot: whoever has two sessions would be refused until they end. */
  function several(x: Exchange, first: PlannedVerifier, second: PlannedVerifier): Refusal {
    const { carrier } = first.credential;
    if (carrier.in !== "cookie") return new Refusal("several-credentials", "a header credential and a cookie");
    x.clearedCookies = [...clearable(carrier), ...clearable(second.credential.carrier)];
    return new Refusal("several-credentials", "cookies of two credentials");
  }

  function findBearer(authorization: string): SentCredential | undefined {
    const value = bearerValue(authorization);
    if (value === undefined) return undefined;
    // What was proved before was read then; only a new value is looked at character by character.
    for (const verifier of bearers) {
      const known = verifier.verifier.cached(value);
      if (known !== undefined) return { verifier, value, known };
    }
    const verifier = isToken68(value) ? bearers.find((one) => one.verifier.recognises(value)) : undefined;
    return verifier === undefined ? undefined : { verifier, value, known: undefined };
  }
}

/** Those that nobody else renews. */
function clearable(carrier: Carrier): readonly string[] {
  return carrier.in === "cookie" && carrier.kept !== true ? carrier.cookies : [];
}

/** What stands after exactly `Bearer` and one blank; undefined for every other scheme. @see RFC 6750 section 2.1 */
function bearerValue(authorization: string): string | undefined {
  if (authorization.length < 8 || authorization.charCodeAt(6) !== 0x20) return undefined;
  if (!authorization.startsWith("Bearer") && authorization.slice(0, 6).toLowerCase() !== "bearer") return undefined;
  return authorization.slice(7);
}

/** Whether a text has only the characters of a bearer token. @see RFC 6750 section 2.1 */
function isToken68(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const isAllowed =
      (code >= 0x30 && code <= 0x39) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x61 && code <= 0x7a) ||
      code === 0x2d ||
      code === 0x2e ||
      code === 0x5f ||
      code === 0x7e ||
      code === 0x2b ||
      code === 0x2f ||
      code === 0x3d;
    if (!isAllowed) return false;
  }
  return true;
}
