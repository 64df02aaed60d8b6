/** Thrown for JSON that two parsers could read differently, or that is too deep or has too many members. */
export class NotStrict extends Error {}

/**
 * Reads JSON and refuses members that stand twice, prototype members, depth and number of members. Whether it is JSON at
 * all is left to `JSON.parse`.
 */
export function strictJson(text: string, most: { readonly depth: number; readonly keys: number }): unknown {
  const value: unknown = JSON.parse(text);
  const levels: Set<string>[] = [];
  let keys = 0;
  let depth = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    const token = match[0];
    if (token === "{" || token === "[") {
      depth += 1;
      if (depth > most.depth) throw new NotStrict("too deep");
      levels.push(new Set());
    } else if (token === "}" || token === "]") {
      depth -= 1;
      levels.pop();
    } else if (match[1] !== undefined) {
      const name = String(JSON.parse(token.slice(0, token.length - match[1].length)));
      const level = levels.at(-1);
      keys += 1;
      if (keys > most.keys) throw new NotStrict("too many members");
      if (level?.has(name) === true || /^(?:__proto__|constructor|prototype)$/.test(name)) throw new NotStrict("twice");
      level?.add(name);
    }
  }
  return value;
}
