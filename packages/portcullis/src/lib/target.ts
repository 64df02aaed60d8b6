import { Unreadable } from "./unreadable.ts";

/** A request target in its one canonical reading. */
export interface Target {
  /**
   * The path, still percent-encoded, escapes in upper case; always begins with "/". For the log and for error answers.
   * Compare `segments`, not this: "@" and "%40" are two spellings of one segment (RFC 3986 section 2.2 lets both stand).
   */
  readonly path: string;
  /** The decoded path segments; [] for "/". None is empty, ".", ".." or holds "/", "\", or a control character. */
  readonly segments: readonly string[];
  /** What stands after the first "?", still encoded; "" when there is none. Read it with `readQuery`. */
  readonly query: string;
}

export interface TargetOptions {
  /** Longest accepted target, 1 .. 2^31-1 bytes; default 8_192 (8 KiB). */
  readonly maxBytes?: number;
  /** Whether the asterisk-form `*` is accepted; only `OPTIONS *` may ask for it. Default false. */
  readonly asterisk?: boolean;
}

/** Why a target has no canonical reading. */
export type TargetProblem =
  | "target-too-long"
  | "target-not-origin-form"
  | "target-fragment"
  | "target-control-character"
  | "target-not-ascii"
  | "target-backslash"
  | "target-illegal-character"
  | "path-empty-segment"
  | "path-dot-segment"
  | "path-trailing-slash"
  | "path-matrix-parameter"
  | "path-malformed-escape"
  | "path-encoded-unreserved"
  | "path-encoded-separator"
  | "path-encoded-control-character"
  | "path-not-utf8";

/**
 * Reads a request target (the second word of the request line, or `:path`) so that no two parsers can disagree on it.
 *
 * Accepts the origin-form alone. Refuses every spelling that one server resolves and the next does not: absolute-form,
 * fragments, "//", dot segments, matrix parameters, backslashes, escapes of characters that need none (so "%2e%2e" and
 * "%61dmin"), escaped separators and control characters, text that is not UTF-8, and a trailing slash, which has its own
 * reason because a person may have typed it. Characters outside RFC 3986 are refused in the path; in the query those
 * that browsers send unescaped ("[", "]", "{", "}", "|", "^", "`") pass.
 *
 * @param raw  the target exactly as received
 * @returns the canonical reading, or why there is none
 * @see RFC 9112 section 3.2 (forms), RFC 3986 sections 3.3 and 6.2.2 (normal form)
 */
export function readTarget(raw: string, options?: TargetOptions): Target | Unreadable<TargetProblem> {
  const length = raw.length;
  if (length > (options?.maxBytes ?? 8_192)) return new Unreadable("target-too-long");
  if (raw.charCodeAt(0) !== 0x2f) {
    return raw === "*" && options?.asterisk === true ? ASTERISK : new Unreadable("target-not-origin-form");
  }

  const segments: string[] = [];
  let start = 1;
  let escapes = 0;
  let at = 1;
  for (; at < length; at++) {
    const kind = KIND[raw.charCodeAt(at)];
    if (kind === PLAIN) continue;
    if (kind === SLASH) {
      if (at === start) return new Unreadable("path-empty-segment");
      const segment = readSegment(raw, start, at, escapes);
      if (segment instanceof Unreadable) return segment;
      segments.push(segment);
      start = at + 1;
      escapes &= LOWER_CASE;
    } else if (kind === PERCENT) {
      const byte = escapedByte(raw, at);
      if (byte < 0) return new Unreadable("path-malformed-escape");
      const problem = escapeProblem(byte);
      if (problem !== undefined) return new Unreadable(problem);
      escapes |= byte < 0x80 ? ESCAPED : ESCAPED | BEYOND_ASCII;
      if (isLowerHex(raw.charCodeAt(at + 1)) || isLowerHex(raw.charCodeAt(at + 2))) escapes |= LOWER_CASE;
      at += 2;
    } else if (kind === QUESTION) {
      break;
    } else {
      return new Unreadable(characterProblem(raw.charCodeAt(at)));
    }
  }

  if (at > start) {
    const segment = readSegment(raw, start, at, escapes);
    if (segment instanceof Unreadable) return segment;
    segments.push(segment);
  } else if (segments.length > 0) {
    return new Unreadable("path-trailing-slash");
  }

  const path = at === length ? raw : raw.slice(0, at);
  const canonical = (escapes & LOWER_CASE) === 0 ? path : path.replace(/%../g, (escape) => escape.toUpperCase());
  if (at === length) return { path: canonical, segments, query: "" };

  for (let i = at + 1; i < length; i++) {
    const kind = KIND[raw.charCodeAt(i)];
    if (kind === undefined || kind === REFUSED) return new Unreadable(characterProblem(raw.charCodeAt(i)));
  }
  return { path: canonical, segments, query: raw.slice(at + 1) };
}

