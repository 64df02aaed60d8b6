import { importJWK, importSPKI, type CryptoKey, type JWK } from "jose";
import type { Environment } from "../environment.ts";
import { readPublicJwk } from "./jwk.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import {
  headerNames,
  pinAlgorithm,
  type KeyShape,
  type RsaAlgorithm,
  type SigningAlgorithm,
  type SymmetricAlgorithm,
} from "./signing-algorithm.ts";
import { readSpki } from "./spki.ts";

/**
 * Where a JWT verifier's keys come from, as configured: what `secret()`, `publicKey()`, `jwks()` and `jwksUrl()` return.
 * Key material stays inside; nothing of it can be printed or serialised from here.
 */
export interface JwtKeys {
  readonly kind: "secret" | "public-key" | "jwks" | "jwks-url";
  /** Mistakes that stop the process before it listens. */
  problems(): readonly KeyProblem[];
  /** What the manifest may say of them. */
  describe(): Readonly<Record<string, unknown>>;
  /** Makes the source a verifier asks. Reads no file and opens no connection; that waits for the first token. */
  build(environment: Environment): KeySource;
}

/** What is wrong with a key, and what to write instead. */
export interface KeyProblem {
  readonly problem: string;
  readonly fix: string;
}

/** Keys as a verifier sees them. */
export interface KeySource {
  /**
   * Whether the keys were confirmed recently enough for what they proved to be answered from a cache. Never waits; may
   * start a refresh in the background, since there are no timers.
   */
  isCurrent(): boolean;
  /** All keys that count now, brought up to date first where that is due; undefined where nobody can say. */
  keys(): MaybePromise<readonly JwtKey[] | undefined>;
  /**
   * No key matched: asks the origin once more, within its budget.
   *
   * @returns whether the keys are others now, or that the origin could not be asked
   */
  lookAgain(kid: string | undefined): MaybePromise<"changed" | "unchanged" | "unavailable">;
}

/** One key, pinned to one algorithm. */
export interface JwtKey {
  readonly kid: string | undefined;
  /** The `alg` header values it verifies: one algorithm in all its spellings. */
  readonly algorithms: readonly string[];
  /** True once its source no longer lists it; everything it ever proved is then worth nothing. */
  readonly retired: boolean;
  /** The prepared key. Imported once, at first use. */
  material(): Promise<CryptoKey>;
}

/** Options of {@link secret}. */
export interface SecretOptions {
  /** Default `HS256`. */
  readonly algorithm?: SymmetricAlgorithm;
  /** Tokens naming another key are not tried with this one. Default: it is tried for every token. */
  readonly kid?: string;
}

/**
 * One secret shared with the issuer. Whoever verifies with it can also sign with it: prefer public keys where you can.
 * Throws nothing: a secret that is too short or repeats a few characters, and an algorithm that is none of the three,
 * stop the start (`StartRefused`). Bytes are copied.
 *
 * @param value    text (its UTF-8 bytes) or bytes, at least as long as the hash: 32, 48 or 64 bytes for HS256, 384, 512
 * @param options  `algorithm`: default HS256; `kid`: default none, so that it is tried for every token
 * @see RFC 7518 section 3.2, RFC 8725 section 3.5
 */
export function secret(value: string | Uint8Array, options: SecretOptions = {}): JwtKeys {
  const { algorithm = "HS256", kid } = options;
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : Uint8Array.from(value);
  return {
    kind: "secret",
    problems: () => secretProblems(bytes, algorithm, typeof value === "string" ? value : undefined),
    describe: () => ({ kind: "secret", algorithm, ...(kid !== undefined && { kid }) }),
    build: () => fixedKeys([staticKey(algorithm, kid, () => importHmac(bytes, algorithm))]),
  };
}

