import type { SecurityEvent } from "./events/event.ts";

/** Wall and monotonic time, injected so that tests can move it. Both in milliseconds. */
export interface Clock {
  /** Unix time in milliseconds; may step. For token times and records. */
  now(): number;
  /** Never steps back. For limits, caches and durations. */
  monotonic(): number;
}

/**
 * The few hash functions the library needs. Node answers synchronously (about 5 us), WebCrypto with a promise; callers
 * handle both, so that nothing waits where nothing has to.
 */
export interface Hashing {
  /** SHA-256 of `data`, 32 bytes. @see FIPS 180-4 */
  sha256(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** HMAC-SHA-256 of `data` under `key`, 32 bytes. @see RFC 2104 */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** HMAC-SHA-512 of `data` under `key`, 64 bytes. @see RFC 2104 */
  hmacSha512(key: Uint8Array, data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** What gates and verifiers may use of the world outside; made once by `createApi`. */
export interface Environment {
  readonly clock: Clock;
  readonly hashing: Hashing;
  /** `count` cryptographically random bytes. */
  randomBytes(count: number): Uint8Array;
  /** Hands one typed event to every sink; never throws. */
  emit(event: SecurityEvent): void;
  /** Outgoing HTTPS; replaced in tests by a real server on loopback, never by a mock. */
  readonly fetch: typeof fetch;
}

/** A mistake of the developer that stops the process before it listens. */
export interface Problem {
  /** Where: `GET /v1/projects/:id`, `createApi` or `jwt`. */
  readonly where: string;
  /** Which field of the policy or option. */
  readonly field: string;
  /** What is wrong, one sentence. */
  readonly problem: string;
  /** What to write instead, one sentence. */
  readonly fix: string;
}
