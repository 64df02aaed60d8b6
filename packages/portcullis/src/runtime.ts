import type { CryptoKey } from "jose";
import type { Hashing } from "./environment.ts";
import type { AuditSink } from "./events/sink.ts";
import type { ListenOptions, Listening, Served } from "./listen.ts";

/**
 * The few things that differ between Node and other runtimes. `#runtime` in package.json picks the implementation:
 * `adapters/node-runtime.ts` on Node, `web-runtime.ts` elsewhere.
 */
export interface Runtime {
  readonly hashing: Hashing;
  /**
   * Whether `key` verifies a compact JWS that `readCompactJws` has read, under the key's own algorithm; throws or rejects
   * where it cannot decide.
   */
  verifySignature(token: string, key: CryptoKey, algorithm: string): boolean | Promise<boolean>;
  /** `count` bytes from the platform's cryptographic generator. */
  randomBytes(count: number): Uint8Array;
  /** 22 characters of base64url, at least 128 random bits. */
  newId(): string;
  /** Milliseconds that never step back. */
  monotonic(): number;
  /** UTF-8 bytes of a text. */
  utf8(text: string): Uint8Array;
  /** A variable of the environment; undefined where there is none. */
  variable(name: string): string | undefined;
  /** Runs `work` once after `delayMs`; does not keep the process alive. */
  schedule(delayMs: number, work: () => void): void;
  /** Where records go when nothing is said. */
  standardSink(): AuditSink;
  /** Serves an API; refuses on runtimes without sockets. */
  listen(api: Served, options: ListenOptions): Promise<Listening>;
}
