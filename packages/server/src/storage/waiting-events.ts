import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** Leaves an event for a server to tell; in the transaction of what it tells of. @param event  JSON */
export async function leaveEvent(one: Kysely<Schema>, event: string): Promise<void> {
  await one.insertInto("waiting_event").values({ event }).execute();
}

/** Takes the oldest of what was left, in their order; of several servers that ask at once, one gets each. */
export async function takeEvents(db: Kysely<Schema>, most: number): Promise<readonly string[]> {
  const oldest = db.selectFrom("waiting_event").select("seq").orderBy("seq").limit(most);
  const rows = await db.deleteFrom("waiting_event").where("seq", "in", oldest).returningAll().execute();
  return rows.toSorted((one, other) => one.seq - other.seq).map(({ event }) => event);
}
