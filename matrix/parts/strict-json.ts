/** What of a JSON text is ambiguous or too much; read before anything is parsed. */
export interface JsonFacts {
  readonly depth: number;
  readonly keys: number;
  readonly hasDuplicate: boolean;
  readonly hasPrototypeKey: boolean;
}

/** Reads the structure of a JSON text without recursion. The text itself is judged by `JSON.parse`. */
export function factsOf(text: string): JsonFacts {
  const open: (Set<string> | undefined)[] = [];
  let depth = 0;
  let keys = 0;
  let hasDuplicate = false;
  let hasPrototypeKey = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === "{" || letter === "[") {
      open.push(letter === "{" ? new Set() : undefined);
      depth = Math.max(depth, open.length);
    } else if (letter === "}" || letter === "]") open.pop();
    else if (letter === '"') {
      const end = endOfString(text, at);
      const isKey = /^\s*:/.test(text.slice(end + 1, end + 50));
      const members = open.at(-1);
      if (isKey && members !== undefined) {
        const key = keyOf(text.slice(at, end + 1));
        keys += 1;
        hasDuplicate ||= members.has(key);
        hasPrototypeKey ||= ["__proto__", "constructor", "prototype"].includes(key);
        members.add(key);
      }
      at = end;
    }
  }
  return { depth, keys, hasDuplicate, hasPrototypeKey };
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

/** A key as it is meant, with its escapes read. */
function keyOf(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal;
  }
}
