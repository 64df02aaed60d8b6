import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign as signBytes,
  timingSafeEqual,
  verify as verifyBytes,
} from "node:crypto";
import type { Switch } from "../mutants.ts";
import { audience, issuer, tokenSeconds, userIds } from "../product/people.ts";
import { scopes } from "../product/schemas.ts";

/** Who a token proved, as far as this product reads it. */
export interface TokenClaims {
  readonly sub: string;
  readonly tid: string;
  readonly scope: string;
}

/**
 * Signs and verifies access tokens: by a shared secret, or by a private key whose public half is published.
 *
 * @see RFC 8725 (JWT best current practices), RFC 9068 (access tokens)
 */
export function createTokens(algorithm: "HS256" | "RS256", mutant: Switch) {
  const secret = mutant("jwt-weak-secret") ? "secret" : randomBytes(48).toString("base64url");
  const pair = algorithm === "RS256" ? (rsa ??= generateKeyPairSync("rsa", { modulusLength: 2048 })) : undefined;
  const publicPem = pair?.publicKey.export({ type: "spki", format: "pem" }).toString() ?? "";

  function sign(sub: string, tid: string): string {
    const now = Math.floor(Date.now() / 1000);
    const head = encode({ alg: algorithm, typ: "at+jwt", ...(pair === undefined ? {} : { kid: "2026" }) });
    const claims = { iss: issuer, aud: audience, sub, tid, scope: scopes.join(" "), iat: now, jti: randomUUID() };
    const text = `${head}.${encode({ ...claims, exp: now + tokenSeconds })}`;
    const signature = pair === undefined ? mac(secret, text) : signBytes("sha256", Buffer.from(text), pair.privateKey);
    return `${text}.${signature.toString("base64url")}`;
  }

  function verify(token: string): TokenClaims | undefined {
    const [head = "", body = "", signature = "", ...more] = token.split(".");
    const header = decode(head);
    const claims = decode(body);
    if (header === undefined || claims === undefined || more.length > 0) return undefined;
    if (!isSigned(header, `${head}.${body}`, Buffer.from(signature, "base64url"))) return undefined;
    const { exp, nbf, iat, iss, aud, sub, tid, scope } = claims;
    const now = Date.now() / 1000;
    if (!mutant("jwt-exp") && !(typeof exp === "number" && exp > now - SKEW)) {
      if (!(mutant("jwt-no-exp") && exp === undefined)) return undefined;
    }
    if (!mutant("jwt-nbf") && nbf !== undefined && !(typeof nbf === "number" && nbf < now + SKEW)) return undefined;
    if (typeof iat !== "number" || iat > now + SKEW) return undefined;
    if (!mutant("jwt-old") && iat < now - MAX_AGE) return undefined;
    if (!mutant("jwt-issuer") && iss !== issuer) return undefined;
    if (!mutant("jwt-audience") && aud !== audience && !(Array.isArray(aud) && aud.includes(audience)))
      return undefined;
    if (!mutant("jwt-type") && header["typ"] !== "at+jwt") return undefined;
    if (typeof sub !== "string" || !Object.values<string>(userIds).includes(sub)) return undefined;
    return { sub, tid: typeof tid === "string" ? tid : "", scope: typeof scope === "string" ? scope : "" };
  }

  function isSigned(header: Claims, text: string, signature: Buffer): boolean {
    const { alg } = header;
    if (mutant("jwt-not-verified")) return true;
    if (typeof alg !== "string" || header["crit"] !== undefined) return false;
    if (mutant("jwt-none") && alg.toLowerCase() === "none") return true;
    if (mutant("jwt-none-spelt") && alg !== "none" && alg.toLowerCase() === "none") return true;
    if (mutant("jwt-key-confusion") && alg === "HS256") return isEqual(mac(publicPem, text), signature);
    if (mutant("jwt-embedded-key") && isKey(header["jwk"])) {
      const key = importKey(header["jwk"]);
      return key !== undefined && verifyWith(key, text, signature);
    }
    if (alg !== algorithm) return false;
    if (pair !== undefined) return verifyWith(pair.publicKey, text, signature);
    const right = mac(secret, text);
    if (mutant("jwt-empty-signature")) return isEqual(right.subarray(0, signature.length), signature);
    return isEqual(right, signature);
  }

  return {
    sign,
    verify,
    /** What a test may sign with: the secret or the private key. */
    testKey: pair?.privateKey.export({ type: "pkcs8", format: "pem" }).toString() ?? secret,
    publicPem,
    /** The published keys; undefined where there is a secret instead. */
    jwks:
      pair === undefined
        ? undefined
        : { keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "2026", alg: "RS256", use: "sig" }] },
  };
}

export type Tokens = ReturnType<typeof createTokens>;

type Claims = Readonly<Record<string, unknown>>;

const SKEW = 30;
const MAX_AGE = 3600;

/** Made once per process, because it takes a tenth of a second. */
let rsa: { readonly publicKey: KeyObject; readonly privateKey: KeyObject } | undefined;

function mac(secret: string, text: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}

function isEqual(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

function verifyWith(key: KeyObject, text: string, signature: Buffer): boolean {
  try {
    // An elliptic key signs in the form JWS wants.
    return verifyBytes("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }, signature);
  } catch {
    return false;
  }
}

function isKey(value: unknown): value is JsonWebKey {
  return typeof value === "object" && value !== null;
}

function importKey(key: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch {
    return undefined;
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}
