import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";

/** A new secret of 256 bits, as 43 characters of base64url. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is stored of a secret of 256 bits: its SHA-256, base64url. @see OWASP ASVS 5.0 6.5.2 */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/**
 * Encrypts a text so that only who has `secret` can read it (AES-256-GCM under HKDF-SHA-256).
 *
 * @param purpose  what it is for; what was sealed for one purpose does not open for another
 * @see RFC 5869, NIST SP 800-38D
 */
export function seal(text: string, secret: string | Uint8Array, purpose: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", keyFor(secret, purpose), nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
}

/** Opens what {@link seal} made. @returns undefined where the secret or the purpose is another, or a bit was changed */
export function unseal(sealed: string, secret: string | Uint8Array, purpose: string): string | undefined {
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.length < 28) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", keyFor(secret, purpose), bytes.subarray(0, 12), {
    authTagLength: 16,
  });
  decipher.setAuthTag(bytes.subarray(12, 28));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8");
  } catch {
    return undefined;
  }
}

function keyFor(secret: string | Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, "", `portcullis ${purpose}`, 32));
}
