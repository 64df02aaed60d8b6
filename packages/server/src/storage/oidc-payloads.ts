import { type Insertable, type Kysely, type SqlBool, sql } from "kysely";
import { hasEnded, holdNames, noteEnded, sessionNamed } from "./ended-names.ts";
import { inBatches } from "./in-batches.ts";
import type { OidcPayloadTable, Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";
import { takeOut, takeOutSome } from "./taking-out.ts";

/** Keeps what oidc-provider wants kept, by model and hashed id. */
export interface OidcPayloadStore {
  /** @param name  of what may have ended since it was read, see `ended-names.ts`; then nothing is written */
  upsert(row: Insertable<OidcPayloadTable>, name?: string): Promise<void>;
  /**
   * Writes what comes of what is kept, in one step: what ends it comes before, and is seen, or after, and finds it.
   *
   * @param name  of what it is held by, see `ended-names.ts`
   */
  change(
    row: Omit<Insertable<OidcPayloadTable>, "payload">,
    name: string,
    payloadOf: (before: StoredPayload | undefined) => string,
  ): Promise<void>;
  find(model: string, hash: string): Promise<StoredPayload | undefined>;
  /** Marks it used, once. @returns false where it is gone or somebody was faster */
  consume(model: string, hash: string, at: number): Promise<boolean>;
  destroy(model: string, hash: string): Promise<void>;
  /** Ends the sign-in sessions of an account, with what it allowed there. */
  destroySessionsOf(accountId: string): Promise<void>;
  /** Takes out one session of an account at this server. @param name  as tokens name it @returns false where there is none */
  destroySession(accountId: string, name: string, now: number): Promise<boolean>;
  /** Takes out the sessions of an account at this server alone. @param except  hash of the one that stays */
  destroyOtherSessions(accountId: string, except: string, now: number): Promise<void>;
  /** Clients that an account allowed something, and until when that is remembered. */
  consentsOf(
    accountId: string,
    now: number,
  ): Promise<readonly { readonly clientId: string; readonly expiresAt: number }[]>;
  /**
   * Takes out what has run out.
   *
   * @param ranOut  told whose session at this server ran out; of all instances by the one that took it out
   */
  sweep(now: number, ranOut?: (accountId: string) => void): Promise<void>;
}

/** A kept payload. */
export interface StoredPayload {
  readonly payload: string;
  readonly grant_id: string | null;
  readonly account_id: string | null;
  readonly client_id: string | null;
  readonly consumed_at: number | null;
  readonly expires_at: number | null;
}

/** Payloads in the tables. */
export function oidcPayloadStore({ db, kind }: Pick<Storage, "db" | "kind">): OidcPayloadStore {
  return {
    async upsert(row, name) {
      if (name === undefined) return write(db, row);
      await db.transaction().execute(async (one) => {
        await holdNames(one, kind, [name]);
        if (!(await hasEnded(one, [name]))) await write(one, row);
      });
    },
    change: (row, name, payloadOf) =>
      db.transaction().execute(async (one) => {
        await holdNames(one, kind, [name]);
        await write(one, { ...row, payload: payloadOf(await find(one, row.model, row.hash)) });
      }),
    find: (model, hash) => find(db, model, hash),
    async consume(model, hash, at) {
      const { numUpdatedRows } = await db
        .updateTable("oidc_payload")
        .set({ consumed_at: at })
        .where("model", "=", model)
        .where("hash", "=", hash)
        .where("consumed_at", "is", null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async destroy(model, hash) {
      await db.deleteFrom("oidc_payload").where("model", "=", model).where("hash", "=", hash).execute();
    },
    async destroySessionsOf(accountId) {
      await db
        .deleteFrom("oidc_payload")
        .where("model", "in", ["Session", "Grant", "AuthorizationCode", "AccessToken", "Consent"])
        .where("account_id", "=", accountId)
        .execute();
    },
    destroySession: (accountId, name, now) =>
      db.transaction().execute(async (one) => {
        await noteEnded(one, kind, [sessionNamed(name)], now);
        const { numDeletedRows } = await one
          .deleteFrom("oidc_payload")
          .where("model", "=", "Session")
          .where("account_id", "=", accountId)
          .where("session_name", "=", name)
          .executeTakeFirst();
        return numDeletedRows > 0n;
      }),
    destroyOtherSessions: (accountId, except, now) =>
      db.transaction().execute(async (one) => {
        const others = await one
          .selectFrom("oidc_payload")
          .select("session_name")
          .where("model", "=", "Session")
          .where("account_id", "=", accountId)
          .where("hash", "!=", except)
          .execute();
        const names = others.flatMap(({ session_name }) => session_name ?? []);
        await noteEnded(one, kind, names.map(sessionNamed), now);
        await one
          .deleteFrom("oidc_payload")
          .where("model", "=", "Session")
          .where("account_id", "=", accountId)
          .where("hash", "!=", except)
          .execute();
      }),
    async consentsOf(accountId, now) {
      const rows = await db
        .selectFrom("oidc_payload")
        .select(["client_id", "expires_at"])
        .where("model", "=", "Consent")
        .where("account_id", "=", accountId)
        .where("expires_at", ">", now)
        .execute();
      return rows.map((row) => ({ clientId: row.client_id ?? "", expiresAt: row.expires_at ?? 0 }));
    },
    async sweep(now, ranOut = () => {}) {
      const [table, key] = ["oidc_payload", ["model", "hash"]] as const;
      const where = sql<SqlBool>`expires_at <= ${now}`;
      const sessions = { table, key, where: sql<SqlBool>`${where} and model = 'Session'` };
      await inBatches(async (most) => {
        const { rows } = await takeOutSome<typeof table, Owned>(db, kind, sessions, most, ["account_id"]);
        for (const { account_id } of rows) if (account_id !== null) ranOut(account_id);
        return rows.length;
      });
      await takeOut({ db, kind }, { table, key, where });
    },
  };
}

type Owned = Pick<StoredPayload, "account_id">;

const columns = ["payload", "grant_id", "account_id", "client_id", "consumed_at", "expires_at"] as const;

function find(db: Kysely<Schema>, model: string, hash: string): Promise<StoredPayload | undefined> {
  return db
    .selectFrom("oidc_payload")
    .select(columns)
    .where("model", "=", model)
    .where("hash", "=", hash)
    .executeTakeFirst();
}

async function write(db: Kysely<Schema>, row: Insertable<OidcPayloadTable>): Promise<void> {
  const { payload, grant_id, account_id, client_id, expires_at, session_name } = row;
  await db
    .insertInto("oidc_payload")
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(["model", "hash"])
        .doUpdateSet({ payload, grant_id, account_id, client_id, expires_at, session_name }),
    )
    .execute();
}
