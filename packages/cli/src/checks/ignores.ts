import type { Parsed } from "./parse.ts";

/** A finding that somebody looked at and let stand: by protection, on the line after the comment. */
export interface Ignored {
  readonly line: number;
  readonly protection: string;
  /** Why; "" where the comment does not say, and then it counts for nothing. */
  readonly reason: string;
}

/** Reads `// portcullis-ignore <id>: reason` comments; what follows an id must be a reason. */
export function ignoresIn(parsed: Parsed, lineAt: (offset: number) => number): readonly Ignored[] {
  return parsed.comments.flatMap(({ value, end }) => {
    const said = /^[\s*]*portcullis-ignore\s+([a-z-]+)(?:\s*:\s*([\s\S]*))?/.exec(value);
    if (said === null) return [];
    return [{ line: lineAt(end) + 1, protection: said[1] ?? "", reason: (said[2] ?? "").replace(/[\s*]+$/, "") }];
  });
}
