/**
 * The text with everything that a terminal, an editor or a reader could be fooled by made visible: control characters,
 * line breaks, directions of writing, zero-width characters, halves of a pair. Whatever comes from the target goes through
 * it.
 *
 * @param keep  characters that stay as they are, such as "\n"
 */
export function visible(text: string, keep = ""): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (unit) => {
    if (keep.includes(unit)) return unit;
    if (unit === "\n" || unit === "\t" || unit === "\r") return { "\n": "\\n", "\t": "\\t", "\r": "\\r" }[unit];
    return `\\u{${(unit.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** A value as JSON in which whatever {@link visible} is wary of stands as an escape, so that showing it does nothing either. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replaceAll(/[\p{Cf}\p{Zl}\p{Zp}\u007f-\u009f]/gu, (unit) =>
    unit
      .split("")
      .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** The text, made {@link visible}, in at most `width` columns, with an ellipsis where it had to be cut. */
export function fitted(text: string, width: number): string {
  const shown = visible(text);
  const units = Array.from(shown);
  if (units.length <= width) return shown;
  const start = units.slice(0, Math.max(0, width - 1));
  return `${start.join("").trimEnd()}…`;
}

/**
 * The text, made {@link visible}, in lines of at most `width` columns, broken at spaces, and inside a word only where it is
 * longer than a line.
 */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  const most = Math.max(1, width);
  const words = visible(text)
    .split(" ")
    .flatMap((word) => (word.length > most ? pieces(word, most) : [word]));
  for (const word of words) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > width && line !== "") {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line === "" ? lines : [...lines, line];
}

function pieces(word: string, size: number): readonly string[] {
  const units = Array.from(word);
  return Array.from({ length: Math.ceil(units.length / size) }, (_, index) =>
    units.slice(index * size, (index + 1) * size).join(""),
  );
}

/** `1 check`, `2 checks`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}
