import { type ExpressionBuilder, type Selectable, type SqlBool, sql, type Transaction } from "kysely";
import type { ApiKeyRecord, ApiKeyStore } from "portcullis";
import { isAccountId } from "./account-ids.ts";
import { type TakingBack, takingBack } from "./revocations.ts";
import type { ApiKeyTable, Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";
import { takeOut } from "./taking-out.ts";
import { leaveEvent } from "./waiting-events.ts";

/** A key's record, with the application that asked for it. */
export interface StoredKey extends ApiKeyRecord {
  /** Undefined where a person or a program of the service did. */
  readonly clientId?: string | undefined;
}

/** What the token that asks for a key follows from, as it says itself. */
export interface TokenOrigin {
  readonly grant?: string | undefined;
  /** Of the account it is for. */
  readonly epoch?: number | undefined;
}

/** A change of a key, for whoever leaves word of it. */
export interface KeyChange {
  readonly type: "key-created" | "key-rotated" | "key-revoked";
  readonly subject: string;
  readonly key: string;
}

/** What a store of API keys needs besides the tables. */
export interface ApiKeyStoreOptions extends TakingBack {
  /** As `ApiKeyStore.generation`; changes with what `revoked` is told, and with what other instances take back. */
  readonly generation: () => number | undefined;
  /** The event to leave for a server to tell, as JSON, in the same step; default none, where a server tells it itself. */
  readonly eventOf?: (change: KeyChange) => string;
}

/** Keeps API keys in the tables; a revocation and the word of it commit together. */
export interface SqlApiKeyStore extends ApiKeyStore {
  find(id: string): Promise<StoredKey | undefined>;
  listBySubject(subject: string, limit: number): Promise<readonly StoredKey[]>;
  /** A subject's records that are neither revoked nor expired, newest first. */
  listWorking(subject: string, now: number): Promise<readonly StoredKey[]>;
  revoke(id: string, at: number): Promise<boolean>;
  /**
   * Keeps a new record unless its owner has `most` keys that still work.
   *
   * @returns false, and nothing is kept, where he has, or where what the asking token follows from was taken back meanwhile
   */
  insertWithin(record: StoredKey, most: number, from?: TokenOrigin): Promise<boolean>;
  /** @param most  nothing changes where the owner has so many keys that work; default any number */
  rotate(id: string, successor: StoredKey, oldExpiresAt: number, from?: TokenOrigin, most?: number): Promise<boolean>;
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
    insertWithin: (record, most, from) =>
      db.transaction().execute(async (one) => {
        // So that none counts what another is about to add.
        await oneAfterTheOther(one, kind, record.subject);
        if (await isTakenBack(one, record.subject, from)) return false;
        if ((await countOf(one, record.subject, record.createdAt)) >= most) return false;
        await one.insertInto("api_key").values(rowOf(record)).execute();
        await leave(one, "key-created", record.subject, record.id);
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
    async listWorking(subject, now) {
      const rows = await db
        .selectFrom("api_key")
        .selectAll()
        .where("subject", "=", subject)
        .where(worksAt(now))
        .orderBy("created_at", "desc")
        .orderBy("id")
        .execute();
      return rows.map(recordOf);
    },
    revoke: (id, at) =>
      changing(id, async (one) => {
        const revoked = await one
          .updateTable("api_key")
          .set({ revoked_at: at })
          .where("id", "=", id)
          .where("revoked_at", "is", null)
          .returning("subject")
          .executeTakeFirst();
        if (revoked !== undefined) {
          await leave(one, "key-revoked", revoked.subject, id);
          return { did: true, value: true };
        }
        const there = await one.selectFrom("api_key").select("id").where("id", "=", id).executeTakeFirst();
        return { did: false, value: there !== undefined };
      }),
    rotate: (id, successor, oldExpiresAt, from, most = Number.POSITIVE_INFINITY) =>
      changing(id, async (one) => {
        await oneAfterTheOther(one, kind, successor.subject);
        if (await isTakenBack(one, successor.subject, from)) return { did: false, value: false };
        if ((await countOf(one, successor.subject, successor.createdAt)) >= most) return { did: false, value: false };
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
          .where(worksAt(successor.createdAt))
          .where("replaced_by", "is", null)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return { did: false, value: false };
        await one.insertInto("api_key").values(rowOf(successor)).execute();
        await leave(one, "key-rotated", successor.subject, successor.id);
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
      for (const where of [sql<SqlBool>`expires_at < ${before}`, sql<SqlBool>`revoked_at < ${before}`]) {
        await takeOut(storage, { table: "api_key", key: ["id"], where });
      }
    },
  };

  async function leave(one: Transaction<Schema>, type: KeyChange["type"], subject: string, key: string) {
    if (options.eventOf !== undefined) await leaveEvent(one, options.eventOf({ type, subject, key }));
  }
}

/** Revokes the keys of an owner, or those of them that one application asked for. @returns which */
export async function revokeKeysOf(
  one: Transaction<Schema>,
  kind: Storage["kind"],
  { subject, clientId, at }: { readonly subject: string; readonly clientId?: string; readonly at: number },
): Promise<readonly string[]> {
  await oneAfterTheOther(one, kind, subject);
  let query = one
    .updateTable("api_key")
    .set({ revoked_at: at })
    .where("subject", "=", subject)
    .where("revoked_at", "is", null);
  if (clientId !== undefined) query = query.where("client_id", "=", clientId);
  return (await query.returning("id").execute()).map(({ id }) => id);
}

/** Takes out the keys of an account that goes; it does not come back, and no client is called like one. */
export async function removeKeysOf(one: Transaction<Schema>, kind: Storage["kind"], accountId: string): Promise<void> {
  await oneAfterTheOther(one, kind, accountId);
  await one.deleteFrom("api_key").where("subject", "=", accountId).execute();
}

/** @returns how many keys of an owner work */
async function countOf(one: Transaction<Schema>, subject: string, at: number): Promise<number> {
  const { count } = await one
    .selectFrom("api_key")
    .select((value) => value.fn.countAll<number>().as("count"))
    .where("subject", "=", subject)
    .where(worksAt(at))
    .executeTakeFirstOrThrow();
  return count;
}

/** Neither revoked nor expired. */
function worksAt(at: number) {
  return ({ and, or, eb }: ExpressionBuilder<Schema, "api_key">) =>
    and([eb("revoked_at", "is", null), or([eb("expires_at", "is", null), eb("expires_at", ">", at)])]);
}

/** One owner's changes wait for each other. SQLite lets nobody else write anyway. */
async function oneAfterTheOther(one: Transaction<Schema>, kind: Storage["kind"], subject: string): Promise<void> {
  if (kind === "embedded") return;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`api_key ${subject}`}, 0))`.execute(one);
}

/** Another instance may take the token for a moment longer than what it follows from. */
async function isTakenBack(
  one: Transaction<Schema>,
  subject: string,
  { grant, epoch }: TokenOrigin = {},
): Promise<boolean> {
  if (isAccountId(subject)) {
    const account = await one.selectFrom("account").select("epoch").where("id", "=", subject).executeTakeFirst();
    if (account === undefined || (epoch !== undefined && account.epoch !== epoch)) return true;
  }
  if (grant === undefined) return false;
  const found = await one
    .selectFrom("revocation")
    .select("seq")
    .where("kind", "=", "grant")
    .where("value", "=", grant)
    .executeTakeFirst();
  return found !== undefined;
}

function rowOf(record: StoredKey): Selectable<ApiKeyTable> {
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
    client_id: record.clientId ?? null,
  };
}

function recordOf(row: Selectable<ApiKeyTable>): StoredKey {
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
    ...(row.client_id === null ? {} : { clientId: row.client_id }),
  });
}
