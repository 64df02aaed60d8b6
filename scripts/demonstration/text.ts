/** The text in at most `width` columns, with an ellipsis where it had to be cut. */
export function clipped(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1)).trimEnd()}…`;
}

/** The text in lines of at most `width` columns, broken at spaces; a longer word is cut. */
export function wrapped(text: string, width: number): readonly string[] {
  return joined(text.split(" "), " ", width).map((line) => clipped(line, width));
}

/**
 * Parts beside each other in as few lines of at most `width` columns as they need; no part is broken.
 *
 * @param lengthOf  columns a part takes; for parts that carry colours
 */
export function joined(
  parts: readonly string[],
  gap: string,
  width: number,
  lengthOf = (part: string): number => part.length,
): readonly string[] {
  const lines: string[] = [];
  let length = Infinity;
  for (const part of parts) {
    const longer = length + gap.length + lengthOf(part);
    if (longer > width) {
      lines.push(part);
      length = lengthOf(part);
    } else {
      lines.push(`${lines.pop() ?? ""}${gap}${part}`);
      length = longer;
    }
  }
  return lines;
}

/** A word as a POSIX shell reads it back unchanged. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
