import { Unreadable } from "./unreadable.ts";

/** Single values by name. It has no prototype, so a look-up finds what was sent and nothing else. */
export type QueryRecord = Readonly<Record<string, string>>;

export interface QueryOptions {
  /** Most pairs accepted, 0 .. 2^31-1; default 100. */
  readonly maxPairs?: number;
  /** Whether values may hold tabs and line breaks, which form bodies with a text area do. Default false. */
  readonly lineBreaks?: boolean;
}

/** Why a query has no single reading. */
export type QueryProblem =
  | "query-too-many-pairs"
  | "query-empty-name"
  | "query-duplicate-name"
  | "query-reserved-name"
  | "query-bracketed-name"
  | "query-malformed-escape"
  | "query-control-character"
  | "query-illegal-character"
  | "query-semicolon";

/**
 * Reads a query (or an `application/x-www-form-urlencoded` body) into single values.
 *
 * Where parsers differ there is a refusal instead of a guess: repeated names (first or last?), `a[]=` and `a[b]=`
 * (array, object or name?), raw ";" (separator or text?), names that reach a prototype, empty names, escapes that are
 * malformed or not UTF-8, control characters. "+" is a space; a name without "=" has the value "".
 *
 * @param text  what stands after "?", without it
 * @returns the values by decoded name, or why there is no single reading; `where` names the pair
 * @see WHATWG URL section 5.1 (application/x-www-form-urlencoded parsing)
 */
export function readQuery(text: string, options?: QueryOptions): QueryRecord | Unreadable<QueryProblem> {
  if (text === "") return EMPTY;
  const maxPairs = options?.maxPairs ?? 100;
  const controls = options?.lineBreaks === true ? CONTROL_BUT_LINE_BREAKS : CONTROL;
  const record: Record<string, string> = Object.create(null);
  const length = text.length;
  let pairs = 0;
  let start = 0;
  let equals = -1;
  let escaped = false;

  for (let at = 0; at <= length; at++) {
    const code = at === length ? AMPERSAND : text.charCodeAt(at);
    if (code === EQUALS) {
      if (equals < 0) equals = at;
    } else if (code === PERCENT || code === PLUS) {
      escaped = true;
    } else if (code === AMPERSAND) {
      if (++pairs > maxPairs) return new Unreadable("query-too-many-pairs");
      let name = text.slice(start, equals < 0 ? at : equals);
      let value = equals < 0 ? "" : text.slice(equals + 1, at);
      if (escaped) {
        const decodedName = decode(name);
        const decodedValue = decode(value);
        if (decodedName === undefined || decodedValue === undefined) {
          return new Unreadable("query-malformed-escape", name);
        }
        if (CONTROL.test(decodedName) || controls.test(decodedValue)) {
          return new Unreadable("query-control-character", name);
        }
        name = decodedName;
        value = decodedValue;
      }
      const problem = nameProblem(name) ?? (record[name] === undefined ? undefined : "query-duplicate-name");
      if (problem !== undefined) return new Unreadable(problem, name);
      record[name] = value;
      start = at + 1;
      equals = -1;
      escaped = false;
    } else if (code <= 0x20 || code >= 0x7f) {
      return new Unreadable("query-illegal-character");
    } else if (code === SEMICOLON) {
      return new Unreadable("query-semicolon");
    }
  }
  return record;
}

function decode(text: string): string | undefined {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return undefined; // Malformed, overlong, or not UTF-8: one reason, because nobody treats them differently.
  }
}

function nameProblem(name: string): QueryProblem | undefined {
  if (name === "") return "query-empty-name";
  if (name === "__proto__" || name === "constructor" || name === "prototype") return "query-reserved-name";
  if (name.includes("[") || name.includes("]")) return "query-bracketed-name";
  return undefined;
}

const EMPTY: QueryRecord = Object.freeze(Object.create(null));

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const CONTROL_BUT_LINE_BREAKS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;
const PLUS = 0x2b;
const SEMICOLON = 0x3b;
