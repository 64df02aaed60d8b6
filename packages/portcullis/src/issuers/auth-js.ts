import { compactDecrypt } from "jose";
import type { Credential } from "../credential.ts";
import type { Problem } from "../environment.ts";
import { issuedSession } from "../gates/sessions.ts";
import { isCanonicalBase64url } from "../lib/base64url.ts";
import { isRecord } from "../lib/compact-jws.ts";
import { deepFreeze } from "../lib/deep-freeze.ts";
import { secret } from "../lib/jwt-keys.ts";
import type { JwtOptions } from "../lib/jwt-options.ts";
import { readJson } from "../lib/read-json.ts";
import { callerOfToken, type CallerMapping } from "../lib/token-caller.ts";
import { checkClaims } from "../lib/token-claims.ts";
import { Unreadable } from "../lib/unreadable.ts";
import { Refusal } from "../refusal.ts";
import { chunkNames, joinChunks } from "./cookie-chunks.ts";
import { issuerNameProblems, subjectOf, type FoundSubject } from "./found-subject.ts";
import type { IssuerCookieOptions } from "./issuer-options.ts";

/** What both kinds of Auth.js session have. */
interface AuthJsCookieOptions extends IssuerCookieOptions {
  /** Distinct among an API's credentials; also the issuer its subjects are told apart by. Default `authjs`. */
  readonly name?: string;
}

/** How Auth.js seals its session cookie. */
export interface AuthJsOptions extends CallerMapping, AuthJsCookieOptions {
  /** `AUTH_SECRET`, at least 32 bytes; several at once while it rotates. */
  readonly secret: string | readonly string[];
  /**
   * Oldest cookie accepted, since Auth.js last renewed it, whatever its `exp` says, 1 .. 2_592_000 s; default 86_400.
   * Nobody can take such a cookie back before.
   */
  readonly maxAgeSeconds?: number;
  /** What else makes a session none for this API. Default: nothing. */
  readonly refuses?: JwtOptions["refuses"];
}

/** The defaults of {@link AuthJsOptions}. */
export const authJsDefaults = Object.freeze({
  cookie: "__Secure-authjs.session-token",
  maxAgeSeconds: 86_400,
  name: "authjs",
});

/**
 * Accepts the encrypted session cookie of Auth.js (next-auth 5) with the `jwt` strategy: opened with a key derived from
 * the secret and the cookie's name, `exp`, `iat` and `sub` required. The cookie is neither renewed nor cleared here. The
 * csrf gate applies. Throws nothing: a mistake in the options stops the start (`StartRefused`).
 *
 * Without a database adapter Auth.js makes up a new `sub` at every sign-in: then say with `subject` what stays the same.
 *
 * @see https://authjs.dev/concepts/session-strategies, RFC 7516 (JWE), RFC 5869 (HKDF)
 */
export function authJs(options: AuthJsOptions): Credential {
  const {
    cookie = authJsDefaults.cookie,
    name = authJsDefaults.name,
    subject,
    tenant,
    scopes,
    rolesFromToken,
  } = options;
  const maxAgeSeconds = options.maxAgeSeconds ?? authJsDefaults.maxAgeSeconds;
  const secrets = [options.secret].flat();
  const mapping: CallerMapping = Object.freeze({
    ...(subject && { subject }),
    ...(tenant && { tenant }),
    ...(scopes && { scopes }),
    ...(rolesFromToken && { rolesFromToken }),
  });
  return issuedSession({
    ...common(options, name),
    cookies: chunkNames(cookie),
    mapsSubject: subject !== undefined,
    problems: () => optionProblems(name, secrets, maxAgeSeconds),
    describe: () => ({ maxAgeSeconds, rolesFromToken: rolesFromToken !== undefined }),
    resolver(environment) {
      const keys = Promise.all(secrets.map((one) => deriveKey(one, cookie)));
      // Whoever waits for the keys is told; until then a failure is nobody's unhandled rejection.
      keys.catch(() => undefined);
      const rules = {
        issuer: name,
        audience: undefined,
        authorizedParties: undefined,
        maxAgeSeconds,
        clockSkewSeconds: 30,
      };
      return async (cookies) => {
        const joined = joinChunks(cookie, cookies);
        if (typeof joined === "string") return refused(joined);
        const payload = await open(joined.value, await keys);
        if (payload === undefined) return refused("no secret opens the cookie");
        const json = readJson(payload, PAYLOAD_LIMITS);
        if (json instanceof Unreadable || !isRecord(json)) return refused("the cookie holds no JSON object");
        // The secret is what proved whose cookie it is; an iss a callback wrote into it is not.
        const claims = checkClaims(deepFreeze({ ...json, iss: name }), "authjs", rules, environment.clock.now() / 1000);
        if (typeof claims === "string") return refused(claims);
        const against = options.refuses?.(claims);
        if (against !== undefined) return refused(against);
        const caller = callerOfToken(claims, mapping);
        if (typeof caller === "string") return refused(caller);
        return { ...caller, claims };
      };
    },
  });
}

