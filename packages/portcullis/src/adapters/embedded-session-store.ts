import type { DatabaseSync, StatementSync } from "node:sqlite";
import { readSession, writeSession } from "../lib/read-session.ts";
import { mostOfSubject, type SessionStore } from "../lib/session-store.ts";
import { inTransaction, makeDurable, openDatabase, privateFile } from "./embedded-file.ts";

/** Where an embedded session store keeps its file. */
export interface EmbeddedSessionStoreOptions {
  /** A folder of its own, made with mode 0700 where it is missing and refused where others can look into it. */
  readonly folder: string;
}

/** A {@link SessionStore} in a file. */
export interface EmbeddedSessionStore extends SessionStore {
  /** Closes the file. Later calls throw. */
  close(): void;
}

/**
 * Keeps sessions in one SQLite file, `sessions.sqlite`, which several processes of one machine may share. A started and an
 * ended session are on the disk when the call returns (WAL, `synchronous=FULL`); an ended one is over at once in all of
 * them. Sessions whose time is up are deleted as new ones come.
 *
 * The file is opened at the first call, so that importing a module that makes a store has no effect.
 *
 * @throws OptionsError at the first call where others can read the folder
 */
export function embeddedSessionStore({ folder }: EmbeddedSessionStoreOptions): EmbeddedSessionStore {
  let opened: Opened | undefined;
  let closed = false;

  function file(): Opened {
    if (closed) throw new Error("the session store is closed");
    opened ??= open(folder);
    return opened;
  }

  return {
    insert(record) {
      const { database, forget, insert, endOldest } = file();
      const { idHash, subject, startedAt, lastSeenAt, endsAt, idleMs } = record;
      inTransaction(database, () => {
        forget.run(startedAt, startedAt);
        endOldest.run(subject, mostOfSubject - 1);
        insert.run(idHash, subject, writeSession(record), lastSeenAt, endsAt, idleMs);
      });
    },
    find(idHash) {
      const row = file().find.get(idHash);
      return row === undefined ? undefined : readSession(row["record"], row["last_seen_at"]);
    },
    touch(idHash, at) {
      file().touch.run(at, idHash, at);
    },
    end(idHash) {
      file().end.run(idHash);
    },
    endAll: (subject, except = "") => Number(file().endAll.run(subject, except).changes),
    close() {
      if (closed) return;
      closed = true;
      opened?.database.close();
    },
  };
}

/** How long a write waits for another process's, in milliseconds. Reads never wait in WAL. */
const WRITE_WAITS_MS = 1_000;
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE session (
    id_hash TEXT PRIMARY KEY, subject TEXT NOT NULL, record TEXT NOT NULL, last_seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL, idle_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX session_by_subject ON session (subject);
  CREATE INDEX session_by_end ON session (ends_at);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

interface Opened {
  readonly database: DatabaseSync;
  readonly insert: StatementSync;
  readonly find: StatementSync;
  readonly touch: StatementSync;
  readonly end: StatementSync;
  readonly endAll: StatementSync;
  readonly forget: StatementSync;
  readonly endOldest: StatementSync;
}

function open(folder: string): Opened {
  const path = privateFile(folder, "sessions.sqlite", "embeddedSessionStore");
  const database = openDatabase(path, WRITE_WAITS_MS);
  try {
    makeDurable(database, WRITE_WAITS_MS);
    inTransaction(database, () => {
      const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
      if (version === 0) database.exec(SCHEMA);
      else if (version !== SCHEMA_VERSION) throw new Error("the session store was written by another version");
    });
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    database,
    insert: database.prepare("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)"),
    find: database.prepare("SELECT record, last_seen_at FROM session WHERE id_hash = ?"),
    touch: database.prepare("UPDATE session SET last_seen_at = ? WHERE id_hash = ? AND last_seen_at < ?"),
    end: database.prepare("DELETE FROM session WHERE id_hash = ?"),
    endAll: database.prepare("DELETE FROM session WHERE subject = ? AND id_hash <> ?"),
    endOldest: database.prepare(`DELETE FROM session WHERE id_hash IN
      (SELECT id_hash FROM session WHERE subject = ? ORDER BY ends_at DESC LIMIT -1 OFFSET ?)`),
    forget: database.prepare("DELETE FROM session WHERE ends_at <= ? OR last_seen_at + idle_ms <= ?"),
  };
}
