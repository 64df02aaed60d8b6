/** A piece of a shell word: text that is meant literally, or the name of a variable. */
export type Piece = string | { readonly variable: string };

/**
 * One word for a POSIX-like shell that knows `$'…'` (bash, zsh, ksh, BusyBox). Whatever the text contains, it stays one
 * word and runs nothing; control characters are written as escapes, so that pasting it does nothing either. NUL cannot
 * stand in a shell word and becomes `\0` in two characters.
 */
export function shellWord(pieces: readonly Piece[]): string {
  const parts = pieces.map((piece) => (typeof piece === "string" ? quoted(piece) : `"$${piece.variable}"`));
  return parts.join("") || "''";
}

/** A name as a variable: `alice-key` is `ALICE_KEY`. */
export function variableName(text: string): string {
  const name = text.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");
  return /^[A-Z]/.test(name) ? name : `V_${name}`;
}

function quoted(text: string): string {
  if (text === "") return "";
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (!unprintable.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = Array.from(text.toWellFormed(), (unit) => {
    if (unit === "'" || unit === "\\") return `\\${unit}`;
    if (unit === "\0") return "\\\\0";
    if (!unprintable.test(unit)) return unit;
    return [...new TextEncoder().encode(unit)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  });
  return `$'${escaped.join("")}'`;
}

/** Control and format characters, line and paragraph separators, halves of a pair. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
