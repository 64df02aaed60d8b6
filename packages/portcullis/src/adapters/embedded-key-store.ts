import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { ApiKeyRecord, ApiKeyStore } from "../lib/api-key-store.ts";
import { inTransaction, makeDurable, openDatabase, privateFile } from "./embedded-file.ts";

/** Where an embedded store keeps its file. */
export interface EmbeddedKeyStoreOptions {
  /** A folder of its own, made with mode 0700 where it is missing and refused where others can look into it. */
  readonly folder: string;
}

/** An {@link ApiKeyStore} in a file. */
export interface EmbeddedKeyStore extends ApiKeyStore {
  /** Writes what was noted and closes the file. Later calls throw. */
  close(): void;
}

/**
 * Keeps API keys in one SQLite file, `api-keys.sqlite`, which several processes of one machine may share. New keys,
 * rotations and revocations are on the disk when the call returns (WAL, `synchronous=FULL`); only a noted last use may
 * be lost by a crash. A revocation counts at once in the process that made it and within 50 ms in the others.
 *
 * The file is opened at the first call, so that importing a module that makes a store has no effect.
 *
 * @throws OptionsError at the first call where others can read the folder
 * @see SQLite documentation: Write-Ahead Logging, PRAGMA synchronous, PRAGMA data_version
 */
export function embeddedKeyStore({ folder }: EmbeddedKeyStoreOptions): EmbeddedKeyStore {
  let opened: Opened | undefined;
  let closed = false;
  let generation = 0;
  let dataVersion: SQLOutputValue | undefined;
  let dataVersionReadAt = Number.NEGATIVE_INFINITY;
  let noted = new Map<string, number>();
  let flushing: Promise<void> | undefined;

  function file(): Opened {
    if (closed) throw new Error("the key store is closed");
    opened ??= open(folder);
    return opened;
  }

  function flush(): void {
    const uses = noted;
    noted = new Map();
    if (uses.size > 0) file().noteUses(uses);
  }

  return {
    insert(record) {
      file().insert(record);
    },
    find(id) {
      const row = file().find.get(id);
      return row === undefined ? undefined : readRow(row);
    },
    listBySubject(subject, limit) {
      return file().list.all(subject, limit).map(readRow);
    },
    revoke(id, at) {
      if (file().revoke.run(at, id).changes > 0) generation++;
      return file().find.get(id) !== undefined;
    },
    rotate(id, successor, oldExpiresAt) {
      const { database, retire, insert } = file();
      const replaced = inTransaction(database, () => {
        const { changes } = retire.run(oldExpiresAt, oldExpiresAt, successor.id, id, successor.createdAt);
        if (changes > 0) insert(successor);
        return changes > 0;
      });
      if (replaced) generation++;
      return replaced;
    },
    touch(id, at) {
      noted.set(id, Math.max(at, noted.get(id) ?? 0));
      // One short transaction for everything noted in this turn of the event loop, after the answers went out.
      flushing ??= new Promise<void>((resolve, reject) => {
        setImmediate(() => {
          flushing = undefined;
          try {
            flush();
            resolve();
          } catch (cause) {
            reject(cause);
          }
        });
      });
      return flushing;
    },
    generation() {
      // Reading the counter of other processes' commits costs a few microseconds, too many for every request.
      const now = performance.now();
      if (now - dataVersionReadAt >= OTHERS_SEEN_WITHIN_MS) {
        const version = file().dataVersion.get()?.["data_version"];
        if (version !== dataVersion) generation++;
        dataVersion = version;
        dataVersionReadAt = now;
      }
      return generation;
    },
    close() {
      if (closed) return;
      try {
        if (opened !== undefined) flush();
      } finally {
        closed = true;
        opened?.database.close();
      }
    },
  };
}

const OTHERS_SEEN_WITHIN_MS = 50;
/** How long a write waits for another process's, in milliseconds. Reads never wait in WAL. */
const WRITE_WAITS_MS = 1_000;
const SCHEMA_VERSION = 2;

