/** Claims of a token whose signature was verified and whose every rule below was met. */
export interface ProvedClaims extends Readonly<Record<string, unknown>> {
  readonly iss: string;
  readonly sub: string;
  readonly exp: number;
  readonly iat: number;
  readonly nbf?: number;
  readonly jti?: string;
}

/** What a token's claims are held against. */
export interface ClaimRules {
  readonly issuer: string;
  /** One of these must be in `aud`; undefined where `azp` is asked instead. */
  readonly audience: ReadonlySet<string> | undefined;
  /** `azp` must be one of these; undefined where `aud` is asked instead. */
  readonly authorizedParties: ReadonlySet<string> | undefined;
  readonly maxAgeSeconds: number;
  readonly clockSkewSeconds: number;
}

/** When a token counts; all in seconds since 1970. */
export interface TokenTimes {
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number | undefined;
}

/**
 * Holds verified claims against the rules. Absent means refused, for everything the rules name.
 *
 * @param typ  the token's `typ` as {@link normalTyp} gives it
 * @returns the claims, now with their types, or a private reason
 * @see RFC 7519 section 4.1, RFC 8725 sections 3.8 to 3.12, RFC 9068 section 4
 */
export function checkClaims(
  claims: Readonly<Record<string, unknown>>,
  typ: string,
  rules: ClaimRules,
  nowSeconds: number,
): ProvedClaims | string {
  if (!hasRegisteredTypes(claims))
    return `a registered claim is missing or malformed: ${malformedIn(claims).join(", ")}`;
  if (claims.iss !== rules.issuer) return "issuer is not the configured one";
  if (rules.audience !== undefined && !isFor(claims.aud, rules.audience)) return "audience is not this API";
  if (rules.authorizedParties !== undefined && !isFor(claims["azp"], rules.authorizedParties)) {
    return "authorized party is not allowed";
  }
  if (typ === "jwt") {
    // An ID token says who signed in to a client; it was never meant for an API, and in OpenID Connect it is a plain JWT.
    for (const name of MARKS_OF_OTHER_TOKENS) if (name in claims) return `a token with ${name} is no access token`;
  }
  // RFC 9449 section 7.1 and RFC 8705 section 3: whoever cannot check the binding must not treat it as a bearer token.
  if ("cnf" in claims) return "bound to a key whose proof cannot be checked here";
  return whyNotNow({ exp: claims.exp, iat: claims.iat, nbf: claims.nbf }, rules, nowSeconds) ?? claims;
}

/**
 * Why a token does not count at this moment, or undefined where it does. Asked at every use, cached or not.
 *
 * Skew is granted to `exp`, `nbf` and an `iat` of the near future. The greatest age has none: it is our own promise.
 */
export function whyNotNow(times: TokenTimes, rules: ClaimRules, nowSeconds: number): string | undefined {
  const { exp, iat, nbf } = times;
  if (nowSeconds >= exp + rules.clockSkewSeconds) return "expired";
  if (nbf !== undefined && nowSeconds < nbf - rules.clockSkewSeconds) return "not valid yet";
  if (iat > nowSeconds + rules.clockSkewSeconds) return "issued in the future";
  if (nowSeconds - iat > rules.maxAgeSeconds) return "issued too long ago";
  return undefined;
}

const MARKS_OF_OTHER_TOKENS = ["nonce", "at_hash", "c_hash", "s_hash", "events"] as const;

interface RegisteredClaims extends ProvedClaims {
  readonly aud?: string | readonly string[];
}

function hasRegisteredTypes(claims: Readonly<Record<string, unknown>>): claims is RegisteredClaims & typeof claims {
  return malformedIn(claims).length === 0;
}

/** Names of the registered claims that are not there, or not of their type; never their values, which are the caller's. */
function malformedIn(claims: Readonly<Record<string, unknown>>): readonly string[] {
  return REGISTERED.filter(([name, isRight]) => !isRight(claims[name])).map(([name]) => name);
}

const isTextIfThere = (value: unknown) => value === undefined || isText(value);

const REGISTERED: readonly (readonly [name: string, isRight: (value: unknown) => boolean])[] = [
  ["iss", isText],
  ["sub", isText],
  ["exp", isNumericDate],
  ["iat", isNumericDate],
  ["nbf", (value) => value === undefined || isNumericDate(value)],
  ["jti", isTextIfThere],
  ["azp", isTextIfThere],
  ["client_id", isTextIfThere],
  ["aud", (value) => isTextIfThere(value) || (Array.isArray(value) && value.length > 0 && value.every(isText))],
];

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** Up to the end of the year 9999; a text, NaN or infinity is no date, and a date that is none must not skip its check. */
function isNumericDate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 253_402_300_799;
}

function isFor(claim: unknown, allowed: ReadonlySet<string>): boolean {
  if (typeof claim === "string") return allowed.has(claim);
  return Array.isArray(claim) && claim.some((one: unknown) => typeof one === "string" && allowed.has(one));
}
