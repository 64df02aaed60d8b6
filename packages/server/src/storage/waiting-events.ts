import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** Leaves an event for a server to tell; in the transaction of what it tells of. @param event  JSON */
export async function leaveEvent(one: Kysely<Schema>, event: string): Promise<void> {
  await one.insertInto("waiting_event").values({ event }).execute();
}

/** Takes what was left, the oldest first; of several servers that ask at once, one gets each. */
export async function takeEvents(db: Kysely<Schema>): Promise<readonly string[]> {
  const rows = await db.deleteFrom("waiting_event").returningAll().execute();
  return rows.toSorted((one, other) => one.seq - other.seq).map(({ event }) => event);
}
