/** Whether a written reason says nothing: no text, or one of blanks alone. A program without types writes anything. */
export function isBlank(reason: unknown): boolean {
  return typeof reason !== "string" || reason.trim() === "";
}
