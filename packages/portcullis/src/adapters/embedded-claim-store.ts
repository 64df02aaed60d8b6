import { randomBytes } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { inTransaction, makeDurable, openDatabase, privateFile } from "./embedded-file.ts";
import type { Claim, ClaimStore } from "../webhooks/claim-store.ts";

/** Where an embedded claim store keeps its file. */
export interface EmbeddedClaimStoreOptions {
  /** A folder of its own, made with mode 0700 where it is missing and refused where others can look into it. */
  readonly folder: string;
  /** Unix milliseconds, for tests. Default: the system's clock, which all processes of a machine share. */
  readonly now?: () => number;
}

/** A {@link ClaimStore} in a file. */
export interface EmbeddedClaimStore extends ClaimStore {
  /** Closes the file. Later calls throw. */
  close(): void;
}

/**
 * Keeps claims in one SQLite file, `webhook-claims.sqlite`, which several processes of one machine may share. A claim and
 * what was done are on the disk when the call returns (WAL, `synchronous=FULL`), so neither a crash nor a restart runs a
 * delivery twice. Deliveries whose time is up are deleted a few at a time, as new ones come.
 *
 * Leases and memories are counted by the system's clock: a clock that is set back makes them longer, one that is set
 * forward shorter.
 *
 * The file is opened at the first call, so that importing a module that makes a store has no effect.
 *
 * @throws OptionsError at the first call where others can read the folder
 * @see SQLite documentation: Write-Ahead Logging, PRAGMA synchronous
 */
export function embeddedClaimStore({ folder, now = Date.now }: EmbeddedClaimStoreOptions): EmbeddedClaimStore {
  let opened: Opened | undefined;
  let closed = false;

  function file(): Opened {
    if (closed) throw new Error("the claim store is closed");
    opened ??= open(folder);
    return opened;
  }

  return {
    kind: "embedded",
    reach: "machine",
    claim(key, leaseMs) {
      const { database, forget, find, take } = file();
      return inTransaction(database, (): Claim => {
        const at = now();
        forget.run(at);
        const row = find.get(key);
        const untilMs = row?.["until_ms"];
        if (typeof untilMs === "number" && untilMs > at) {
          return row?.["token"] === null ? { state: "done" } : { state: "held", forMs: untilMs - at };
        }
        const token = randomBytes(16).toString("base64url");
        take.run(key, token, at + leaseMs);
        return { state: "claimed", token };
      });
    },
    done: (key, token, { keepMs }) => file().done.run(now() + keepMs, key, token).changes > 0,
    release(key, token) {
      file().release.run(key, token);
    },
    close() {
      if (closed) return;
      closed = true;
      opened?.database.close();
    },
  };
}

/** How long a write waits for another process's, in milliseconds. */
const WRITE_WAITS_MS = 1_000;
const SCHEMA_VERSION = 1;

/** Without a token it is done. */
const SCHEMA = `
  CREATE TABLE delivery (key TEXT PRIMARY KEY, token TEXT, until_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX delivery_by_end ON delivery (until_ms);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

interface Opened {
  readonly database: DatabaseSync;
  readonly forget: StatementSync;
  readonly find: StatementSync;
  readonly take: StatementSync;
  readonly done: StatementSync;
  readonly release: StatementSync;
}

function open(folder: string): Opened {
  const path = privateFile(folder, "webhook-claims.sqlite", "embeddedClaimStore");
  const database = openDatabase(path, WRITE_WAITS_MS);
  try {
    makeDurable(database, WRITE_WAITS_MS);
    inTransaction(database, () => {
      const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
      if (version === 0) database.exec(SCHEMA);
      else if (version !== SCHEMA_VERSION) throw new Error("the claim store was written by another version");
    });
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    database,
    forget: database.prepare(
      "DELETE FROM delivery WHERE key IN (SELECT key FROM delivery WHERE until_ms <= ? ORDER BY until_ms LIMIT 20)",
    ),
    find: database.prepare("SELECT token, until_ms FROM delivery WHERE key = ?"),
    take: database.prepare(
      "INSERT INTO delivery VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET token = excluded.token, until_ms = excluded.until_ms",
    ),
    done: database.prepare("UPDATE delivery SET token = NULL, until_ms = ? WHERE key = ? AND token = ?"),
    release: database.prepare("DELETE FROM delivery WHERE key = ? AND token = ?"),
  };
}
