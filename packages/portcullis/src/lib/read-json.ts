import { Unreadable } from "./unreadable.ts";

/** Any value JSON can say. Objects are plain; none of their keys reaches a prototype. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

export interface JsonOptions {
  /** Deepest accepted nesting of arrays and objects, 1 .. 1_000; default 32. */
  readonly maxDepth?: number;
  /** Most keys in the whole document, 0 .. 2^31-1; default 1_000. */
  readonly maxKeys?: number;
}

/** Why bytes are not one JSON document with one meaning. */
export type JsonProblem =
  | "json-empty"
  | "json-byte-order-mark"
  | "json-not-utf8"
  | "json-malformed"
  | "json-too-deep"
  | "json-too-many-keys"
  | "json-duplicate-key"
  /** Not the client's doing: something in this process added enumerable properties to Object.prototype. */
  | "json-prototype-polluted"
  | "json-reserved-key"
  | "json-number-range"
  | "json-text";

/**
 * Reads one JSON document, with exactly one meaning, from bytes.
 *
 * Beyond the grammar it refuses what two parsers read differently or what does harm later: a byte order mark, bytes
 * that are not UTF-8, the same key twice in one object (also when one is spelled with escapes), keys named `__proto__`,
 * `constructor` or `prototype`, numbers beyond 2^53-1 in magnitude (they would be rounded, or become Infinity), lone
 * surrogates and NUL (which stores cut or refuse). Depth and the number of keys are bounded before anything is built.
 *
 * The bytes are scanned once for structure and built by `JSON.parse`, which is faster than any builder written in
 * JavaScript. A key that was lost on the way was a duplicate: the scan counts the colons outside of strings, the walk
 * over the result counts the keys that arrived.
 *
 * @param bytes  the whole body; its size is bounded by whoever collected it
 * @see RFC 8259, RFC 7493 (I-JSON: UTF-8, unique names, doubles)
 */
export function readJson(bytes: Uint8Array, options?: JsonOptions): JsonValue | Unreadable<JsonProblem> {
  if (bytes.length === 0) return new Unreadable("json-empty");
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return new Unreadable("json-byte-order-mark");
  const written = countKeys(bytes, options?.maxDepth ?? 32, options?.maxKeys ?? 1_000);
  if (written < 0) return new Unreadable(written === TOO_DEEP ? "json-too-deep" : "json-too-many-keys");

  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return new Unreadable("json-not-utf8");
  }
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return new Unreadable(/^[ \t\r\n]*$/.test(text) ? "json-empty" : "json-malformed");
  }

  // Only an escape can bring a lone surrogate or a NUL past the decoder and the parser.
  const arrived = inspect(value, text.includes("\\u"));
  if (arrived === written) return value;
  if (arrived > written) return new Unreadable("json-prototype-polluted");
  if (arrived >= 0) return new Unreadable("json-duplicate-key");
  if (arrived === OUT_OF_RANGE) return new Unreadable("json-number-range");
  return new Unreadable(arrived === RESERVED ? "json-reserved-key" : "json-text");
}

/**
 * How many keys are written in the text, which is how many colons stand outside of strings; or TOO_DEEP, TOO_MANY.
 * Right for well-formed JSON; anything else is refused by the parser, and here only bounded.
 */
function countKeys(bytes: Uint8Array, maxDepth: number, maxKeys: number): number {
  let keys = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (STRUCTURE[bytes[at] ?? 0]) {
      case STRING:
        // Bytes of longer UTF-8 sequences are all above 0x7f and cannot be taken for a quote or a backslash.
        for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
        break;
      case KEY:
        if (++keys > maxKeys) return TOO_MANY;
        break;
      case OPEN:
        if (++depth > maxDepth) return TOO_DEEP;
        break;
      case CLOSE:
        depth--;
        break;
      default:
    }
  }
  return keys;
}

/**
 * How many keys arrived in the value; or OUT_OF_RANGE, RESERVED, UNFIT for what only shows in values. Recursion is
 * bounded by the depth that was checked before.
 */
function inspect(value: JsonValue, checkText: boolean): number {
  if (typeof value === "string") return checkText && UNFIT_TEXT.test(value) ? UNFIT : 0;
  if (typeof value === "number") return value > MOST || value < -MOST ? OUT_OF_RANGE : 0;
  if (typeof value !== "object" || value === null) return 0;
  return Array.isArray(value) ? inspectItems(value, checkText) : inspectMembers(value, checkText);
}

function inspectItems(items: readonly JsonValue[], checkText: boolean): number {
  let keys = 0;
  for (let at = 0; at < items.length; at++) {
    const found = inspect(items[at] ?? null, checkText);
    if (found < 0) return found;
    keys += found;
  }
  return keys;
}

function inspectMembers(members: { readonly [key: string]: JsonValue }, checkText: boolean): number {
  let keys = 0;
  // for-in makes no array of names. It also sees what somebody added to Object.prototype: then the count is too high.
  for (const name in members) {
    if (name === "__proto__" || name === "constructor" || name === "prototype") return RESERVED;
    if (checkText && UNFIT_TEXT.test(name)) return UNFIT;
    const found = inspect(members[name] ?? null, checkText);
    if (found < 0) return found;
    keys += found + 1;
  }
  return keys;
}

// `ignoreBOM` means "leave it in": the one at the start was refused before, one in a string is a character like others.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const MOST = Number.MAX_SAFE_INTEGER;
const UNFIT_TEXT = /[\0\p{Surrogate}]/u;

const TOO_DEEP = -1;
const TOO_MANY = -2;
const OUT_OF_RANGE = -3;
const RESERVED = -4;
const UNFIT = -5;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

// What each byte means for the structure; 0 is nothing.
const STRING = 1;
const KEY = 2;
const OPEN = 3;
const CLOSE = 4;
const STRUCTURE = new Uint8Array(256);
STRUCTURE[QUOTE] = STRING;
STRUCTURE[0x3a] = KEY;
STRUCTURE[0x5b] = OPEN;
STRUCTURE[0x7b] = OPEN;
STRUCTURE[0x5d] = CLOSE;
STRUCTURE[0x7d] = CLOSE;
