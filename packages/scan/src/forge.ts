import { createPrivateKey } from "node:crypto";
import { base64url, CompactSign, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import type { Token } from "./identities.ts";
import { isRecord, type JsonRecord, parseJson, textAt } from "./json.ts";
import { ScanError } from "./scan-error.ts";

/** Makes JSON Web Tokens that an issuer would never make. */

/** A token with the parts of another one and any of them replaced; nothing is signed. */
export function reassembled(
  token: Token,
  change: { header?: JsonRecord; claims?: JsonRecord; signature?: string },
): string {
  const header = change.header === undefined ? token.parts[0] : encoded(change.header);
  const claims = change.claims === undefined ? token.parts[1] : encoded(change.claims);
  return `${header}.${claims}.${change.signature ?? token.parts[2]}`;
}

function encoded(value: JsonRecord): string {
  return base64url.encode(JSON.stringify(value));
}

/** The signature with one bit changed in its middle, so that its length and its encoding stay valid. */
export function flippedSignature(signature: string): string {
  const bytes = Buffer.from(signature, "base64url");
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  return bytes.toString("base64url");
}

/** Signs tokens with the test key of the scan. */
export interface Signer {
  /** Signs whatever it is given; the header's `alg` must fit the key. */
  sign(header: JsonRecord, claims: JsonRecord): Promise<string>;
}

/**
 * Reads the test signing key: a PEM private key, a private JWK as JSON, or else a shared secret as text.
 *
 * @throws ScanError when it looks like a PEM or JWK and cannot be read
 */
export async function signerOf(key: string, algorithm: string): Promise<Signer> {
  const material = await keyOf(key, algorithm);
  return {
    sign: (header, claims) =>
      new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
        .setProtectedHeader({ ...header, alg: textAt(header, "alg") ?? algorithm })
        .sign(material),
  };
}

async function keyOf(key: string, algorithm: string): Promise<Parameters<CompactSign["sign"]>[0]> {
  try {
    if (key.includes("-----BEGIN")) return createPrivateKey(key);
    const jwk = parseJson(key);
    if (isRecord(jwk) && typeof jwk["kty"] === "string") return await importJWK({ ...jwk, kty: jwk["kty"] }, algorithm);
  } catch (cause) {
    throw new ScanError("the key given with --jwt-key cannot be read", { cause });
  }
  return new TextEncoder().encode(key);
}

/**
 * A key pair of our own, for tokens that bring their key along.
 *
 * @param algorithm  what its tokens are signed with: `RS256`, `PS384`, `ES256`, `EdDSA` and the like; default ES256
 */
export async function strangerKey(algorithm = "ES256"): Promise<{ signer: Signer; jwk: JWK }> {
  const known = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/.test(algorithm) ? algorithm : "ES256";
  const pair = await generateKeyPair(known, { extractable: true });
  return {
    jwk: await exportJWK(pair.publicKey),
    signer: {
      sign: (header, claims) =>
        new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
          .setProtectedHeader({ ...header, alg: known })
          .sign(pair.privateKey),
    },
  };
}
