/** The text in at most `width` columns, with an ellipsis where it had to be cut. */
export function fitted(text: string, width: number): string {
  const units = Array.from(text);
  return units.length <= width
    ? text
    : `${units
        .slice(0, Math.max(0, width - 1))
        .join("")
        .trimEnd()}…`;
}

/** The text in lines of at most `width` columns, broken at spaces; a longer word keeps a line of its own. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > width && line !== "") {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line === "" ? lines : [...lines, line];
}

/** `1 check`, `2 checks`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}
