import type { Problem } from "../environment.ts";
import { normalTyp } from "./compact-jws.ts";
import type { JwtKeys } from "./jwt-keys.ts";
import type { CallerMapping } from "./token-caller.ts";
import type { ClaimRules, ProvedClaims } from "./token-claims.ts";
import type { TokenRevocations } from "./token-revocations.ts";
import { verifiedCacheDefaults, type VerifiedCacheOptions } from "./verified-cache.ts";

/** Which tokens an API accepts. Everything a token could say of itself is decided here instead. */
export interface JwtOptions extends CallerMapping {
  /** Whose tokens: `iss` must be exactly this. */
  readonly issuer: string;
  /** This API's name at the issuer: `aud` must contain one of these. Give this, `authorizedParties`, or both. */
  readonly audience?: string | readonly string[];
  /** Clients whose tokens count: `azp` must be one of these. For issuers that write no audience. */
  readonly authorizedParties?: readonly string[];
  /** `jwksUrl(...)`, `jwks(...)`, `publicKey(...)` or `secret(...)`; several at once while keys rotate. */
  readonly keys: JwtKeys | readonly JwtKeys[];
  /** Accepted `typ` headers; default `at+jwt` and `JWT`. A token without `typ` is refused. */
  readonly typ?: string | readonly string[];
  /**
   * Accepts tokens without `typ` as well, held to what is asked of a plain JWT, for issuers that write none. The reason
   * is kept in the manifest. Default: such a token is refused.
   */
  readonly dangerouslyUntypedTokens?: string;
  /**
   * What else makes a token none for this API: the private reason, or undefined where nothing speaks against it. Asked
   * once, after everything else was proved; throwing means "could not decide". Default: nothing.
   */
  readonly refuses?: (claims: ProvedClaims) => string | undefined;
  /** Oldest token accepted, by `iat`, whatever its `exp` says, 1 .. 86_400 s; default 3600. */
  readonly maxAgeSeconds?: number;
  /** How far the issuer's clock may be off, 0 .. 120 s; default 30. */
  readonly clockSkewSeconds?: number;
  /** Takes tokens back before they expire. Default: none. */
  readonly revocations?: TokenRevocations;
  /** Distinct among an API's credentials; default `jwt`. */
  readonly name?: string;
  /** Bounds of the cache of verified tokens. */
  readonly cache?: VerifiedCacheOptions;
}

/** The defaults of {@link JwtOptions}. */
export const jwtDefaults = Object.freeze({
  typ: Object.freeze(["at+jwt", "JWT"]),
  maxAgeSeconds: 3_600,
  clockSkewSeconds: 30,
  name: "jwt",
  cache: verifiedCacheDefaults,
});

/** The options in the form the verifier uses, copied, so that changing them later changes nothing. */
export interface JwtSettings {
  readonly name: string;
  readonly rules: ClaimRules;
  /** Accepted `typ` in normal form. */
  readonly typ: ReadonlySet<string>;
  /** Why a token without `typ` counts as a plain JWT; undefined where it does not. */
  readonly untyped: string | undefined;
  readonly refuses: JwtOptions["refuses"];
  readonly keys: readonly JwtKeys[];
  readonly mapping: CallerMapping;
  readonly revocations: TokenRevocations | undefined;
  readonly cache: Required<VerifiedCacheOptions>;
}

/** Fills in the defaults and copies. Judges nothing: that is {@link jwtProblems}. */
export function readJwtOptions(options: JwtOptions): JwtSettings {
  const { subject, tenant, scopes, rolesFromToken } = options;
  return Object.freeze({
    name: options.name ?? jwtDefaults.name,
    rules: Object.freeze({
      issuer: options.issuer,
      audience: options.audience === undefined ? undefined : new Set(listOf(options.audience)),
      authorizedParties: options.authorizedParties === undefined ? undefined : new Set(options.authorizedParties),
      maxAgeSeconds: options.maxAgeSeconds ?? jwtDefaults.maxAgeSeconds,
      clockSkewSeconds: options.clockSkewSeconds ?? jwtDefaults.clockSkewSeconds,
    }),
    typ: new Set(listOf(options.typ ?? jwtDefaults.typ).map(normalTyp)),
    untyped: options.dangerouslyUntypedTokens,
    refuses: options.refuses,
    keys: listOf(options.keys),
    mapping: Object.freeze({
      ...(subject && { subject }),
      ...(tenant && { tenant }),
      ...(scopes && { scopes }),
      ...(rolesFromToken && { rolesFromToken }),
    }),
    revocations: options.revocations,
    cache: { ...jwtDefaults.cache, ...options.cache },
  });
}