/** Options of {@link publicKey}. */
export interface PublicKeyOptions {
  /** Tokens naming another key are not tried with this one. Default: the JWK's own, else it is tried for every token. */
  readonly kid?: string;
  /** The one algorithm of an RSA key; default the JWK's `alg`, else RS256. For other keys the key itself decides. */
  readonly algorithm?: SigningAlgorithm;
}

/**
 * One public key of the issuer: RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519. A key that cannot be used
 * (private, symmetric, too weak, for another algorithm) throws nothing here and stops the start (`StartRefused`).
 *
 * @param key      a JWK, a PEM text (`-----BEGIN PUBLIC KEY-----`) or a CryptoKey that may verify
 * @param options  `algorithm`: for RSA only, default the key's own, else RS256; `kid`: default the JWK's own, else it is
 *   tried for every token
 * @see RFC 7517 section 4, RFC 7518 section 3, RFC 8037 section 3.1, RFC 8725 section 3.1
 */
export function publicKey(key: JWK | string | CryptoKey, options: PublicKeyOptions = {}): JwtKeys {
  const read = readPublicKey(key, options);
  if (typeof read === "string") return refusedKey("public-key", read);
  return {
    kind: "public-key",
    problems: () => [],
    describe: () => ({
      kind: "public-key",
      algorithm: read.algorithm,
      ...(read.kid !== undefined && { kid: read.kid }),
    }),
    build: () => fixedKeys([staticKey(read.algorithm, read.kid, read.material)]),
  };
}

/** A key that never changes while the process runs. `material` runs once, at first use. */
export function staticKey(
  algorithm: SigningAlgorithm,
  kid: string | undefined,
  material: () => Promise<CryptoKey>,
): JwtKey {
  let imported: Promise<CryptoKey> | undefined;
  return { kid, algorithms: headerNames(algorithm), retired: false, material: () => (imported ??= material()) };
}

/** A source whose keys are known once and for all. */
export function fixedKeys(keys: readonly JwtKey[]): KeySource {
  return { isCurrent: () => true, keys: () => keys, lookAgain: () => "unchanged" };
}

/** A public JWK as the platform's key. */
export async function importPublicJwk(jwk: JWK, algorithm: SigningAlgorithm): Promise<CryptoKey> {
  const imported = await importJWK(jwk, algorithm);
  if (imported instanceof Uint8Array) throw new TypeError("a symmetric key is no public key");
  return imported;
}

interface ReadKey {
  readonly algorithm: SigningAlgorithm;
  readonly kid: string | undefined;
  material(): Promise<CryptoKey>;
}

function readPublicKey(key: JWK | string | CryptoKey, options: PublicKeyOptions): ReadKey | string {
  if (typeof key === "string") {
    const shape = readSpki(key);
    return fromShape(shape, options, (algorithm) => importSPKI(key.trim(), algorithm));
  }
  if (isCryptoKey(key)) {
    const algorithm = options.algorithm ?? rsaAlgorithmOf(key);
    if (algorithm !== (rsaAlgorithmOf(key) ?? algorithm)) return "it was imported for another algorithm";
    return fromShape(shapeOfCryptoKey(key), { ...options, ...(algorithm && { algorithm }) }, async () => key);
  }
  const read = readPublicJwk(key, options.algorithm);
  if ("why" in read) return read.why;
  return {
    algorithm: read.algorithm,
    kid: options.kid ?? read.kid,
    material: () => importPublicJwk(read.jwk, read.algorithm),
  };
}

function fromShape(
  shape: KeyShape | string,
  options: PublicKeyOptions,
  material: (algorithm: SigningAlgorithm) => Promise<CryptoKey>,
): ReadKey | string {
  if (typeof shape === "string") return shape;
  const pinned = pinAlgorithm(shape, options.algorithm);
  if ("why" in pinned) return pinned.why;
  return { algorithm: pinned.pinned, kid: options.kid, material: () => material(pinned.pinned) };
}

function isCryptoKey(key: JWK | CryptoKey): key is CryptoKey {
  return "usages" in key && "algorithm" in key;
}

