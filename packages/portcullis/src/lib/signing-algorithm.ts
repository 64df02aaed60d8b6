/** Signature algorithms a key can be pinned to: those of RFC 7518 and RFC 8037 that are not broken, `none` not among them. */
export type SigningAlgorithm = SymmetricAlgorithm | RsaAlgorithm | "ES256" | "ES384" | "ES512" | "Ed25519";

/** HMAC with SHA-2. @see RFC 7518 section 3.2 */
export type SymmetricAlgorithm = "HS256" | "HS384" | "HS512";

/** RSA, PKCS #1 v1.5 or PSS; the one family where the key alone does not say which. @see RFC 7518 sections 3.3, 3.5 */
export type RsaAlgorithm = "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512";

/** What a public key is, as far as it decides which signatures it may verify. */
export type KeyShape =
  | { readonly kind: "rsa"; readonly bits: number; readonly exponent: ExponentClaim }
  | { readonly kind: "ec"; readonly curve: string }
  | { readonly kind: "ed25519" };

type ExponentClaim = "sound" | "unsound";

/**
 * The one algorithm of a key: the key's type decides, and only for RSA has anybody a say.
 *
 * @param named  what the key's own `alg` or the option says; must agree with the type
 * @returns the algorithm, or why there is none
 * @see RFC 8725 section 3.1 (each key is used with exactly one algorithm), RFC 7518 section 3.3 (RSA of at least 2048 bits)
 */
export function pinAlgorithm(
  shape: KeyShape,
  named: string | undefined,
): { pinned: SigningAlgorithm } | { why: string } {
  if (shape.kind === "rsa") {
    if (shape.bits < 2048) return { why: `an RSA key of ${shape.bits} bits is too short` };
    if (shape.exponent === "unsound")
      return { why: "an RSA key with an even exponent or the exponent 1 proves nothing" };
    const pinned = named === undefined ? "RS256" : RSA.find((one) => one === named);
    return pinned === undefined ? { why: "an RSA key cannot have the algorithm named for it" } : { pinned };
  }
  if (shape.kind === "ec") {
    const pinned = CURVES.get(shape.curve);
    if (pinned === undefined) return { why: "its curve is not P-256, P-384 or P-521" };
    return named === undefined || named === pinned
      ? { pinned }
      : { why: `a key on ${shape.curve} is for ${pinned} only` };
  }
  return named === undefined || ED25519_NAMES.includes(named)
    ? { pinned: "Ed25519" }
    : { why: "an Ed25519 key is for EdDSA only" };
}

/** The spellings of `alg` in a token that mean this algorithm: RFC 9864 gave EdDSA over Ed25519 a second name. */
export function headerNames(algorithm: SigningAlgorithm): readonly string[] {
  return algorithm === "Ed25519" ? ED25519_NAMES : [algorithm];
}

const RSA: readonly RsaAlgorithm[] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const CURVES: ReadonlyMap<string, SigningAlgorithm> = new Map([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
]);
const ED25519_NAMES: readonly string[] = Object.freeze(["EdDSA", "Ed25519"]);
