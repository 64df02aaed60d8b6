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

/** The text in lines of at most `width` columns, broken at spaces, and inside a word only where it is longer than a line. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  const most = Math.max(1, width);
  const words = text.split(" ").flatMap((word) => (word.length > most ? pieces(word, most) : [word]));
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
