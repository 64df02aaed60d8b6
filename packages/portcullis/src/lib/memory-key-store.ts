import type { ApiKeyRecord, ApiKeyStore } from "./api-key-store.ts";

/** Keeps API keys in this process only: for tests and for trying things out. Everything is gone when it ends. */
export function memoryKeyStore(): ApiKeyStore {
  const records = new Map<string, ApiKeyRecord>();
  let generation = 0;

  function insert(record: ApiKeyRecord): void {
    if (records.has(record.id)) throw new Error("an API key with this id exists");
    records.set(record.id, copyOf(record));
  }

  return {
    insert,
    find(id) {
      const record = records.get(id);
      return record && copyOf(record);
    },
    listBySubject(subject, limit) {
      const own = [...records.values()].filter((record) => record.subject === subject);
      return own
        .sort((left, right) => right.createdAt - left.createdAt || (left.id < right.id ? -1 : 1))
        .slice(0, limit)
        .map(copyOf);
    },
    revoke(id, at) {
      const record = records.get(id);
      if (record === undefined) return false;
      if (record.revokedAt === undefined) {
        records.set(id, copyOf({ ...record, revokedAt: at }));
        generation++;
      }
      return true;
    },
    rotate(id, successor, oldExpiresAt) {
      const record = records.get(id);
      if (record === undefined || record.revokedAt !== undefined || record.replacedBy !== undefined) return false;
      if (record.expiresAt !== undefined && record.expiresAt <= successor.createdAt) return false;
      insert(successor);
      const expiresAt = Math.min(oldExpiresAt, record.expiresAt ?? oldExpiresAt);
      records.set(id, copyOf({ ...record, expiresAt, replacedBy: successor.id }));
      generation++;
      return true;
    },
    touch(id, at) {
      const record = records.get(id);
      if (record === undefined || (record.lastUsedAt ?? 0) >= at) return;
      records.set(id, copyOf({ ...record, lastUsedAt: at }));
    },
    generation: () => generation,
  };
}

/** What is handed out must not be a way to change what is kept. */
function copyOf(record: ApiKeyRecord): ApiKeyRecord {
  return Object.freeze({
    ...record,
    hash: Uint8Array.from(record.hash),
    scopes: Object.freeze([...record.scopes]),
  });
}
