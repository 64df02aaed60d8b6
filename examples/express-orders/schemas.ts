import { z } from "zod";

const sku = z.enum(["lamp", "chair"]);
const quantity = z.int().min(1).max(99);

export const OrderId = z.strictObject({ id: z.uuid() });
export const NoteId = z.strictObject({ id: z.uuid(), noteId: z.uuid() });
export const NewOrder = z.strictObject({ sku, quantity });
export const OrderChange = z.strictObject({ quantity });
export const NewNote = z.strictObject({ text: z.string().min(1).max(500) });

export const Me = z.strictObject({ name: z.string() });
export const Catalogue = z.strictObject({
  items: z.array(z.strictObject({ sku, name: z.string(), cents: z.int() })).max(100),
});
export const OrderView = z.strictObject({ id: z.uuid(), sku, quantity, status: z.enum(["open", "shipped"]) });
export const NoteView = z.strictObject({ id: z.uuid(), text: z.string() });