const SCHEMA = `
  CREATE TABLE api_key (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL, subject TEXT NOT NULL, tenant TEXT, scopes TEXT NOT NULL, name TEXT NOT NULL,
    environment TEXT NOT NULL, display_prefix TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER,
    revoked_at INTEGER, last_used_at INTEGER, replaced_by TEXT, rate TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX api_key_by_subject ON api_key (subject, created_at DESC, id);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Version 1 knew no limits of single keys. */
const ADD_RATE = `ALTER TABLE api_key ADD COLUMN rate TEXT; PRAGMA user_version = ${SCHEMA_VERSION};`;

interface Opened {
  readonly database: DatabaseSync;
  readonly find: StatementSync;
  readonly list: StatementSync;
  readonly revoke: StatementSync;
  readonly retire: StatementSync;
  readonly dataVersion: StatementSync;
  insert(record: ApiKeyRecord): void;
  noteUses(uses: ReadonlyMap<string, number>): void;
}

function open(folder: string): Opened {
  const path = privateFile(folder, "api-keys.sqlite", "embeddedKeyStore");
  const database = openDatabase(path, WRITE_WAITS_MS);
  try {
    makeDurable(database, WRITE_WAITS_MS);
    inTransaction(database, () => {
      const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
      if (version === 0) database.exec(SCHEMA);
      else if (version === 1) database.exec(ADD_RATE);
      else if (version !== SCHEMA_VERSION) throw new Error("the key store was written by another version");
    });
  } catch (error) {
    database.close();
    throw error;
  }

  const insert = database.prepare("INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const touch = database.prepare("UPDATE api_key SET last_used_at = max(?, coalesce(last_used_at, 0)) WHERE id = ?");
  return {
    database,
    find: database.prepare("SELECT * FROM api_key WHERE id = ?"),
    list: database.prepare("SELECT * FROM api_key WHERE subject = ? ORDER BY created_at DESC, id LIMIT ?"),
    revoke: database.prepare("UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"),
    retire: database.prepare(`
      UPDATE api_key SET expires_at = min(?, coalesce(expires_at, ?)), replaced_by = ?
      WHERE id = ? AND revoked_at IS NULL AND replaced_by IS NULL AND coalesce(expires_at > ?, TRUE)`),
    dataVersion: database.prepare("PRAGMA data_version"),
    insert(record) {
      insert.run(
        record.id,
        record.hash,
        record.subject,
        record.tenant ?? null,
        JSON.stringify(record.scopes),
        record.name,
        record.environment,
        record.displayPrefix,
        record.createdAt,
        record.expiresAt ?? null,
        record.revokedAt ?? null,
        record.lastUsedAt ?? null,
        record.replacedBy ?? null,
        record.rate ?? null,
      );
    },
    noteUses(uses) {
      // No fsync and no waiting for this: it may be lost. The next durable commit carries it to the disk as well.
      database.exec("PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 0;");
      try {
        inTransaction(database, () => {
          for (const [id, at] of uses) touch.run(at, id);
        });
      } finally {
        database.exec(`PRAGMA synchronous = FULL; PRAGMA busy_timeout = ${WRITE_WAITS_MS};`);
      }
    },
  };
}

function readRow(row: Record<string, SQLOutputValue>): ApiKeyRecord {
  const { hash } = row;
  if (!(hash instanceof Uint8Array)) throw new TypeError("a stored hash is no blob");
  const scopes: unknown = JSON.parse(text(row["scopes"]));
  if (!Array.isArray(scopes)) throw new TypeError("stored scopes are no list");
  return Object.freeze({
    id: text(row["id"]),
    hash,
    subject: text(row["subject"]),
    tenant: row["tenant"] === null ? undefined : text(row["tenant"]),
    scopes: Object.freeze(scopes.map(text)),
    name: text(row["name"]),
    environment: text(row["environment"]),
    displayPrefix: text(row["display_prefix"]),
    createdAt: time(row["created_at"]),
    expiresAt: optionalTime(row["expires_at"]),
    revokedAt: optionalTime(row["revoked_at"]),
    lastUsedAt: optionalTime(row["last_used_at"]),
    replacedBy: row["replaced_by"] === null ? undefined : text(row["replaced_by"]),
    ...(row["rate"] === null ? {} : { rate: text(row["rate"]) }),
  });
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("a stored value is no text");
  return value;
}

function time(value: unknown): number {
  if (typeof value !== "number") throw new TypeError("a stored time is no number");
  return value;
}

function optionalTime(value: unknown): number | undefined {
  return value === null ? undefined : time(value);
}
