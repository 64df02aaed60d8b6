import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { OptionsError } from "../lib/options-error.ts";

/**
 * The path of a file that only this user can read; the files SQLite puts beside it take over its mode.
 *
 * @param folder  made with mode 0700 where it is missing
 * @param name    of the file
 * @param store   whose it is, for messages
 * @throws OptionsError where there is no folder, or others can look into it
 */
export function privateFile(folder: string, name: string, store: string): string {
  if (folder === "") throw new OptionsError(`${store} has no folder.`, "Name one, such as /var/lib/my-api/keys.");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (process.platform !== "win32" && (statSync(folder).mode & 0o077) !== 0) {
    throw new OptionsError(`others can look into ${folder}.`, "Give the store a folder of its own with mode 0700.");
  }
  const path = join(folder, name);
  closeSync(openSync(path, "a", 0o600));
  return path;
}

/**
 * Opens a database. SQLite is loaded with the first of them, because Node 22 warns of it as experimental, and most
 * programs that listen open none.
 *
 * @param timeoutMs  how long a statement waits for another process's write
 */
export function openDatabase(path: string, timeoutMs: number): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  return new DatabaseSync(path, { timeout: timeoutMs });
}

/**
 * Makes what is committed survive a loss of power. Two processes that open a new file at the same moment get into each
 * other's way here, and for this SQLite does not wait by itself.
 *
 * @param timeoutMs  how long to try
 */
export function makeDurable(database: DatabaseSync, timeoutMs: number): void {
  const until = performance.now() + timeoutMs;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;");
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/** SQLITE_BUSY and its extended codes. */
function isBusy(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "errcode") : undefined;
  return typeof code === "number" && (code & 0xff) === 5;
}

/** Runs work in one write transaction: all of it happens or nothing. Waits for another process's as the file says. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
