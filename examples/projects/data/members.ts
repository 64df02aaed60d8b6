import type { Kysely } from "kysely";
import { type Asked, idAfter, pageOf } from "./pages.ts";
import type { Member, Tables } from "./schema.ts";

/** Who is in a project, and as what. */
export function memberData(db: Kysely<Tables>) {
  return {
    /** The people of a project: who they are and their role in it. */
    async list(projectId: string, { limit, after }: Asked) {
      let query = db
        .selectFrom("members")
        .innerJoin("users", "users.id", "members.userId")
        .select(["users.id", "tenantId", "name", "email", "userId", "members.role"])
        .where("projectId", "=", projectId);
      const last = idAfter(after);
      if (last !== undefined) query = query.where("userId", ">", last);
      const rows = await query
        .orderBy("userId")
        .limit(limit + 1)
        .execute();
      return pageOf(rows, limit, (member) => member.userId);
    },

    /** Lets somebody in, or changes the role of somebody who is in. */
    async put(member: Member): Promise<void> {
      await db
        .insertInto("members")
        .values(member)
        .onConflict((on) => on.columns(["projectId", "userId"]).doUpdateSet({ role: member.role }))
        .execute();
    },

    async remove(projectId: string, userId: string): Promise<void> {
      await db.deleteFrom("members").where("projectId", "=", projectId).where("userId", "=", userId).execute();
    },
  };
}
