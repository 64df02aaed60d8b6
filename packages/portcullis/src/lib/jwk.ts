import { base64url, type JWK } from "jose";
import { isRecord } from "./compact-jws.ts";
import { headerNames, pinAlgorithm, type KeyShape, type SigningAlgorithm } from "./signing-algorithm.ts";
import { rsaShape } from "./spki.ts";

/** A public key from a JWK that may verify signatures. */
export interface PublicJwk {
  readonly kid: string | undefined;
  readonly algorithm: SigningAlgorithm;
  /** Only the members that make the key; everything else of the JWK is left behind. */
  readonly jwk: JWK;
}

/** A JWK nobody verifies with. */
export interface RefusedJwk {
  /** Why, without a word of the key itself. */
  readonly why: string;
  /** True where it is harmless and simply meant for something else; false where somebody should be told. */
  readonly harmless: boolean;
}

/**
 * Reads one JWK as a public key for signatures. A secret, a private key, a short RSA key and an algorithm that does not
 * belong to the key's type are refused; a key for encryption or of an unknown type is passed over.
 *
 * @param named  algorithm an option names for RSA keys; a JWK's own `alg` must agree
 * @see RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2
 */
export function readPublicJwk(value: unknown, named?: string): PublicJwk | RefusedJwk {
  if (!isRecord(value)) return { why: "it is no JSON object", harmless: false };
  const { kty, use, key_ops, alg, kid } = value;
  if (kty === "oct" || "k" in value) return { why: "it is a symmetric key", harmless: false };
  if ("d" in value || "priv" in value) return { why: "it is a private key", harmless: false };
  if (use !== undefined && use !== "sig") return { why: "it is not for signatures", harmless: true };
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes("verify"))) {
    return { why: "it is not for verifying", harmless: true };
  }
  if (alg !== undefined && typeof alg !== "string") return { why: "its alg is no text", harmless: false };
  if (kid !== undefined && typeof kid !== "string") return { why: "its kid is no text", harmless: false };
  const read = readMaterial(value);
  if (read === undefined) return { why: "it is neither RSA, nor ECDSA, nor Ed25519", harmless: true };
  if (alg !== undefined && named !== undefined && !sameAlgorithm(alg, named)) {
    return { why: "its alg is not the one the option names", harmless: false };
  }
  const pinned = pinAlgorithm(read.shape, alg ?? named);
  if ("why" in pinned) return { why: pinned.why, harmless: false };
  return { kid, algorithm: pinned.pinned, jwk: read.jwk };
}

function sameAlgorithm(left: string, right: string): boolean {
  return left === right || [left, right].every((name) => headerNames("Ed25519").includes(name));
}

function readMaterial(value: Readonly<Record<string, unknown>>): { shape: KeyShape; jwk: JWK } | undefined {
  const { kty, crv, n, e, x, y } = value;
  if (kty === "RSA" && typeof n === "string" && typeof e === "string") {
    return { shape: rsaShape(bytesOf(n), bytesOf(e)), jwk: { kty, n, e } };
  }
  if (kty === "EC" && typeof crv === "string" && typeof x === "string" && typeof y === "string") {
    return { shape: { kind: "ec", curve: crv }, jwk: { kty, crv, x, y } };
  }
  if (kty === "OKP" && crv === "Ed25519" && typeof x === "string") {
    return { shape: { kind: "ed25519" }, jwk: { kty, crv, x } };
  }
  return undefined;
}

function bytesOf(text: string): Uint8Array {
  try {
    return base64url.decode(text);
  } catch {
    return new Uint8Array();
  }
}
