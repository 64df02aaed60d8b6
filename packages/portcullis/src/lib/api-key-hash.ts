import type { Hashing } from "../environment.ts";
import type { MaybePromise } from "./maybe-promise.ts";

/**
 * What is stored of a key: a SHA-256 of its whole text, or an HMAC under the pepper. A plain hash is enough for 256
 * random bits; with a pepper, a copy of the store alone cannot even confirm a guess. Hashing the whole text binds prefix,
 * environment and id too, so none of them can be exchanged.
 *
 * @see OWASP ASVS 5.0 section 6.5.2
 */
export function hashApiKey(hashing: Hashing, secret: string, pepper: Uint8Array | undefined): MaybePromise<Uint8Array> {
  const bytes = encoder.encode(secret);
  return pepper === undefined ? hashing.sha256(bytes) : hashing.hmacSha256(pepper, bytes);
}

/** The bytes of a pepper given as text or bytes; a copy. */
export function pepperBytes(pepper: string | Uint8Array | undefined): Uint8Array | undefined {
  return typeof pepper === "string" ? encoder.encode(pepper) : pepper && Uint8Array.from(pepper);
}

/** Shortest pepper, in bytes. */
export const pepperMinBytes = 32;

const encoder = new TextEncoder();
