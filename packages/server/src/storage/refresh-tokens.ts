import { type Selectable, type SqlBool, sql } from "kysely";
import { consentNamed, grantNamed, hasEnded, holdNames, sessionNamed } from "./ended-names.ts";
import type { RefreshFamilyTable, RefreshTokenTable } from "./schema.ts";
import type { Storage } from "./storage.ts";
import { takeOut } from "./taking-out.ts";

/** A refresh token with its family. */
export interface StoredRefreshToken {
  readonly token: Selectable<RefreshTokenTable>;
  readonly family: Selectable<RefreshFamilyTable>;
}

/** A token that takes another's place. */
export interface Successor {
  readonly hash: string;
  readonly payload: string;
  readonly idleExpiresAt: number;
  /** The whole answer, encrypted under a key derived from the token it was given for. */
  readonly answer: string;
}

/** Families one person may have with one application at a time; the one that was unused for longest makes room. */
export const mostFamilies = 100;

/**
 * Longer than anything is under way that has seen a family stand, milliseconds. From then on nothing asks for it: a token
 * of a revoked family opens nothing and ends nothing, and access tokens are taken back by their grant.
 */
const revokedKeptMs = 3_600_000;

/** Keeps refresh tokens; every change of hands is one step that happens or does not. */
export interface RefreshTokenStore {
  /**
   * The first token of a new family; its grant stays as long. Where there are {@link mostFamilies} already, another one is
   * revoked, and its grant forgotten where no other family has it.
   *
   * @param under  how tokens call its grant, and whether that stands as long as the account's consent alone
   * @returns false, and nothing is kept, where the grant, the session or the consent ended meanwhile
   */
  begin(
    family: Omit<Selectable<RefreshFamilyTable>, "used_at" | "revoked_at" | "revoked_why" | "renewals">,
    token: Pick<RefreshTokenTable, "hash" | "payload" | "idle_expires_at">,
    under: { readonly grant: string; readonly needsConsent: boolean },
  ): Promise<boolean>;
  find(hash: string): Promise<StoredRefreshToken | undefined>;
  /**
   * Puts `successor` in the place of an unused token.
   *
   * @returns false where the token is used or has run out, or its family has run out or is revoked
   */
  rotate(hash: string, successor: Successor, now: number): Promise<boolean>;
  /**
   * Counts one replay of the answer.
   *
   * @returns false where the successor is in use already, there were too many, or the family is revoked
   */
  replay(hash: string, most: number): Promise<boolean>;
  revokeByAccount(accountId: string, why: string, at: number): Promise<void>;
  /**
   * Takes out families that have run out or were revoked an hour ago, and answers that are given no more: those of tokens
   * used before `answersUntil`. A token that is gone is refused as one that was revoked.
   */
  sweep(now: number, answersUntil: number): Promise<void>;
}

