import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { commentData } from "./comments.ts";
import { memberData } from "./members.ts";
import { projectData } from "./projects.ts";
import { schema, type Tables } from "./schema.ts";
import { sessionData } from "./sessions.ts";
import { nodeSqliteDialect } from "./sqlite-dialect.ts";
import { userData } from "./users.ts";

/**
 * Opens the database and says what may be asked of it. Every value reaches SQL as a parameter, never as text.
 *
 * @param file  path of the database; default: in memory, gone when the process ends
 */
export function openData(file = ":memory:") {
  const sqlite = new DatabaseSync(file);
  sqlite.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  sqlite.exec(schema);
  const db = new Kysely<Tables>({ dialect: nodeSqliteDialect(sqlite) });
  return {
    users: userData(db),
    sessions: sessionData(db),
    projects: projectData(db),
    members: memberData(db),
    comments: commentData(db),
    close: () => sqlite.close(),
  };
}

/** The whole database, as the rest of the example sees it. */
export type Data = ReturnType<typeof openData>;
