/** A fenced block of a markdown text. */
export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
}

/** The fenced blocks of a markdown text, in order. */
export function codeBlocks(markdown: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  for (const [index, text] of markdown.split("\n").entries()) {
    if (!text.startsWith("```")) open?.lines.push(text);
    else if (open === undefined) open = { language: text.slice(3).trim(), line: index + 1, lines: [] };
    else {
      blocks.push({ language: open.language, code: `${open.lines.join("\n")}\n`, line: open.line });
      open = undefined;
    }
  }
  return blocks;
}

/** The text without its fenced blocks. */
export function prose(markdown: string): string {
  return markdown.replace(/^```[^\n]*\n[\s\S]*?^```$/gm, "");
}

/** What stands between single backticks outside of fenced blocks; double ones are other people's code. */
export function codeSpans(markdown: string): readonly string[] {
  const text = prose(markdown).replace(/``[\s\S]*?``/g, "");
  return [...text.matchAll(/`([^`]+)`/g)].map((found) => (found[1] ?? "").replace(/\s+/g, " "));
}

/** Where links and images point, outside of fenced blocks and code. */
export function linkTargets(markdown: string): readonly string[] {
  const text = prose(markdown).replace(/`[^`]*`/g, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((found) => found[1] ?? "");
}

/** The anchors GitHub gives to the headings of a markdown text. */
export function anchors(markdown: string): ReadonlySet<string> {
  const headings = [...prose(markdown).matchAll(/^#{1,6} (.+)$/gm)].map((found) => found[1] ?? "");
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** The cells of every table row, trimmed; rules between head and body are left out. */
export function tableRows(markdown: string): readonly (readonly string[])[] {
  return prose(markdown)
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^\|[\s|:-]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}
