import { z } from "zod";

/** A page as Portcullis hands it to a handler: how many rows, and where the last page ended. */
export interface Asked {
  readonly limit: number;
  readonly after: unknown;
}

/** Where a list by time goes on; the id decides between rows of the same moment. */
const position = z.strictObject({ createdAt: z.string(), id: z.string() }).optional();

/** The cursor was sealed by us and is proved to be ours, so anything else in it is our own mistake and may throw. */
export const timeAfter = (after: unknown) => position.parse(after);

/** The same for a list by id. */
export const idAfter = (after: unknown) => z.string().optional().parse(after);

/** Cuts the one row too many that was asked for to see whether there is a next page. */
export function pageOf<Row>(rows: readonly Row[], limit: number, positionOf: (row: Row) => unknown) {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, next: positionOf(last) } : { items };
}
