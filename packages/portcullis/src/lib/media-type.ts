import { isToken } from "./token.ts";
import { Unreadable } from "./unreadable.ts";

/** A media type in its one reading. */
export interface MediaType {
  /** `type/subtype` in lower case, for example "application/json". */
  readonly type: string;
  /** Present when it was sent; UTF-8 is the only charset there is. */
  readonly charset?: "utf-8";
  /** The multipart delimiter, 1 .. 70 characters; always present on multipart types and only there. */
  readonly boundary?: string;
}

/** Why a Content-Type has no single reading; all of them are a 415. */
export type MediaTypeProblem =
  | "media-type-malformed"
  | "media-type-too-long"
  | "media-type-duplicate-parameter"
  | "media-type-unknown-parameter"
  | "media-type-charset"
  | "media-type-boundary";

/**
 * Reads a Content-Type so that choosing the parser and choosing the validator cannot disagree.
 *
 * Accepts `type/subtype` with the parameters `charset=utf-8` and, on multipart, `boundary`. Refuses tabs, comments,
 * empty, repeated and unknown parameters, every other charset, lists, and whitespace around "/" or "=".
 *
 * @param value  the field value as received, at most 256 characters
 * @see RFC 9110 section 8.3.1 (syntax), RFC 2046 section 5.1.1 (boundary)
 */
export function readMediaType(value: string): MediaType | Unreadable<MediaTypeProblem> {
  return USUAL.get(value) ?? parse(value);
}

function parse(value: string): MediaType | Unreadable<MediaTypeProblem> {
  if (value.length > 256) return new Unreadable("media-type-too-long");
  const end = value.indexOf(";");
  const written = end < 0 ? value : trimEnd(value.slice(0, end));
  const slash = written.indexOf("/");
  if (slash < 0 || !isToken(written.slice(0, slash)) || !isToken(written.slice(slash + 1))) {
    return new Unreadable("media-type-malformed");
  }
  const essence = written.toLowerCase(); // after the check: lower-casing turns U+212A into a plain "k"
  const multipart = essence.startsWith("multipart/");

  let charset: "utf-8" | undefined;
  let boundary: string | undefined;
  let at = end < 0 ? value.length : end;
  while (at < value.length) {
    at++; // over the semicolon
    while (value.charCodeAt(at) === SPACE) at++;
    const equals = value.indexOf("=", at);
    if (equals < 0) return new Unreadable("media-type-malformed");
    if (!isToken(value.slice(at, equals))) return new Unreadable("media-type-malformed");
    const name = value.slice(at, equals).toLowerCase();

    let content: string;
    if (value.charCodeAt(equals + 1) === QUOTE) {
      // A quoted-string, without the backslash escapes that no charset or boundary needs.
      const close = value.indexOf('"', equals + 2);
      content = value.slice(equals + 2, close);
      if (close < 0 || !QUOTABLE.test(content)) return new Unreadable("media-type-malformed");
      at = close + 1;
    } else {
      const next = value.indexOf(";", equals);
      at = next < 0 ? value.length : next;
      content = next < 0 ? value.slice(equals + 1) : trimEnd(value.slice(equals + 1, next));
      if (!isToken(content)) return new Unreadable("media-type-malformed");
    }
    while (value.charCodeAt(at) === SPACE) at++;
    if (at < value.length && value.charCodeAt(at) !== SEMICOLON) return new Unreadable("media-type-malformed");

    if (name === "charset") {
      if (charset !== undefined) return new Unreadable("media-type-duplicate-parameter", name);
      if (content.toLowerCase() !== "utf-8") return new Unreadable("media-type-charset");
      charset = "utf-8";
    } else if (name === "boundary" && multipart) {
      if (boundary !== undefined) return new Unreadable("media-type-duplicate-parameter", name);
      if (!BOUNDARY.test(content)) return new Unreadable("media-type-boundary");
      boundary = content;
    } else {
      return new Unreadable("media-type-unknown-parameter", name);
    }
  }

  if (multipart && boundary === undefined) return new Unreadable("media-type-boundary");
  return {
    type: essence,
    ...(charset === undefined ? {} : { charset }),
    ...(boundary === undefined ? {} : { boundary }),
  };
}

/** Takes spaces, and only spaces, from the end; String.prototype.trimEnd would take tabs along. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === SPACE) end--;
  return text.slice(0, end);
}

const SPACE = 0x20;
const QUOTE = 0x22;
const SEMICOLON = 0x3b;

const QUOTABLE = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/;
// RFC 2046: bchars, at most 70, not ending in a space.
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;

// What nearly every client sends, read ahead of time.
const USUAL: ReadonlyMap<string, MediaType> = new Map(
  [
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=utf-8",
    "application/json; charset=UTF-8",
    "application/json;charset=UTF-8",
    "application/x-www-form-urlencoded",
    "application/merge-patch+json",
    "text/plain;charset=UTF-8",
  ].map((spelling): [string, MediaType] => {
    const [type = "", parameter] = spelling.split(";");
    return [spelling, Object.freeze(parameter === undefined ? { type } : { type, charset: "utf-8" })];
  }),
);
