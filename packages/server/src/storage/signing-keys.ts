import type { Kysely, Selectable } from "kysely";
import type { Schema, SigningKeyTable } from "./schema.ts";

/** A key as it is stored, its private half sealed. */
export type SigningKeyRow = Selectable<SigningKeyTable>;

/** Keeps the keys that sign tokens. */
export interface SigningKeyStore {
  /** All of them, oldest first, those that ran out too until they are swept. */
  list(): Promise<readonly SigningKeyRow[]>;
  /** Adds one, unless another process was faster to follow the same key. @returns whether it was added */
  add(row: SigningKeyRow): Promise<boolean>;
  /** Takes out those that ran out, but never the newest. */
  sweep(now: number): Promise<void>;
}

/** Signing keys in the tables. */
export function signingKeyStore(db: Kysely<Schema>): SigningKeyStore {
  return {
    // Two of one millisecond: the later one signs later.
    list: () =>
      db.selectFrom("signing_key").selectAll().orderBy("created_at").orderBy("signs_from").orderBy("kid").execute(),
    async add(row) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto("signing_key")
        .values(row)
        .onConflict((conflict) => conflict.column("follows").doNothing())
        .executeTakeFirst();
      return (numInsertedOrUpdatedRows ?? 0n) > 0n;
    },
    async sweep(now) {
      await db
        .deleteFrom("signing_key")
        .where("expires_at", "<=", now)
        // The next one names it.
        .where("kid", "in", (older) => older.selectFrom("signing_key as next").select("next.follows"))
        .execute();
    },
  };
}
