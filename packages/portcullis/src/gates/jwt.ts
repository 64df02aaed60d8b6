import type { Caller } from "../caller.ts";
import type { Credential, CredentialVerifier } from "../credential.ts";
import type { Environment } from "../environment.ts";
import { isRecord, normalTyp, readCompactJws, tokenMaxLength } from "../lib/compact-jws.ts";
import { deepFreeze } from "../lib/deep-freeze.ts";
import { jwtProblems, readJwtOptions, type JwtOptions, type JwtSettings } from "../lib/jwt-options.ts";
import { findSigningKey, type SigningKey } from "../lib/jwt-signature.ts";
import { occasionalEvent } from "../lib/occasional-event.ts";
import { OptionsError } from "../lib/options-error.ts";
import { readJson } from "../lib/read-json.ts";
import { callerOfToken } from "../lib/token-caller.ts";
import { checkClaims, whyNotNow, type ProvedClaims, type TokenTimes } from "../lib/token-claims.ts";
import { Unreadable } from "../lib/unreadable.ts";
import { createVerifiedCache } from "../lib/verified-cache.ts";
import { Refusal } from "../refusal.ts";

/**
 * Accepts signed tokens (JWT) in `Authorization: Bearer`. Signature, algorithm, `typ`, `iss`, `aud` or `azp`, `exp`,
 * `nbf`, `iat` and `sub` are all checked and all but `nbf` required; the algorithm is pinned by the key, and keys come
 * from here and never from the token. A verified token is remembered; every later use looks at its times, its key and
 * its revocation again.
 *
 * @returns a credential for `createApi`; refuses with `bad-token` (401), or `verifier-unavailable` (503) where the
 *   issuer's keys could not be had
 * @see RFC 8725 (JWT best current practice), RFC 9068 (JWT access tokens), RFC 6750 section 3 (401 answers)
 */
export function jwt(options: JwtOptions): Credential {
  const settings = readJwtOptions(options);
  const { name, rules, typ, keys } = settings;
  return {
    protection: "jwt",
    name,
    carrier: { in: "authorization" },
    issuer: rules.issuer,
    mapsSubject: options.subject !== undefined,
    problems: () => jwtProblems(options, settings),
    describe: () => ({
      issuer: rules.issuer,
      ...(rules.audience && { audience: [...rules.audience] }),
      ...(rules.authorizedParties && { authorizedParties: [...rules.authorizedParties] }),
      typ: [...typ],
      ...(settings.untyped !== undefined && { dangerouslyUntypedTokens: settings.untyped }),
      maxAgeSeconds: rules.maxAgeSeconds,
      clockSkewSeconds: rules.clockSkewSeconds,
      rolesFromToken: settings.mapping.rolesFromToken !== undefined,
      revocable: settings.revocations !== undefined,
      keys: keys.map((one) => one.describe()),
    }),
    build(environment) {
      const [problem] = jwtProblems(options, settings);
      if (problem !== undefined) throw new OptionsError(`${problem.where}: ${problem.problem}.`, problem.fix);
      return createVerifier(settings, environment);
    },
  };
}

/** A token that was proved. Its times, key and revocation are looked at again at every use. */
interface Entry extends TokenTimes, SigningKey {
  readonly caller: Caller;
  readonly claims: ProvedClaims;
  /** What the revocations' generation was before they were asked about this token. */
  generation: number | undefined;
}

