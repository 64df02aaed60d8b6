import { z } from "zod";
import { inBatches } from "../storage/in-batches.ts";
import type { Storage } from "../storage/storage.ts";
import { takeEvents } from "../storage/waiting-events.ts";
import type { KeyEvent } from "./events.ts";

const Left = z.strictObject({
  type: z.enum(["key-created", "key-rotated", "key-revoked"]),
  subject: z.string(),
  key: z.string(),
  why: z.string(),
});

/** Tells what was done to keys beside the servers, each once; one that cannot be read keeps no other from being told. */
export async function tellLeftEvents(
  { db }: Pick<Storage, "db">,
  tell: (event: KeyEvent) => void,
  onError: (error: unknown) => void,
): Promise<void> {
  await inBatches(async (most) => {
    const events = await takeEvents(db, most);
    for (const event of events) {
      try {
        tell(Left.parse(JSON.parse(event)));
      } catch (error) {
        onError(error);
      }
    }
    return events.length;
  });
}