function shapeOfCryptoKey(key: CryptoKey): KeyShape | string {
  if (key.type === "secret") return "it is a symmetric key";
  if (key.type !== "public") return "it is a private key";
  if (!key.usages.includes("verify")) return "it may not verify";
  const { algorithm } = key;
  if ("modulusLength" in algorithm && typeof algorithm.modulusLength === "number") {
    return { kind: "rsa", bits: algorithm.modulusLength, exponent: "sound" };
  }
  if ("namedCurve" in algorithm && typeof algorithm.namedCurve === "string") {
    return { kind: "ec", curve: algorithm.namedCurve };
  }
  return algorithm.name === "Ed25519" ? { kind: "ed25519" } : "it is neither RSA, nor ECDSA, nor Ed25519";
}

/** An RSA CryptoKey was imported for one padding and one hash, so it names its algorithm itself. */
function rsaAlgorithmOf({ algorithm }: CryptoKey): RsaAlgorithm | undefined {
  if (!("hash" in algorithm)) return undefined;
  const { hash } = algorithm;
  if (typeof hash !== "object" || hash === null || !("name" in hash)) return undefined;
  const family = algorithm.name === "RSA-PSS" ? "PS" : "RS";
  const bits = (["256", "384", "512"] as const).find((one) => hash.name === `SHA-${one}`);
  return bits === undefined ? undefined : `${family}${bits}`;
}

async function importHmac(bytes: Uint8Array, algorithm: SymmetricAlgorithm): Promise<CryptoKey> {
  const hash = `SHA-${algorithm.slice(2)}`;
  return crypto.subtle.importKey("raw", Uint8Array.from(bytes), { name: "HMAC", hash }, true, ["verify"]);
}

const hashBytes = { HS256: 32, HS384: 48, HS512: 64 } as const satisfies Record<SymmetricAlgorithm, number>;

function secretProblems(
  bytes: Uint8Array,
  algorithm: SymmetricAlgorithm,
  text: string | undefined,
): readonly KeyProblem[] {
  const needed = hashBytes[algorithm];
  if (needed === undefined) {
    return [
      { problem: "a secret's algorithm is not HS256, HS384 or HS512", fix: "Leave it out or name one of the three." },
    ];
  }
  const fix = `Generate one with: openssl rand -base64 ${needed + 16}`;
  if (text !== undefined && /^[0-9a-fA-F]+$/.test(text) && text.length < needed * 2) {
    return [{ problem: `a secret of ${text.length} hexadecimal digits has only ${text.length * 4} bits`, fix }];
  }
  if (bytes.length < needed) {
    return [{ problem: `a secret of ${bytes.length * 8} bits is too short for ${algorithm}`, fix }];
  }
  // A random secret of this length misses this by far; a repeated word or a row of the same character does not.
  if (new Set(bytes).size < 8) return [{ problem: "the secret repeats a few characters", fix }];
  return [];
}

/** A key that was refused when it was read: nothing can be built from it. */
function refusedKey(kind: JwtKeys["kind"], why: string): JwtKeys {
  return {
    kind,
    problems: () => [{ problem: `the key cannot be used: ${why}`, fix: FIXES.get(why) ?? FIX_KEY }],
    describe: () => ({ kind }),
    build: () => fixedKeys([]),
  };
}

const FIX_KEY = "Give an RSA key of at least 2048 bits, a P-256, P-384 or P-521 key, or an Ed25519 key.";
const FIXES: ReadonlyMap<string, string> = new Map([
  ["it is a symmetric key", "Use secret(...) for a key that is shared with the issuer."],
  ["it is a private key", "Give only the public part: openssl pkey -in key.pem -pubout"],
  [
    "it is no PEM public key (SPKI)",
    "Take the public key out of a certificate with: openssl x509 -in cert.pem -pubkey -noout",
  ],
]);
