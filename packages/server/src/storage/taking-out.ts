import { type Kysely, type QueryResult, type RawBuilder, type SqlBool, sql } from "kysely";
import { inBatches } from "./in-batches.ts";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

/** Rows of a table that are over. */
export interface Over<T extends keyof Schema> {
  readonly table: T;
  /** What tells its rows apart. */
  readonly key: readonly (keyof Schema[T] & string)[];
  readonly where: RawBuilder<SqlBool>;
  /** Column that is emptied, where the row stays. */
  readonly empty?: keyof Schema[T] & string;
}

/** Takes out whatever is over, a bounded number of rows at a time until none are left. */
export function takeOut<T extends keyof Schema>(
  { db, kind }: Pick<Storage, "db" | "kind">,
  over: Over<T>,
): Promise<void> {
  return inBatches(async (most) => (await takeOutSome(db, kind, over, most)).numAffectedRows ?? 0n);
}

/**
 * Takes out so many at most, and none that somebody else is changing or taking out at this moment: who waits for nobody
 * has nobody wait for him in a circle, however many instances do it at once. SQLite lets nobody else write anyway.
 *
 * @param returning  columns of each, for who has more to do
 */
export function takeOutSome<T extends keyof Schema, R = unknown>(
  one: Kysely<Schema>,
  kind: Storage["kind"],
  { table, key, where, empty }: Over<T>,
  most: number,
  returning: readonly (keyof R & keyof Schema[T] & string)[] = [],
): Promise<QueryResult<R>> {
  const keys = sql.join(key.map((column) => sql.ref(column)));
  const held = kind === "postgres" ? sql`for update skip locked` : sql``;
  const change =
    empty === undefined
      ? sql`delete from ${sql.table(table)}`
      : sql`update ${sql.table(table)} set ${sql.ref(empty)} = null`;
  const told = returning.length === 0 ? sql`` : sql`returning ${sql.join(returning.map((one) => sql.ref(one)))}`;
  // Chosen once: a subquery may be asked anew for every row, and would choose others.
  return sql<R>`with over as materialized (select ${keys} from ${sql.table(table)} where ${where} limit ${most} ${held})
    ${change} where (${keys}) in (select ${keys} from over) ${told}`.execute(one);
}
