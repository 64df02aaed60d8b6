/** Whether a written reason says nothing: no text, or one of nothing one can see. A program without types writes anything. */
export function isBlank(reason: unknown): boolean {
  return typeof reason !== "string" || !VISIBLE.test(reason);
}

/** Anything but blanks and characters that show nothing, such as U+200B. */
const VISIBLE = /[^\p{C}\p{Z}]/u;
