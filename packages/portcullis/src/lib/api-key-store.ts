import type { MaybePromise } from "./maybe-promise.ts";

/** What is kept of an API key: everything but the key. */
export interface ApiKeyRecord {
  /** Public id, part of the key; unique in the store. */
  readonly id: string;
  /** SHA-256 of the whole key's UTF-8 bytes, or HMAC-SHA-256 under the pepper; 32 bytes. */
  readonly hash: Uint8Array;
  /** Who created it and who calls with it; taken from the proved caller, never from a request's body. */
  readonly subject: string;
  readonly tenant: string | undefined;
  readonly scopes: readonly string[];
  /** How often it may be used, one of `apiKeys({ rates })`, such as `60/min`; undefined for no limit of its own. */
  readonly rate?: string | undefined;
  /** What the owner calls it. */
  readonly name: string;
  /** `live`, `test`, …: which deployment it is for. */
  readonly environment: string;
  /** First 12 characters of the key, to tell keys apart in a list. */
  readonly displayPrefix: string;
  /** Unix milliseconds, like every time here. */
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  /** To the minute; may lag behind. */
  readonly lastUsedAt: number | undefined;
  /** Id of the key that took its place when it was rotated. */
  readonly replacedBy: string | undefined;
}

/**
 * Keeps API keys. Every method may answer at once or later; throwing means "could not decide" and refuses the request.
 * One contract suite runs on every implementation: `test/credentials/api-key-store.contract.ts`.
 */
export interface ApiKeyStore {
  /** Keeps a new record; once this has returned, neither a crash nor a kill loses it. @throws where the id is taken */
  insert(record: ApiKeyRecord): MaybePromise<void>;
  /** The record as it is now; undefined where there is none. */
  find(id: string): MaybePromise<ApiKeyRecord | undefined>;
  /** A subject's records, newest first, revoked and expired ones too. @param limit most of them, 1 .. 1000 */
  listBySubject(subject: string, limit: number): MaybePromise<readonly ApiKeyRecord[]>;
  /**
   * Revokes for good; a second time changes nothing. Once this has returned, neither a crash nor a kill undoes it.
   *
   * @param at  Unix milliseconds
   * @returns false where there is no such key
   */
  revoke(id: string, at: number): MaybePromise<boolean>;
  /**
   * Replaces a key by a successor in one step: keeps `successor`, notes it in the old record and lets the old one expire
   * at `oldExpiresAt`, or earlier where it would anyway. All of it happens or nothing, also when the process is killed.
   *
   * @returns false, and nothing changed, where the old key is missing, revoked, expired at `successor.createdAt` or was
   *   replaced before; so of several concurrent rotations exactly one succeeds
   * @throws where the successor's id is taken
   */
  rotate(id: string, successor: ApiKeyRecord, oldExpiresAt: number): MaybePromise<boolean>;
  /** Notes a use. Never moves the time back; an unknown id is ignored. May be lost by a crash. */
  touch(id: string, at: number): MaybePromise<void>;
  /**
   * A number that differs once any record was revoked or rotated, and only then trusted: while it stays the same, what
   * was read before still holds. Asked at every use of a cached key, so it answers at once. Undefined where the store
   * cannot know now, such as a lost push channel: then nothing read longer than `revocationSeconds` ago counts.
   */
  generation(): number | undefined;
}
