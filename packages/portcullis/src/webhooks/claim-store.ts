import type { MaybePromise } from "../lib/maybe-promise.ts";

/**
 * Remembers which deliveries were taken on, so that one that comes twice runs once: claim → process → done.
 *
 * A delivery is *free* (nobody works on it), *claimed* (somebody does, until the lease ends) or *done* (it ran, and does
 * not run again while that is remembered). Every method is one atomic step, over everything that shares the store, and may
 * answer at once or later. Throwing means "could not decide": the request is refused with 503 and nothing runs.
 *
 * Time is the store's own clock, never the caller's: a lease is as long for every process that sees it.
 * One contract suite runs on every implementation: `test/webhooks/claim-store-contract.ts`.
 */
export interface ClaimStore {
  /** Which store it is, in the manifest and in messages: `memory`, `embedded`, `redis`, … */
  readonly kind: string;
  /**
   * Who shares what it remembers. `process`: forgotten when the process ends, so several instances or a store that must
   * outlive a restart are start-up problems; `machine`: all processes of one machine; `network`: all instances.
   */
  readonly reach: "process" | "machine" | "network";
  /**
   * Takes a delivery on, if it is free. Of any number of concurrent calls for one free key exactly one gets `claimed`.
   * A claim whose lease has ended is free again. Once `claimed` is returned, a crash of the caller loses nothing: the
   * lease ends by itself.
   *
   * @param key      1 .. 128 characters of base64url; the same text is the same delivery
   * @param leaseMs  how long the claim holds without `done` or `release`, 1 .. 86_400_000 ms
   * @throws where the store cannot be reached, or has no room for one more and may not forget any
   */
  claim(key: string, leaseMs: number): MaybePromise<Claim>;
  /**
   * Notes that the claimed delivery ran. Once this has returned true, `claim` answers `done` for at least `atLeastMs`,
   * and up to `keepMs` where there is room; afterwards the key is free. A store that outlives a restart keeps that
   * promise through a crash.
   *
   * @param token  what `claim` gave; nobody else can end the claim
   * @returns false, and nothing changed, where the claim is no longer held: its lease has ended and it was taken by
   *   somebody else, done by somebody else, or released. A lease that ended and was taken by nobody may still be done.
   * @throws where the store cannot be reached
   */
  done(key: string, token: string, times: DoneTimes): MaybePromise<boolean>;
  /**
   * Gives the claim back, so that the next delivery runs at once. Without effect, and without an error, where `token` no
   * longer holds it.
   *
   * @throws where the store cannot be reached; the lease then ends by itself
   */
  release(key: string, token: string): MaybePromise<void>;
}

/** What became of a claim. */
export type Claim =
  /** It is ours until the lease ends. `token` is unguessable or at least never given twice for one key. */
  | { readonly state: "claimed"; readonly token: string }
  /** Somebody works on it. `forMs`: at most this long, above 0; rounded up. */
  | { readonly state: "held"; readonly forMs: number }
  /** It ran. */
  | { readonly state: "done" };

/** How long a done delivery is remembered, in milliseconds; `atLeastMs <= keepMs`. */
export interface DoneTimes {
  /** It must not run again for this long: as long as its signature counts. Never forgotten earlier, whatever the room. */
  readonly atLeastMs: number;
  /** It should not run again for this long: as long as its sender retries. Forgotten earlier only to make room. */
  readonly keepMs: number;
}
