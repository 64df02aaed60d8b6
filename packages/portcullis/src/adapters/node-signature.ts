import { constants, createHmac, KeyObject, timingSafeEqual, verify, type SigningOptions } from "node:crypto";
import type { CryptoKey } from "jose";
import { verifyWithWebCrypto } from "../lib/web-signature.ts";

/**
 * Whether a key verifies a compact JWS, decided at once: through `node:crypto` an HMAC takes a fifteenth of what
 * WebCrypto's way through another thread costs, an elliptic curve half, so that a flood of forged tokens costs as little
 * as it can.
 *
 * @param token      header, payload and signature in canonical base64url, as `readCompactJws` has read them
 * @param key        imported for exactly this algorithm; one that may not be exported is left to WebCrypto
 * @param algorithm  the key's own, never the token's choice
 * @throws Error for an algorithm that is none of ours, and where the platform cannot decide
 * @see RFC 7515 section 5.2, RFC 7518 section 3, RFC 8037 section 3.1
 */
export function verifyWithNode(token: string, key: CryptoKey, algorithm: string): boolean | Promise<boolean> {
  if (!key.extractable) return verifyWithWebCrypto(token, key, algorithm);
  const how = ways.get(algorithm);
  if (how === undefined) throw new Error(`no way to verify ${algorithm}`);
  const end = token.lastIndexOf(".");
  const signed = Buffer.from(token.slice(0, end), "latin1");
  const signature = Buffer.from(token.slice(end + 1), "base64url");
  const prepared = prepare(key);
  if (!how.hmac) return verify(how.hash, signed, { key: prepared, ...how.options }, signature);
  const expected = createHmac(how.hash, prepared).update(signed).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

type Way =
  | { readonly hmac: true; readonly hash: string }
  | { readonly hmac: false; readonly hash: string | null; readonly options: SigningOptions };

const ed25519: Way = { hmac: false, hash: null, options: {} };

const ways: ReadonlyMap<string, Way> = new Map([
  ...["256", "384", "512"].flatMap((bits): [string, Way][] => {
    const hash = `sha${bits}`;
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    return [
      [`HS${bits}`, { hmac: true, hash }],
      [`RS${bits}`, { hmac: false, hash, options: { padding: constants.RSA_PKCS1_PADDING } }],
      [`PS${bits}`, { hmac: false, hash, options: pss }],
      // JWS writes r and s side by side, not as DER.
      [`ES${bits}`, { hmac: false, hash, options: { dsaEncoding: "ieee-p1363" } }],
    ];
  }),
  ["EdDSA", ed25519],
  ["Ed25519", ed25519],
]);

const preparedKeys = new WeakMap<CryptoKey, KeyObject>();

function prepare(key: CryptoKey): KeyObject {
  const known = preparedKeys.get(key);
  if (known !== undefined) return known;
  const prepared = KeyObject.from(key);
  preparedKeys.set(key, prepared);
  return prepared;
}
