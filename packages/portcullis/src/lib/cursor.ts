import { Unreadable } from "./unreadable.ts";

/** Seals and opens cursors; only who holds the key can make one. */
export interface Cursors {
  /** @param position any JSON value @param binding what the cursor is good for; another binding does not open it */
  seal(position: unknown, binding: string): Promise<string>;
  /** The position, or why there is none; never throws on what a client sent. */
  open(sealed: string, binding: string): Promise<{ readonly value: unknown } | Unreadable<"cursor-not-ours">>;
}

const nonceBytes = 12;
const tagBytes = 16;
const maxSealedLength = 4_096;
const notOurs = Object.freeze(new Unreadable("cursor-not-ours"));

/**
 * Cursors under AES-256-GCM with a random nonce, base64url. A client can neither read nor make nor change one, nor use
 * another caller's.
 *
 * @param secret       at least 32 bytes; hashed into the key
 * @param randomBytes  cryptographically random
 * @see NIST SP 800-38D
 */
export function createCursors(secret: Uint8Array, randomBytes: (count: number) => Uint8Array): Cursors {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  // Imported on first use, so that building an API has no asynchronous part.
  let imported: Promise<CryptoKey> | undefined;
  const key = (): Promise<CryptoKey> => (imported ??= importKey(secret));

  return {
    async seal(position, binding) {
      const iv = new Uint8Array(randomBytes(nonceBytes));
      const params = { name: "AES-GCM", iv, additionalData: encoder.encode(binding) };
      const plain = encoder.encode(JSON.stringify(position));
      const sealed = new Uint8Array(await crypto.subtle.encrypt(params, await key(), plain));
      const bytes = new Uint8Array(iv.length + sealed.length);
      bytes.set(iv);
      bytes.set(sealed, iv.length);
      return btoa(String.fromCharCode(...bytes))
        .replaceAll("+", "-")
        .replaceAll("/", "_")
        .replace(/=+$/, "");
    },
    async open(sealed, binding) {
      const bytes = fromBase64Url(sealed);
      if (bytes === undefined || bytes.length < nonceBytes + tagBytes) return notOurs;
      const params = { name: "AES-GCM", iv: bytes.slice(0, nonceBytes), additionalData: encoder.encode(binding) };
      try {
        const plain = await crypto.subtle.decrypt(params, await key(), bytes.slice(nonceBytes));
        return { value: JSON.parse(decoder.decode(plain)) };
      } catch {
        return notOurs;
      }
    },
  };
}

async function importKey(secret: Uint8Array): Promise<CryptoKey> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(secret));
  return crypto.subtle.importKey("raw", digest, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** Bytes of a canonical base64url text; a second spelling of the same bytes is not accepted. */
function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > maxSealedLength || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const again = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
    return again === text ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : undefined;
  } catch {
    return undefined;
  }
}
