import { type Selectable, sql, type Transaction } from "kysely";
import type { ApiKeyRecord, ApiKeyStore } from "portcullis";
import { type TakingBack, takingBack } from "./revocations.ts";
import type { ApiKeyTable, Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

/** What a store of API keys needs besides the tables. */
export interface ApiKeyStoreOptions extends TakingBack {
  /** As `ApiKeyStore.generation`; changes with what `revoked` is told, and with what other instances take back. */
  readonly generation: () => number | undefined;
}

/** Keeps API keys in the tables; a revocation and the word of it commit together. */
export interface SqlApiKeyStore extends ApiKeyStore {
  find(id: string): Promise<ApiKeyRecord | undefined>;
  listBySubject(subject: string, limit: number): Promise<readonly ApiKeyRecord[]>;
  revoke(id: string, at: number): Promise<boolean>;
  /**
   * Keeps a new record unless its owner has `most` keys that still work.
   *
   * @returns false, and nothing is kept, where he has
   */
  insertWithin(record: ApiKeyRecord, most: number): Promise<boolean>;
  /** Takes out what expired or was revoked before that time. */
  sweep(before: number): Promise<void>;
}

/** API keys in the tables. */
export function apiKeyStore(storage: Pick<Storage, "db" | "kind">, options: ApiKeyStoreOptions): SqlApiKeyStore {
  const { db, kind } = storage;

  /** Changes a record and says so, or neither. */
  function changing<T>(id: string, change: (one: Transaction<Schema>) => Promise<{ did: boolean; value: T }>) {
    return takingBack(storage, options, async (one) => {
      const { did, value } = await change(one);
      return { value, taken: did ? [{ kind: "api-key", value: id }] : [] };
    });
  }

  return {
    async insert(record) {
      await db.insertInto("api_key").values(rowOf(record)).execute();
    },
    insertWithin: (record, most) =>
      db.transaction().execute(async (one) => {
        // One owner's inserts come one after the other, so that none counts what another is about to add.
        if (kind === "postgres") {
          await sql`select pg_advisory_xact_lock(hashtextextended(${`api_key ${record.subject}`}, 0))`.execute(one);
        }
        const { count } = await one
          .selectFrom("api_key")
          .select((value) => value.fn.countAll<number>().as("count"))
          .where("subject", "=", record.subject)
          .where("revoked_at", "is", null)
          .where(({ or, eb }) => or([eb("expires_at", "is", null), eb("expires_at", ">", record.createdAt)]))
          .executeTakeFirstOrThrow();
        if (count >= most) return false;
        await one.insertInto("api_key").values(rowOf(record)).execute();
        return true;
      }),
    async find(id) {
      const row = await db.selectFrom("api_key").selectAll().where("id", "=", id).executeTakeFirst();
      return row === undefined ? undefined : recordOf(row);
    },
    async listBySubject(subject, limit) {
      const rows = await db
        .selectFrom("api_key")
        .selectAll()
        .where("subject", "=", subject)
        .orderBy("created_at", "desc")
        .orderBy("id")
        .limit(limit)
        .execute();
      return rows.map(recordOf);
    },
    revoke: (id, at) =>
      changing(id, async (one) => {
        const { numUpdatedRows } = await one
          .updateTable("api_key")
          .set({ revoked_at: at })
          .where("id", "=", id)
          .where("revoked_at", "is", null)
          .executeTakeFirst();
        if (numUpdatedRows > 0n) return { did: true, value: true };
        const there = await one.selectFrom("api_key").select("id").where("id", "=", id).executeTakeFirst();
        return { did: false, value: there !== undefined };
      }),
    rotate: (id, successor, oldExpiresAt) =>
      changing(id, async (one) => {
        const { numUpdatedRows } = await one
          .updateTable("api_key")
          .set(({ eb, ref }) => ({
            expires_at: eb
              .case()
              .when("expires_at", "<", oldExpiresAt)
              .then(ref("expires_at"))
              .else(sql<number>`cast(${oldExpiresAt} as bigint)`)
              .end(),
            replaced_by: successor.id,
          }))
          .where("id", "=", id)
          .where("revoked_at", "is", null)
          .where("replaced_by", "is", null)
          .where(({ or, eb }) => or([eb("expires_at", "is", null), eb("expires_at", ">", successor.createdAt)]))
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return { did: false, value: false };
        await one.insertInto("api_key").values(rowOf(successor)).execute();
        return { did: true, value: true };
      }),
    async touch(id, at) {
      await db
        .updateTable("api_key")
        .set({ last_used_at: at })
        .where("id", "=", id)
        .where(({ or, eb }) => or([eb("last_used_at", "is", null), eb("last_used_at", "<", at)]))
        .execute();
    },
    generation: options.generation,
    async sweep(before) {
      await db
        .deleteFrom("api_key")
        .where(({ or, eb }) => or([eb("expires_at", "<", before), eb("revoked_at", "<", before)]))
        .execute();
    },
  };
}

function rowOf(record: ApiKeyRecord): Selectable<ApiKeyTable> {
  return {
    id: record.id,
    hash: Buffer.from(record.hash).toString("base64url"),
    subject: record.subject,
    tenant: record.tenant ?? null,
    scopes: JSON.stringify(record.scopes),
    rate: record.rate ?? null,
    name: record.name,
    environment: record.environment,
    display_prefix: record.displayPrefix,
    created_at: record.createdAt,
    expires_at: record.expiresAt ?? null,
    revoked_at: record.revokedAt ?? null,
    last_used_at: record.lastUsedAt ?? null,
    replaced_by: record.replacedBy ?? null,
  };
}

function recordOf(row: Selectable<ApiKeyTable>): ApiKeyRecord {
  const scopes: unknown = JSON.parse(row.scopes);
  if (!Array.isArray(scopes) || !scopes.every((scope) => typeof scope === "string")) {
    throw new TypeError("stored scopes are no list of texts");
  }
  return Object.freeze({
    id: row.id,
    hash: new Uint8Array(Buffer.from(row.hash, "base64url")),
    subject: row.subject,
    tenant: row.tenant ?? undefined,
    scopes: Object.freeze(scopes),
    ...(row.rate === null ? {} : { rate: row.rate }),
    name: row.name,
    environment: row.environment,
    displayPrefix: row.display_prefix,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
    replacedBy: row.replaced_by ?? undefined,
  });
}