/** Refresh tokens in the tables. */
export function refreshTokenStore({ db, kind }: Pick<Storage, "db" | "kind">): RefreshTokenStore {
  return {
    begin: (family, token, under) =>
      db.transaction().execute(async (one) => {
        const { account_id, client_id, session } = family;
        const names = [grantNamed(under.grant), ...(session === null ? [] : [sessionNamed(session)])];
        await holdNames(one, kind, [...names, consentNamed(account_id, client_id)]);
        if (await hasEnded(one, names)) return false;
        if (under.needsConsent) {
          const consent = await one
            .selectFrom("oidc_payload")
            .select("hash")
            .where("model", "=", "Consent")
            .where("account_id", "=", account_id)
            .where("client_id", "=", client_id)
            .executeTakeFirst();
          if (consent === undefined) return false;
        }
        await one
          .insertInto("refresh_family")
          .values({ ...family, used_at: family.created_at, revoked_at: null, revoked_why: null })
          .execute();
        await one
          .insertInto("refresh_token")
          .values({
            ...token,
            family_id: family.id,
            created_at: family.created_at,
            successor: null,
            used_at: null,
            answer: null,
            replays: 0,
          })
          .execute();
        await one
          .updateTable("oidc_payload")
          .set({ expires_at: family.expires_at })
          .where("model", "=", "Grant")
          .where("grant_id", "=", family.grant_id)
          .where("expires_at", "<", family.expires_at)
          .execute();
        const tooMany = await one
          .selectFrom("refresh_family")
          .select(["id", "grant_id"])
          .where("account_id", "=", family.account_id)
          .where("client_id", "=", family.client_id)
          .where("id", "!=", family.id)
          .where("revoked_at", "is", null)
          .orderBy("used_at", "desc")
          .offset(mostFamilies - 1)
          // SQLite knows no offset without a limit.
          .limit(1000)
          .execute();
        if (tooMany.length === 0) return true;
        await one
          .updateTable("refresh_family")
          .set({ revoked_at: family.created_at, revoked_why: "too many" })
          .where(
            "id",
            "in",
            tooMany.map(({ id }) => id),
          )
          .where("revoked_at", "is", null)
          .execute();
        // Of what nothing follows from any more.
        await one
          .updateTable("oidc_payload")
          .set({ expires_at: family.created_at + revokedKeptMs })
          .where("model", "=", "Grant")
          .where(
            "grant_id",
            "in",
            tooMany.map(({ grant_id }) => grant_id),
          )
          .where(({ not, exists, selectFrom }) =>
            not(
              exists(
                selectFrom("refresh_family")
                  .select("id")
                  .whereRef("refresh_family.grant_id", "=", "oidc_payload.grant_id")
                  .where("revoked_at", "is", null),
              ),
            ),
          )
          .execute();
        return true;
      }),
    async find(hash) {
      const token = await db.selectFrom("refresh_token").selectAll().where("hash", "=", hash).executeTakeFirst();
      if (token === undefined) return undefined;
      const family = await db
        .selectFrom("refresh_family")
        .selectAll()
        .where("id", "=", token.family_id)
        .executeTakeFirst();
      return family === undefined ? undefined : { token, family };
    },
    rotate: (hash, successor, now) =>
      db.transaction().execute(async (one) => {
        // First the family's row, which stays locked until the end: a revocation comes before this or after it.
        const family = await one
          .updateTable("refresh_family")
          .set((value) => ({ used_at: now, renewals: value("renewals", "+", 1) }))
          .where("id", "in", (held) => held.selectFrom("refresh_token").select("family_id").where("hash", "=", hash))
          .where("revoked_at", "is", null)
          .where("expires_at", ">", now)
          .returning("id")
          .executeTakeFirst();
        if (family === undefined) return false;
        const { numUpdatedRows } = await one
          .updateTable("refresh_token")
          .set({ successor: successor.hash, used_at: now, answer: successor.answer })
          .where("hash", "=", hash)
          .where("successor", "is", null)
          .where("idle_expires_at", ">", now)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        await one
          .insertInto("refresh_token")
          .values({
            hash: successor.hash,
            family_id: family.id,
            payload: successor.payload,
            created_at: now,
            idle_expires_at: successor.idleExpiresAt,
            successor: null,
            used_at: null,
            answer: null,
            replays: 0,
          })
          .execute();
        return true;
      }),
    async replay(hash, most) {
      const { numUpdatedRows } = await db
        .updateTable("refresh_token")
        .set((value) => ({ replays: value("replays", "+", 1) }))
        .where("hash", "=", hash)
        .where("replays", "<", most)
        .where("successor", "in", (next) =>
          next.selectFrom("refresh_token as heir").select("heir.hash").where("heir.successor", "is", null),
        )
        .where("family_id", "in", (family) =>
          family.selectFrom("refresh_family").select("id").where("revoked_at", "is", null),
        )
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async revokeByAccount(accountId, why, at) {
      await db
        .updateTable("refresh_family")
        .set({ revoked_at: at, revoked_why: why })
        .where("account_id", "=", accountId)
        .where("revoked_at", "is", null)
        .execute();
    },
    async sweep(now, answersUntil) {
      const storage = { db, kind };
      const over = [sql<SqlBool>`expires_at < ${now}`, sql<SqlBool>`revoked_at < ${now - revokedKeptMs}`];
      for (const where of over) {
        // The tokens by themselves: a family has thousands, and would take them all along.
        const ofThose = sql<SqlBool>`family_id in (select id from refresh_family where ${where})`;
        await takeOut(storage, { table: "refresh_token", key: ["hash"], where: ofThose });
        await takeOut(storage, { table: "refresh_family", key: ["id"], where });
      }
      const where = sql<SqlBool>`answer is not null and used_at < ${answersUntil}`;
      await takeOut(storage, { table: "refresh_token", key: ["hash"], where, empty: "answer" });
    },
  };
}
