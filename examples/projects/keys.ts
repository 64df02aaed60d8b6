import { type ApiKeyRecord, type ApiKeyStore, issueApiKey } from "portcullis";
import { type Asked, pageOf, timeAfter } from "./data/pages.ts";

/** First part of every key, so that scanners recognise a leaked one: `prj_live_…`. */
export const keyPrefix = "prj";

/** A key's record as the API speaks of it. The key itself is shown once and kept nowhere. */
export interface Key {
  readonly id: string;
  readonly userId: string;
  readonly tenantId: string | undefined;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

/** Whose key it is, what it may do, and what its owner calls it. */
export interface NewKey {
  readonly subject: string;
  readonly tenant: string | undefined;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** Most keys that work at a time, per user. */
export const keysPerUser = 100;

/** API keys over one of Portcullis' stores. */
export function createKeys(store: ApiKeyStore) {
  async function ofUser(userId: string): Promise<readonly Key[]> {
    const records = await store.listBySubject(userId, RECORDS_READ);
    return records.filter((record) => record.revokedAt === undefined).map(keyOf);
  }

  return {
    store,

    /** A key that works; a revoked one is as good as missing. */
    async byId(id: string): Promise<Key | undefined> {
      const record = await store.find(id);
      return record === undefined || record.revokedAt !== undefined ? undefined : keyOf(record);
    },

    /** Newest first. */
    async list(userId: string, { limit, after }: Asked) {
      const last = timeAfter(after);
      const all = await ofUser(userId);
      const rest = all.filter(
        ({ createdAt, id }) =>
          last === undefined || createdAt < last.createdAt || (createdAt === last.createdAt && id > last.id),
      );
      return pageOf(rest, limit, ({ createdAt, id }) => ({ createdAt, id }));
    },

    countOf: async (userId: string): Promise<number> => (await ofUser(userId)).length,

    /** A new key; the only moment at which its text exists. */
    async issue(options: NewKey): Promise<Key & { readonly key: string }> {
      const { key, record } = await issueApiKey({ ...options, store, prefix: keyPrefix });
      return { ...keyOf(record), key };
    },

    async revoke(id: string): Promise<void> {
      await store.revoke(id, Date.now());
    },

    async revokeOfUser(userId: string): Promise<void> {
      for (const { id } of await ofUser(userId)) await store.revoke(id, Date.now());
    },
  };
}

export type Keys = ReturnType<typeof createKeys>;

/** The store gives the newest first, and keys that were revoked are among them. */
const RECORDS_READ = 1000;

function keyOf(record: ApiKeyRecord): Key {
  return {
    id: record.id,
    userId: record.subject,
    tenantId: record.tenant,
    name: record.name,
    prefix: record.displayPrefix,
    scopes: record.scopes,
    createdAt: new Date(record.createdAt).toISOString(),
    expiresAt: record.expiresAt === undefined ? null : new Date(record.expiresAt).toISOString(),
  };
}
