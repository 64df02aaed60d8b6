import type { Kysely } from "kysely";
import type { SessionRow, Tables } from "./schema.ts";

/** Sessions by the hash of their id, together with whose they are. */
export function sessionData(db: Kysely<Tables>) {
  return {
    async insert(session: SessionRow): Promise<void> {
      await db.insertInto("sessions").values(session).execute();
    },

    byHash: (idHash: string) =>
      db
        .selectFrom("sessions")
        .innerJoin("users", "users.id", "sessions.userId")
        .select(["idHash", "userId", "tenantId", "disabledAt", "startedAt", "lastSeenAt"])
        .where("idHash", "=", idHash)
        .executeTakeFirst(),

    async touch(idHash: string, at: number): Promise<void> {
      await db.updateTable("sessions").set({ lastSeenAt: at }).where("idHash", "=", idHash).execute();
    },

    async remove(idHash: string): Promise<void> {
      await db.deleteFrom("sessions").where("idHash", "=", idHash).execute();
    },

    async removeOfUser(userId: string): Promise<void> {
      await db.deleteFrom("sessions").where("userId", "=", userId).execute();
    },

    /** Removes what nobody can use any more. @param times  Unix milliseconds */
    async removeOlder(times: { readonly startedBefore: number; readonly seenBefore: number }): Promise<void> {
      await db
        .deleteFrom("sessions")
        .where(({ eb, or }) =>
          or([eb("startedAt", "<=", times.startedBefore), eb("lastSeenAt", "<=", times.seenBefore)]),
        )
        .execute();
    },
  };
}
