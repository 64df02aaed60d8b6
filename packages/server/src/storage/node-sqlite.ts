import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { SqliteAdapter, type SqliteDatabase, SqliteDialect } from "kysely";

/** One process's hold on a folder. */
export interface EmbeddedFile {
  readonly dialect: SqliteDialect;
  close(): void;
}

/**
 * Opens `identity.sqlite` in a folder of its own, for this process alone: what was committed survives a loss of power
 * (WAL, `synchronous=FULL`), and a second process that opens the folder is refused as long as the first one lives.
 *
 * @param folder  made with mode 0700 where it is missing
 * @throws Error where others can look into the folder, or another process has it open
 * @see SQLite documentation: PRAGMA locking_mode, Write-Ahead Logging
 */
export function openEmbedded(folder: string): EmbeddedFile {
  const path = privateFile(folder);
  const database = new DatabaseSync(path, { timeout: 500 });
  try {
    hold(database, folder);
  } catch (error) {
    database.close();
    throw error;
  }
  return { dialect: new Embedded({ database: asKyselyNeeds(database) }), close: () => database.close() };
}

/** The kernel frees the lock when the process ends, however it ends. */
function hold(database: DatabaseSync, folder: string): void {
  try {
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" +
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; BEGIN EXCLUSIVE; COMMIT;",
    );
  } catch (cause) {
    throw new Error(`another process has ${folder} open: stop it, or use PostgreSQL for several processes`, { cause });
  }
}

function privateFile(folder: string): string {
  if (folder === "") throw new Error("the embedded store has no folder: name one, such as /var/lib/my-api");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (process.platform !== "win32" && (statSync(folder).mode & 0o077) !== 0) {
    throw new Error(`others can look into ${folder}: give the store a folder of its own with mode 0700`);
  }
  const path = join(folder, "identity.sqlite");
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  return path;
}

/** SQLite rolls back changes of tables as well, so that a migration happens whole or not at all. */
class Embedded extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new WithTransactionalTables();
  }
}

class WithTransactionalTables extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** The handful of methods Kysely's own SQLite dialect calls. */
function asKyselyNeeds(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(sql) {
      const statement = database.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...parameters.map(storable)),
        run: (parameters) => statement.run(...parameters.map(storable)),
        iterate: (parameters) => statement.iterate(...parameters.map(storable)),
      };
    },
  };
}

function storable(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint")
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError("a value that SQLite does not store");
}
