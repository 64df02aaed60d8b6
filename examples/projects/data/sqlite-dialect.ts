import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { SqliteDialect } from "kysely";

/** Kysely's own SQLite dialect on the SQLite that Node brings along. Kysely closes the database when it is destroyed. */
export function nodeSqliteDialect(database: DatabaseSync): SqliteDialect {
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(sql);
        return {
          reader: statement.columns().length > 0,
          all: (parameters) => statement.all(...parameters.map(toSqlValue)),
          run: (parameters) => statement.run(...parameters.map(toSqlValue)),
          iterate: (parameters) => statement.iterate(...parameters.map(toSqlValue)),
        };
      },
    },
  });
}

/** What SQLite can store; anything else is the caller's mistake and never guessed at. */
function toSqlValue(value: unknown): SQLInputValue {
  if (value === null || value instanceof Uint8Array) return value;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
  throw new TypeError(`SQLite stores no ${typeof value}`);
}