function readSegment(raw: string, start: number, end: number, escapes: number): string | Unreadable<TargetProblem> {
  const text = raw.slice(start, end);
  if ((escapes & ESCAPED) !== 0) {
    if ((escapes & BEYOND_ASCII) === 0) return decodeURIComponent(text);
    try {
      const decoded = decodeURIComponent(text);
      return C1_CONTROL.test(decoded) ? new Unreadable("path-encoded-control-character") : decoded;
    } catch {
      return new Unreadable("path-not-utf8");
    }
  }
  // An escaped dot never gets here: it is an escape of an unreserved character.
  if (raw.charCodeAt(start) === 0x2e && (text === "." || text === "..")) return new Unreadable("path-dot-segment");
  return text;
}

/** The byte that "%XX" at this place stands for, or -1. */
function escapedByte(raw: string, at: number): number {
  const high = HEX[raw.charCodeAt(at + 1)];
  const low = HEX[raw.charCodeAt(at + 2)];
  if (high === undefined || low === undefined || high > 15 || low > 15) return -1;
  return high * 16 + low;
}

function escapeProblem(byte: number): TargetProblem | undefined {
  if (byte < 0x20 || byte === 0x7f) return "path-encoded-control-character";
  if (byte === 0x2f || byte === 0x5c) return "path-encoded-separator";
  if (isUnreserved(byte)) return "path-encoded-unreserved";
  return undefined;
}

function characterProblem(code: number): TargetProblem {
  if (code < 0x20 || code === 0x7f) return "target-control-character";
  if (code > 0x7f) return "target-not-ascii";
  if (code === 0x23) return "target-fragment";
  if (code === 0x5c) return "target-backslash";
  if (code === 0x3b) return "path-matrix-parameter";
  return "target-illegal-character";
}

function isUnreserved(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === 0x2e ||
    code === 0x5f ||
    code === 0x7e
  );
}

function isLowerHex(code: number): boolean {
  return code >= 0x61 && code <= 0x66;
}

const C1_CONTROL = /[\u0080-\u009f]/;

// What an escape did to the segment being read; LOWER_CASE outlives the segment.
const ESCAPED = 1;
const BEYOND_ASCII = 2;
const LOWER_CASE = 4;

// What each ASCII character is. PLAIN stands anywhere, QUERY_ONLY after the question mark, REFUSED nowhere.
const REFUSED = 0;
const PLAIN = 1;
const SLASH = 2;
const PERCENT = 3;
const QUESTION = 4;
const QUERY_ONLY = 5;

const KIND = new Uint8Array(128);
for (let code = 0; code < 128; code++) if (isUnreserved(code)) KIND[code] = PLAIN;
for (const character of "!$&'()*+,=:@") KIND[character.charCodeAt(0)] = PLAIN;
for (const character of ";[]{}|^`") KIND[character.charCodeAt(0)] = QUERY_ONLY;
KIND[0x2f] = SLASH;
KIND[0x25] = PERCENT;
KIND[0x3f] = QUESTION;

const HEX = new Uint8Array(128).fill(255);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

const ASTERISK: Target = Object.freeze({ path: "*", segments: Object.freeze([]), query: "" });
