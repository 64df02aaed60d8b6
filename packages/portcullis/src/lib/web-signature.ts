import { compactVerify, errors, type CryptoKey } from "jose";

/**
 * Whether a key verifies a compact JWS, through WebCrypto.
 *
 * @param key        imported for exactly this algorithm
 * @param algorithm  the key's own, never the token's choice
 * @throws Error where it could not be decided
 * @see RFC 7515 section 5.2
 */
export async function verifyWithWebCrypto(token: string, key: CryptoKey, algorithm: string): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [algorithm] });
    return true;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false;
    throw error;
  }
}
