import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** What servers say of themselves, for commands that open the same store. */
export interface SettingStore {
  find(name: string): Promise<string | undefined>;
  /** In place of what was said before. */
  put(name: string, value: string): Promise<void>;
  drop(name: string): Promise<void>;
}

/** Settings in the tables. */
export function settingStore(db: Kysely<Schema>): SettingStore {
  return {
    async find(name) {
      return (await db.selectFrom("setting").select("value").where("name", "=", name).executeTakeFirst())?.value;
    },
    async put(name, value) {
      await db
        .insertInto("setting")
        .values({ name, value })
        .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
        .execute();
    },
    async drop(name) {
      await db.deleteFrom("setting").where("name", "=", name).execute();
    },
  };
}
