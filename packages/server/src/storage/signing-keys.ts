import type { Kysely, Selectable } from "kysely";
import type { Schema, SigningKeyTable } from "./schema.ts";

/** A key as it is stored, its private half sealed. */
export type SigningKeyRow = Selectable<SigningKeyTable>;

/** Keeps the keys that sign tokens. */
export interface SigningKeyStore {
  /** Those whose public half is still published. */
  list(now: number): Promise<readonly SigningKeyRow[]>;
  /** Adds one, unless another process added one since `seen` was listed. @returns whether it was added */
  add(row: SigningKeyRow, newestSeen: string | undefined): Promise<boolean>;
  sweep(now: number): Promise<void>;
}

/** Signing keys in the tables. */
export function signingKeyStore(db: Kysely<Schema>): SigningKeyStore {
  return {
    list: (now) =>
      db
        .selectFrom("signing_key")
        .selectAll()
        .where("expires_at", ">", now)
        .orderBy("created_at")
        .orderBy("kid")
        .execute(),
    add: (row, newestSeen) =>
      db
        .transaction()
        .setIsolationLevel("serializable")
        .execute(async (one) => {
          const newest = await one
            .selectFrom("signing_key")
            .select("kid")
            .orderBy("created_at", "desc")
            .orderBy("kid", "desc")
            .executeTakeFirst();
          if (newest?.kid !== newestSeen) return false;
          await one.insertInto("signing_key").values(row).execute();
          return true;
        }),
    async sweep(now) {
      await db.deleteFrom("signing_key").where("expires_at", "<=", now).execute();
    },
  };
}
