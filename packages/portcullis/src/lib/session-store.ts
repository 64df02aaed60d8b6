import type { MaybePromise } from "./maybe-promise.ts";

/** What is kept of a session: everything but the id in the cookie. */
export interface SessionRecord {
  /** SHA-256 of the cookie, name and id, base64url, 43 characters; unique in the store. */
  readonly idHash: string;
  /** Whose session it is. */
  readonly subject: string;
  readonly tenant: string | undefined;
  readonly scopes: readonly string[];
  /** What handlers need besides, as JSON has it. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Unix milliseconds, like every time here. */
  readonly startedAt: number;
  /** May lag behind by a minute. */
  readonly lastSeenAt: number;
  /** When it ends however much it is used. */
  readonly endsAt: number;
  /** Milliseconds without a use that end it. */
  readonly idleMs: number;
}

/**
 * Keeps sessions. Every method may answer at once or later; throwing means "could not decide" and refuses the request.
 * Nothing is cached in front of a store, so a session that was ended is over with the next request on every instance.
 * One contract suite runs on every implementation: `test/sessions/session-store-contract.ts`.
 */
export interface SessionStore {
  /**
   * Keeps a new session, and ends the subject's oldest beyond {@link mostOfSubject}: who signs in again and again would
   * fill the store, and nobody else could.
   *
   * @throws where the id is taken, or there is no room
   */
  insert(record: SessionRecord): MaybePromise<void>;
  /** The session as it is now; undefined where there is none. One whose time is up may or may not be there any more. */
  find(idHash: string): MaybePromise<SessionRecord | undefined>;
  /** Notes a use. Never moves the time back and never brings back a session that was ended; an unknown one is ignored. */
  touch(idHash: string, at: number): MaybePromise<void>;
  /** Ends one session for good; without effect where there is none. */
  end(idHash: string): MaybePromise<void>;
  /**
   * Ends all sessions of a subject for good.
   *
   * @param except  the one that stays, such as the one that asked for it
   * @returns how many it ended
   */
  endAll(subject: string, except?: string): MaybePromise<number>;
}

/** Sessions one subject may have at a time: more than anybody has browsers. */
export const mostOfSubject = 100;

/** Whether a session still holds, by its absolute and its idle end. */
export function holds({ endsAt, lastSeenAt, idleMs }: SessionRecord, at: number): boolean {
  return at < endsAt && at - lastSeenAt < idleMs;
}