function createVerifier(settings: JwtSettings, environment: Environment): CredentialVerifier {
  const { rules, revocations } = settings;
  const sources = settings.keys.map((keys) => keys.build(environment));
  const algorithms = settings.keys.every((keys) => keys.kind === "secret") ? SYMMETRIC : ASYMMETRIC;
  const cache = createVerifiedCache<Entry>(settings.cache);
  const tellSkew = occasionalEvent(environment, "issuer-clock-skew", "jwt", Number.POSITIVE_INFINITY);
  const seconds = () => environment.clock.now() / 1000;

  /** The entry of a token whose times, key and key source still hold. Revocation is asked apart. */
  function standing(token: string): Entry | undefined {
    const entry = cache.get(token);
    if (entry === undefined) return undefined;
    if (entry.key.retired || whyNotNow(entry, rules, seconds()) !== undefined) {
      cache.delete(token);
      return undefined;
    }
    return entry.source.isCurrent() ? entry : undefined;
  }

  async function prove(token: string): Promise<Entry | Refusal> {
    const jws = readCompactJws(token);
    if (jws instanceof Unreadable) return refused(jws.reason);
    if (!algorithms.has(jws.algorithm)) return refused("alg is not allowed");
    // Without a type it is held to what a plain JWT is held to, and only where somebody wrote down why.
    const typ = jws.typ ?? (settings.untyped === undefined ? undefined : PLAIN);
    if (typ === undefined || (jws.typ !== undefined && !settings.typ.has(typ))) return refused("typ is not accepted");

    const found = await findSigningKey(sources, token, jws.algorithm, jws.kid);
    if (found === "unavailable") return undecided("the issuer's keys could not be had");
    if (found === undefined) return refused("no key verifies the signature");
    // The set may have been fetched again meanwhile: what a removed key signed must not pass, let alone be remembered.
    if (found.key.retired) return refused("its key was removed");

    const claims = readClaims(jws.payload, typ);
    if (typeof claims === "string") return refused(claims);
    try {
      const against = settings.refuses?.(claims);
      if (against !== undefined) return refused(against);
      const caller = callerOfToken(claims, settings.mapping);
      if (typeof caller === "string") return refused(caller);
      return { caller, claims, exp: claims.exp, iat: claims.iat, nbf: claims.nbf, ...found, generation: undefined };
    } catch (cause) {
      return undecided("a mapping of the token's claims threw", cause);
    }
  }

  function readClaims(payload: Uint8Array, typ: string): ProvedClaims | string {
    const json = readJson(payload, PAYLOAD_LIMITS);
    if (json instanceof Unreadable) return json.reason;
    if (!isRecord(json)) return "the payload is no object";
    const now = seconds();
    const issuedAt = json["iat"];
    if (typeof issuedAt === "number" && issuedAt > now + SKEW_TOLD_SECONDS) {
      tellSkew(`the clock of ${rules.issuer} is at least ${Math.floor(issuedAt - now)} s ahead of ours`);
    }
    return checkClaims(deepFreeze(json), typ, rules, now);
  }

  /** Asks the revocations about a proved token, and remembers it where they know nothing against it. */
  async function admit(token: string, entry: Entry): Promise<Caller | Refusal> {
    if (revocations !== undefined) {
      try {
        // Read before asking: whatever is revoked while the answer is on its way makes the entry be asked about again.
        const generation = revocations.generation();
        if (await revocations.isRevoked(entry.claims)) {
          cache.delete(token);
          return refused("revoked");
        }
        entry.generation = generation;
      } catch (cause) {
        return undecided("the revocations could not be asked", cause);
      }
    }
    cache.set(token, entry);
    return entry.caller;
  }

  return {
    recognises(value) {
      return cache.get(value) !== undefined || unprovedIssuer(value) === rules.issuer;
    },
    cached(value) {
      const entry = standing(value);
      if (entry === undefined || revocations === undefined) return entry?.caller;
      try {
        return revocations.generation() === entry.generation ? entry.caller : undefined;
      } catch {
        return undefined; // verify() asks again and says why it could not decide
      }
    },
    async verify(value) {
      // Proved before, but its keys were due for a look or something was revoked since: no second signature check.
      const known = cache.get(value);
      if (known !== undefined) await known.source.keys();
      const entry = standing(value) ?? (await prove(value));
      return entry instanceof Refusal ? entry : admit(value, entry);
    },
  };
}

/** What a token says its issuer is. Chooses a verifier and proves nothing, so a lax reading is enough. */
function unprovedIssuer(token: string): unknown {
  if (token.length > tokenMaxLength) return undefined;
  const [, payload, signature, more] = token.split(".", 4);
  if (payload === undefined || signature === undefined || more !== undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return isRecord(claims) ? claims["iss"] : undefined;
  } catch {
    return undefined;
  }
}

function refused(reason: string): Refusal {
  return new Refusal("bad-token", reason, { headers: INVALID_TOKEN });
}

function undecided(reason: string, cause?: unknown): Refusal {
  return new Refusal("verifier-unavailable", reason, { cause });
}

const INVALID_TOKEN: readonly string[] = Object.freeze(["www-authenticate", 'Bearer error="invalid_token"']);
const PLAIN = normalTyp("JWT");
const PAYLOAD_LIMITS = Object.freeze({ maxDepth: 10, maxKeys: 300 });
/** Well inside the tolerance, so that somebody is told before tokens begin to fail. */
const SKEW_TOLD_SECONDS = 5;

const SYMMETRIC: ReadonlySet<string> = new Set(["HS256", "HS384", "HS512"]);
const ASYMMETRIC: ReadonlySet<string> = new Set(
  "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" "),
);
