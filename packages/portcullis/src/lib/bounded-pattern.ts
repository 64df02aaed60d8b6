/**
 * Whether a regular expression can match only texts up to some length.
 *
 * True when every alternative is anchored at both ends and nothing in it repeats without an upper end. What this reader
 * is not sure about (back references, classes inside classes) counts as unbounded.
 *
 * @param pattern  source of a JavaScript regular expression, as JSON Schema's `pattern` holds it, without flags
 */
export function isBoundedPattern(pattern: string): boolean {
  let atStart = true;
  let anchored = false;
  let closed = false;
  /** For each open group: whether it is a look-around, which matches nothing itself. */
  const groups: boolean[] = [];

  for (let at = 0; at < pattern.length; ) {
    token.lastIndex = at;
    const text = token.exec(pattern)?.[0];
    if (text === undefined || text.length === 0) return false;
    at += text.length;
    const isTop = groups.length === 0;

    if (text === "|" && isTop) {
      if (!anchored || !closed) return false;
      atStart = true;
      anchored = false;
      closed = false;
      continue;
    }
    if (text === "^" && isTop && atStart) anchored = true;
    closed = text === "$" && isTop;
    atStart = false;

    if (text.startsWith("(")) groups.push(/^\(\?(?:<?[=!])$/.test(text));
    else if (text === ")") groups.pop();
    else if (/^\\(?:[1-9]|k<)/.test(text)) return false;
    else if (/^(?:[*+]|\{\d+,\})$/.test(text) && !groups.includes(true)) return false;
  }
  return anchored && closed;
}

/** One piece of a regular expression; a class that holds "[" is left out, because flags decide what it means. */
const token = /\\k<[^>]*>|\\(?:[^]|$)|\[(?:\\[^]|[^[\]\\])*\]|\(\?(?:[:=!]|<[=!]|<[^>=!]+>)|\{\d+(?:,\d*)?\}|[^[]/y;