/** Where Auth.js keeps its sessions. */
export interface AuthJsDatabaseOptions extends AuthJsCookieOptions {
  /** The adapter Auth.js itself is configured with. */
  readonly adapter: {
    readonly getSessionAndUser?:
      | ((sessionToken: string) => AuthJsFound | null | PromiseLike<AuthJsFound | null>)
      | undefined;
  };
  /** Default: the user's id. */
  readonly subject?: FoundSubject<AuthJsFound>;
  /** The user's tenant. Default: none. */
  readonly tenant?: (found: AuthJsFound) => string | undefined;
}

/** What an Auth.js adapter finds. */
export interface AuthJsFound {
  readonly session: { readonly userId: string; readonly expires: Date };
  readonly user: { readonly id: string };
}

/**
 * Accepts the session cookie of Auth.js with the `database` strategy: its adapter is asked on every request, so that a
 * session that was deleted is over at once. The cookie is neither renewed nor cleared here. The csrf gate applies.
 */
export function authJsDatabase(options: AuthJsDatabaseOptions): Credential {
  const { adapter, cookie = authJsDefaults.cookie, name = authJsDefaults.name, subject, tenant } = options;
  return issuedSession({
    ...common(options, name),
    cookies: [cookie],
    mapsSubject: subject !== undefined,
    problems: () => [
      ...(adapter.getSessionAndUser === undefined ? [{ where: name, ...NO_SESSIONS }] : []),
      ...issuerNameProblems(name),
    ],
    resolver: (environment) => async (cookies) => {
      const found = await adapter.getSessionAndUser?.(cookies[cookie] ?? "");
      if (found === null || found === undefined) return null;
      const { session, user } = found;
      // A date that is none compares as false and must not count as the future.
      if (!(session.expires.getTime() > environment.clock.now())) return refused("expired");
      if (session.userId !== user.id) return refused("the session is another user's");
      const who = subjectOf(subject, name, user.id, found);
      return who === undefined ? refused("no subject") : { subject: who, tenant: tenant?.(found), claims: { user } };
    },
  });
}

function common(options: AuthJsCookieOptions, name: string) {
  const { dangerouslyUnprefixedCookie } = options;
  return {
    name,
    issuer: name,
    keepBadCookie: true,
    ...(dangerouslyUnprefixedCookie !== undefined && { dangerouslyUnprefixedCookie }),
  };
}

/** The content of a sealed cookie, opened with the one algorithm Auth.js seals with; the cookie gets no choice of it. */
async function open(sealed: string, keys: readonly Uint8Array[]): Promise<Uint8Array | undefined> {
  // Decoders that are kind would give one cookie many spellings. There is no encrypted key, so one part is empty.
  if (!sealed.split(".").every((part) => part === "" || isCanonicalBase64url(part))) return undefined;
  for (const key of keys) {
    try {
      return (await compactDecrypt(sealed, key, ALGORITHMS)).plaintext;
    } catch {
      // Another secret may open it.
    }
  }
  return undefined;
}

/** 512 bits for A256CBC-HS512, as Auth.js derives them: the cookie's name is the salt, so cookies cannot be swapped. */
async function deriveKey(secretText: string, cookie: string): Promise<Uint8Array> {
  const utf8 = new TextEncoder();
  const material = await crypto.subtle.importKey("raw", utf8.encode(secretText), "HKDF", false, ["deriveBits"]);
  const info = utf8.encode(`Auth.js Generated Encryption Key (${cookie})`);
  const bits = { name: "HKDF", hash: "SHA-256", salt: utf8.encode(cookie), info };
  return new Uint8Array(await crypto.subtle.deriveBits(bits, material, 512));
}

function refused(reason: string): Refusal {
  return new Refusal("bad-credential", reason);
}

function optionProblems(name: string, secrets: readonly string[], maxAgeSeconds: number): readonly Problem[] {
  const problems: Problem[] = [...issuerNameProblems(name)];
  const add = (field: string, problem: string, fix: string) => problems.push({ where: name, field, problem, fix });
  if (secrets.length === 0 || secrets.some((one) => typeof one !== "string")) {
    add("secret", "no secret is given", "Give AUTH_SECRET; npx auth secret makes one.");
  } else {
    for (const { problem, fix } of secrets.flatMap((one) => secret(one).problems())) add("secret", problem, fix);
  }
  if (!Number.isInteger(maxAgeSeconds) || maxAgeSeconds < 1 || maxAgeSeconds > 2_592_000) {
    add(
      "maxAgeSeconds",
      "maxAgeSeconds is out of range",
      "Use a whole number from 1 to 2592000; 86400 is the default.",
    );
  }
  return problems;
}

const ALGORITHMS = {
  keyManagementAlgorithms: ["dir"],
  contentEncryptionAlgorithms: ["A256CBC-HS512"],
  // Nothing compressed is opened (RFC 8725 section 3.6).
  maxDecompressedLength: 0,
};
const PAYLOAD_LIMITS = Object.freeze({ maxDepth: 12, maxKeys: 1_000 });
const NO_SESSIONS = Object.freeze({
  field: "adapter",
  problem: "the adapter keeps no sessions",
  fix: "Use authJs({ secret }) for the jwt strategy.",
});
