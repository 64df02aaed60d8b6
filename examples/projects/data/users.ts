import type { Kysely } from "kysely";
import { type Asked, idAfter, pageOf } from "./pages.ts";
import type { Tables, User } from "./schema.ts";

/** A user as others of the same tenant know them. */
export type Colleague = Pick<User, "id" | "tenantId" | "name" | "email">;

/** Users: their accounts, and what colleagues see of them. */
export function userData(db: Kysely<Tables>) {
  return {
    byId: (id: string): Promise<User | undefined> =>
      db.selectFrom("users").selectAll().where("id", "=", id).executeTakeFirst(),

    byEmail: (email: string): Promise<User | undefined> =>
      db.selectFrom("users").selectAll().where("email", "=", email).executeTakeFirst(),

    colleague: (id: string): Promise<Colleague | undefined> =>
      db.selectFrom("users").select(["id", "tenantId", "name", "email"]).where("id", "=", id).executeTakeFirst(),

    /** No row has an empty tenant, so no tenant is no rows. */
    async listOfTenant(tenant: string | undefined, { limit, after }: Asked) {
      let query = db
        .selectFrom("users")
        .selectAll()
        .where("tenantId", "=", tenant ?? "");
      const last = idAfter(after);
      if (last !== undefined) query = query.where("id", ">", last);
      const rows = await query
        .orderBy("id")
        .limit(limit + 1)
        .execute();
      return pageOf(rows, limit, (user) => user.id);
    },

    async insert(users: readonly User[]): Promise<void> {
      await db.insertInto("users").values(users).execute();
    },

    rename: (id: string, name: string): Promise<User> =>
      db.updateTable("users").set({ name }).where("id", "=", id).returningAll().executeTakeFirstOrThrow(),

    async disable(id: string, at: string): Promise<void> {
      await db.updateTable("users").set({ disabledAt: at }).where("id", "=", id).execute();
    },
  };
}
