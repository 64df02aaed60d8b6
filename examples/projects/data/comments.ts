import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import { type Asked, pageOf, timeAfter } from "./pages.ts";
import type { Comment, Tables } from "./schema.ts";

/** Comments, each of which stands under a project. */
export function commentData(db: Kysely<Tables>) {
  return {
    byId: (id: string): Promise<Comment | undefined> =>
      db.selectFrom("comments").selectAll().where("id", "=", id).executeTakeFirst(),

    /** Oldest first, as a conversation is read. */
    async list(projectId: string, { limit, after }: Asked) {
      let query = db.selectFrom("comments").selectAll().where("projectId", "=", projectId);
      const last = timeAfter(after);
      if (last !== undefined) {
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple("createdAt", "id"), ">", tuple(last.createdAt, last.id)),
        );
      }
      const rows = await query
        .orderBy("createdAt")
        .orderBy("id")
        .limit(limit + 1)
        .execute();
      return pageOf(rows, limit, ({ createdAt, id }) => ({ createdAt, id }));
    },

    async create(fields: Omit<Comment, "id" | "createdAt">): Promise<Comment> {
      const comment: Comment = { ...fields, id: randomUUID(), createdAt: new Date().toISOString() };
      await insert([comment]);
      return comment;
    },

    async remove(id: string): Promise<void> {
      await db.deleteFrom("comments").where("id", "=", id).execute();
    },

    insert,
  };

  async function insert(comments: readonly Comment[]): Promise<void> {
    await db.insertInto("comments").values(comments).execute();
  }
}