/** Everything that is wrong with the options; any one stops the process before it listens. */
export function jwtProblems(options: JwtOptions, settings: JwtSettings): readonly Problem[] {
  const { name, rules, typ, keys, cache } = settings;
  const problems: Problem[] = [];
  const add = (field: string, problem: string, fix: string) => problems.push({ where: name, field, problem, fix });

  if (typeof rules.issuer !== "string" || !/^[\x21-\x7e]+$/.test(rules.issuer)) {
    add(
      "issuer",
      "the issuer is missing or has white space in it",
      "Write the iss of your tokens, exactly as it stands there.",
    );
  }
  if (rules.audience === undefined && rules.authorizedParties === undefined) {
    add(
      "audience",
      "neither audience nor authorizedParties is given, so a token meant for another API would pass",
      "Write the aud of your tokens, or authorizedParties where the issuer writes azp only.",
    );
  }
  for (const field of ["audience", "authorizedParties"] as const) {
    const allowed = rules[field];
    if (allowed === undefined || (allowed.size > 0 && [...allowed].every(isText))) continue;
    add(field, `${field} is empty or has an empty entry`, "List at least one text, or leave it out.");
  }
  if (typ.size === 0 || typ.has("")) add("typ", "no typ is accepted", 'Leave it out, or name one such as "at+jwt".');
  if (settings.untyped !== undefined && settings.untyped.trim() === "") {
    add("dangerouslyUntypedTokens", "the reason is empty", "Say why the issuer writes no typ.");
  }
  if (!isWhole(rules.maxAgeSeconds, 1, 86_400)) {
    add("maxAgeSeconds", "maxAgeSeconds is out of range", "Use a whole number from 1 to 86400; 3600 is the default.");
  }
  if (!isWhole(rules.clockSkewSeconds, 0, 120)) {
    add("clockSkewSeconds", "clockSkewSeconds is out of range", "Use a whole number from 0 to 120; 30 is the default.");
  }
  if (keys.length === 0) add("keys", "no key is given", "Use jwksUrl(...), publicKey(...) or secret(...).");
  for (const { problem, fix } of keys.flatMap((one) => one.problems())) add("keys", problem, fix);
  if (new Set(keys.map((one) => one.kind === "secret")).size > 1) {
    add(
      "keys",
      "a secret and public keys share one verifier, so a public key could be taken for the secret",
      "Give each its own jwt(...), with its own issuer.",
    );
  }
  if (!isWhole(cache.maxEntries, 2, 1_000_000)) {
    add("cache", "cache.maxEntries is out of range", "Use a whole number from 2 to 1000000.");
  }
  if (!isWhole(cache.maxBytes, 65_536, 2 ** 30)) {
    add("cache", "cache.maxBytes is out of range", "Use a whole number from 65536 to 1073741824.");
  }
  if (!isText(name)) add("name", "the name is empty", "Leave it out, or name the credential.");
  for (const option of Object.keys(options)) {
    if (OPTION_NAMES.has(option)) continue;
    add(option, `jwt has no option ${option}`, `Use one of ${[...OPTION_NAMES].join(", ")}.`);
  }
  return problems;
}

/** Every option there is; the type makes a missing one an error. */
const OPTION_NAMES: ReadonlySet<string> = new Set(
  Object.keys({
    issuer: 0,
    audience: 0,
    authorizedParties: 0,
    keys: 0,
    typ: 0,
    dangerouslyUntypedTokens: 0,
    refuses: 0,
    maxAgeSeconds: 0,
    clockSkewSeconds: 0,
    subject: 0,
    tenant: 0,
    scopes: 0,
    rolesFromToken: 0,
    revocations: 0,
    name: 0,
    cache: 0,
  } satisfies Record<keyof JwtOptions, 0>),
);

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return isList(value) ? [...value] : [value];
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
