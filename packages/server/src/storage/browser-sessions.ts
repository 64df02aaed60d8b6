import type { Kysely, Selectable } from "kysely";
import type { BrowserSessionTable, Schema } from "./schema.ts";

/** A session as it is stored; times are Unix milliseconds. */
export type BrowserSessionRow = Selectable<BrowserSessionTable>;

/** What a new session begins with. */
export type NewBrowserSession = Omit<BrowserSessionRow, "seen_at" | "ended_at" | "version" | "renewing_until">;

/** Sessions one person may have at a time; the oldest makes room. */
export const mostSessions = 100;

/** Keeps sessions of browsers; every change is one step that happens or does not. */
export interface BrowserSessionStore {
  insert(session: NewBrowserSession): Promise<void>;
  /** The session as it is now, unless it has ended or run out. */
  find(hash: string, now: number): Promise<BrowserSessionRow | undefined>;
  /** Those of one person that have neither ended nor run out, the newest first. */
  list(issuer: string, subject: string, now: number): Promise<readonly BrowserSessionRow[]>;
  /** Notes a use; never moves a time back. */
  touch(hash: string, seenAt: number, idleExpiresAt: number): Promise<void>;
  /** @returns whether this caller, of all that ask at once, renews the tokens of this version */
  claimRenewal(hash: string, version: number, now: number, until: number): Promise<boolean>;
  /** @returns false where the session has ended, or others have renewed it */
  renew(hash: string, version: number, sealed: string): Promise<boolean>;
  /** Lets the next one try. */
  giveUpRenewal(hash: string, version: number): Promise<void>;
  /** Ends it; what was sealed is gone. @returns whether it was this call that ended it */
  end(hash: string, now: number): Promise<boolean>;
  /** @param except  hash of the one that stays @returns how many it ended */
  endAll(issuer: string, subject: string, now: number, except?: string): Promise<number>;
  /** @returns false where this sign-in came back before */
  takeSignIn(hash: string, expiresAt: number): Promise<boolean>;
  /** Takes out what has ended or run out. */
  sweep(now: number): Promise<void>;
}

/** Sessions in the tables. */
export function browserSessionStore(db: Kysely<Schema>): BrowserSessionStore {
  const living = (now: number) =>
    db
      .selectFrom("browser_session")
      .selectAll()
      .where("ended_at", "is", null)
      .where("expires_at", ">", now)
      .where("idle_expires_at", ">", now);
  const standing = (hash: string) =>
    db.updateTable("browser_session").where("hash", "=", hash).where("ended_at", "is", null);

  return {
    async insert(session) {
      await db
        .insertInto("browser_session")
        .values({ ...session, seen_at: session.created_at, ended_at: null, version: 0, renewing_until: null })
        .execute();
      const others = await db
        .selectFrom("browser_session")
        .select("hash")
        .where("issuer", "=", session.issuer)
        .where("subject", "=", session.subject)
        .where("ended_at", "is", null)
        .orderBy("created_at", "desc")
        .offset(mostSessions)
        // SQLite knows no offset without a limit.
        .limit(1000)
        .execute();
      for (const { hash } of others) await endOne(hash, session.created_at);
    },
    find: (hash, now) => living(now).where("hash", "=", hash).executeTakeFirst(),
    list: (issuer, subject, now) =>
      living(now)
        .where("issuer", "=", issuer)
        .where("subject", "=", subject)
        .orderBy("created_at", "desc")
        .limit(mostSessions)
        .execute(),
    async touch(hash, seenAt, idleExpiresAt) {
      await standing(hash)
        .set({ seen_at: seenAt, idle_expires_at: idleExpiresAt })
        .where("idle_expires_at", "<", idleExpiresAt)
        // Whoever was found alive a moment ago may have run out since.
        .where("idle_expires_at", ">", seenAt)
        .execute();
    },
    async claimRenewal(hash, version, now, until) {
      const { numUpdatedRows } = await standing(hash)
        .set({ renewing_until: until })
        .where("version", "=", version)
        .where(({ or, eb }) => or([eb("renewing_until", "is", null), eb("renewing_until", "<=", now)]))
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async renew(hash, version, sealed) {
      const { numUpdatedRows } = await standing(hash)
        .set({ sealed, version: version + 1, renewing_until: null })
        .where("version", "=", version)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async giveUpRenewal(hash, version) {
      await standing(hash).set({ renewing_until: null }).where("version", "=", version).execute();
    },
    end: endOne,
    async endAll(issuer, subject, now, except) {
      let query = db
        .updateTable("browser_session")
        .set({ ended_at: now, sealed: "" })
        .where("issuer", "=", issuer)
        .where("subject", "=", subject)
        .where("ended_at", "is", null);
      if (except !== undefined) query = query.where("hash", "!=", except);
      const { numUpdatedRows } = await query.executeTakeFirst();
      return Number(numUpdatedRows);
    },
    async takeSignIn(hash, expiresAt) {
      const result = await db
        .insertInto("sign_in")
        .values({ hash, expires_at: expiresAt })
        .onConflict((conflict) => conflict.column("hash").doNothing())
        .executeTakeFirst();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },
    async sweep(now) {
      await db
        .deleteFrom("browser_session")
        .where(({ or, eb }) =>
          or([eb("expires_at", "<=", now), eb("idle_expires_at", "<=", now), eb("ended_at", "is not", null)]),
        )
        .execute();
      await db.deleteFrom("sign_in").where("expires_at", "<=", now).execute();
    },
  };

  async function endOne(hash: string, now: number): Promise<boolean> {
    const { numUpdatedRows } = await standing(hash).set({ ended_at: now, sealed: "" }).executeTakeFirst();
    return numUpdatedRows > 0n;
  }
}
