/** What a text looks like that somebody hoped would be run. */
export type InjectionPattern = "sql" | "nosql" | "shell" | "markup" | "path" | "lookup";

/** Read of what was sent, in characters. */
const readAtMost = 8_192;

/**
 * Whether refused input holds what attempts at injection hold. For alerts alone: a filter by patterns stops nobody who
 * means it, so nothing is refused by this, and what is not recognised is no better for it.
 *
 * @param target  as it was sent, still percent-encoded
 * @param body    as it was sent, parsed; undefined where there was none
 * @returns the kind and never the text
 */
export function injectionPatternIn(target: string, body: unknown): InjectionPattern | undefined {
  const text = `${decoded(target.slice(0, readAtMost))}\n${textOf(body)}`;
  return patterns.find(([, pattern]) => pattern.test(text))?.[0];
}

// Every repetition is bounded, so that reading takes time in proportion to the text.
const patterns: readonly (readonly [InjectionPattern, RegExp])[] = [
  [
    "sql",
    /['"]\s{0,8}(?:or|and)\s{1,8}['"\d(]|\bunion\s{1,8}(?:all\s{1,8})?select\b|;\s{0,8}(?:drop|delete|insert|update)\s|\b(?:pg_sleep|sleep|benchmark)\s{0,4}\(|\bwaitfor\s{1,4}delay\b|'\s{0,4}--/i,
  ],
  ["nosql", /\\?"\$(?:ne|gte?|lte?|where|regex|n?in|exists)\\?"\s{0,4}:|\[\$(?:ne|gte?|lte?|where|regex)\]/],
  ["lookup", /\$\{(?:jndi|env|sys):/i],
  ["shell", /[;|&`]\s{0,4}(?:cat|ls|id|whoami|curl|wget|nc|bash|sh|ping)\b|\$\((?:cat|ls|id|whoami|curl|wget)\b/],
  ["markup", /<script\b|<(?:img|svg)\b[^>]{0,200}\bon(?:error|load)\b|\bjavascript:/i],
  ["path", /\.\.[/\\]/],
];

function decoded(target: string): string {
  try {
    return decodeURIComponent(target.replaceAll("+", " "));
  } catch {
    return target;
  }
}

function textOf(body: unknown): string {
  if (body === undefined) return "";
  // JSON escapes quotes, and the patterns look for them as they were meant.
  return (JSON.stringify(body) ?? "").slice(0, readAtMost).replaceAll('\\"', '"');
}
