import type { Hashing } from "../environment.ts";

/** Names accounts in records without naming them. */
export interface Accounts {
  /** 16 characters of base64url: a keyed hash, the same for the same name under the same key. Undefined while it is being made. */
  hash(name: string): string | undefined;
}

/** Hashes kept; a busy API meets the same callers again and again. */
const kept = 10_000;

/**
 * HMAC-SHA-256 cut to 96 bits: long enough to tell accounts apart, useless without the key.
 *
 * @param key  at least 32 bytes
 */
export function createAccounts(hashing: Hashing, key: Uint8Array): Accounts {
  const encoder = new TextEncoder();
  const known = new Map<string, string>();

  function keep(name: string, digest: Uint8Array): string {
    const text = btoa(String.fromCharCode(...digest.subarray(0, 12)))
      .replaceAll("+", "-")
      .replaceAll("/", "_");
    // The oldest goes; whoever is still active comes back at the cost of one hash.
    if (known.size >= kept)
      for (const oldest of known.keys()) {
        known.delete(oldest);
        break;
      }
    known.set(name, text);
    return text;
  }

  return {
    hash(name) {
      const before = known.get(name);
      if (before !== undefined) return before;
      const digest = hashing.hmacSha256(key, encoder.encode(name));
      if (!(digest instanceof Promise)) return keep(name, digest);
      void digest.then((late) => keep(name, late));
      return undefined;
    },
  };
}
