import { type Kysely, type Selectable, sql } from "kysely";
import { endGrants, type GrantEnds } from "./grants.ts";
import { inBatches } from "./in-batches.ts";
import { takingBack } from "./revocations.ts";
import type { BrowserSessionTable, Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";
import { type Over, takeOut, takeOutSome } from "./taking-out.ts";

/** A session as it is stored; times are Unix milliseconds. */
export type BrowserSessionRow = Selectable<BrowserSessionTable>;

/** What a new session begins with. */
export type NewBrowserSession = Omit<BrowserSessionRow, "seen_at" | "ended_at" | "version" | "renewing_until">;

/** A session that is over. */
export type EndedSession = Pick<BrowserSessionRow, (typeof endedColumns)[number]>;

const endedColumns = ["issuer", "subject", "idle_expires_at", "expires_at", "grant_id"] as const;

/** Sessions one person may have at a time; the oldest makes room. */
export const mostSessions = 100;

/**
 * Keeps sessions of browsers; every change is one step that happens or does not. Where the issuer is ours, the grant of a
 * session ends with it in the same step, and with that the access tokens that the app handed on.
 */
export interface BrowserSessionStore {
  /** @returns how many of the person's made room for it */
  insert(session: NewBrowserSession): Promise<number>;
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
  /**
   * Ends it; what was sealed is gone.
   *
   * @param stays  hash of another one, whose grant stays too
   * @returns what it was; undefined where it had ended before
   */
  end(hash: string, now: number, stays?: string): Promise<EndedSession | undefined>;
  /** @param except  hash of the one that stays, its grant too @returns how many it ended */
  endAll(issuer: string, subject: string, now: number, except?: string): Promise<number>;
  /** @returns false where this sign-in came back before */
  takeSignIn(hash: string, expiresAt: number): Promise<boolean>;
  /**
   * Takes out what has ended or run out.
   *
   * @param ranOut  told of each that ran out; of all instances by the one that took it out
   */
  sweep(now: number, ranOut?: (session: EndedSession) => void): Promise<void>;
}

/** Sessions in the tables. @param ends  for an issuer of ours; undefined for another, whose grants are not here */
export function browserSessionStore(storage: Pick<Storage, "db" | "kind">, ends?: GrantEnds): BrowserSessionStore {
  const { db } = storage;
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
      let made = 0;
      for (const { hash } of others) {
        if ((await endOne(hash, session.created_at, session.hash)) !== undefined) made++;
      }
      return made;
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
      const ended = await withGrants(grantOf(except), (one) => {
        let query = one
          .updateTable("browser_session")
          .set({ ended_at: now, sealed: "" })
          .where("issuer", "=", issuer)
          .where("subject", "=", subject)
          .where("ended_at", "is", null);
        if (except !== undefined) query = query.where("hash", "!=", except);
        return query.returning(endedColumns).execute();
      });
      return ended.length;
    },
    async takeSignIn(hash, expiresAt) {
      const result = await db
        .insertInto("sign_in")
        .values({ hash, expires_at: expiresAt })
        .onConflict((conflict) => conflict.column("hash").doNothing())
        .executeTakeFirst();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },
    async sweep(now, ranOut = () => {}) {
      const [table, key] = ["browser_session", ["hash"]] as const;
      await takeOut(storage, { table, key, where: sql`ended_at is not null` });
      // It never lasts longer than it may stand idle, so that one time says when it ran out.
      const over = {
        table,
        key,
        where: sql`idle_expires_at <= ${now} and ended_at is null`,
      } satisfies Over<typeof table>;
      await inBatches(async (most) => {
        const ended = await withGrants(
          othersGrants,
          async (one) =>
            (await takeOutSome<typeof table, EndedSession>(one, storage.kind, over, most, endedColumns)).rows,
        );
        for (const one of ended) ranOut(one);
        return ended.length;
      }, mostGrants);
      await takeOut(storage, { table: "sign_in", key: ["hash"], where: sql`expires_at <= ${now}` });
    },
  };

  async function endOne(hash: string, now: number, stays?: string): Promise<EndedSession | undefined> {
    const [ended] = await withGrants(grantOf(stays), (one) =>
      one
        .updateTable("browser_session")
        .set({ ended_at: now, sealed: "" })
        .where("hash", "=", hash)
        .where("ended_at", "is", null)
        .returning(endedColumns)
        .execute(),
    );
    return ended;
  }

  /**
   * Ends sessions with their grants, all or nothing.
   *
   * @param staying  whose grants of these do not end
   * @returns the sessions
   */
  async function withGrants(
    staying: (one: Kysely<Schema>, grantIds: readonly string[]) => Promise<readonly Granted[]>,
    end: (one: Kysely<Schema>) => Promise<readonly EndedSession[]>,
  ): Promise<readonly EndedSession[]> {
    if (ends === undefined) return end(db);
    return takingBack(storage, ends, async (one) => {
      const rows = await end(one);
      const grantIds = new Set(rows.flatMap(({ grant_id }) => grant_id ?? []));
      for (const { grant_id } of await staying(one, [...grantIds])) grantIds.delete(grant_id ?? "");
      return {
        value: rows,
        taken: await endGrants(one, storage.kind, ends, [...grantIds], "the browser's session ended"),
      };
    });
  }
}

type Granted = Pick<BrowserSessionRow, "grant_id">;

/** So many end in one transaction. */
const mostGrants = 250;

const grantOf = (stays: string | undefined) => async (one: Kysely<Schema>) =>
  stays === undefined ? [] : one.selectFrom("browser_session").select("grant_id").where("hash", "=", stays).execute();

/** Whoever signs in again in the same browser has the same grant. */
async function othersGrants(one: Kysely<Schema>, grantIds: readonly string[]): Promise<readonly Granted[]> {
  if (grantIds.length === 0) return [];
  return one
    .selectFrom("browser_session")
    .select("grant_id")
    .where("grant_id", "in", grantIds)
    .where("ended_at", "is", null)
    .execute();
}
