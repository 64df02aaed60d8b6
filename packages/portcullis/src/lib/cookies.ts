import { Unreadable } from "./unreadable.ts";

/** Why a Cookie header has no single reading for the names that were asked for. */
export type CookieProblem = "cookie-duplicate" | "cookie-malformed" | "cookie-too-long" | "cookie-too-many";

/**
 * Reads the cookies that were asked for, strictly, and looks past all others.
 *
 * Other cookies come from scripts and sibling hosts and may hold anything, so they can neither break the request nor be
 * mistaken for ours: nothing is unquoted, and a quoted string does not span a ";". A name that is asked for and sent
 * twice is refused, because which one wins is decided by whoever could set the second one. Names compare exactly, with
 * their letter case; whitespace around such a name, or a character in its value that RFC 6265bis does not allow
 * (quotes included), is refused.
 *
 * @param value  the Cookie header, lines joined with "; "; undefined or "" when there is none
 * @param names  the names asked for
 * @returns what was sent of the names asked for; `where` names the cookie, never its value
 * @see RFC 6265bis section 4.2.1
 */
export function readCookies(
  value: string | undefined,
  names: readonly string[],
): Readonly<Record<string, string>> | Unreadable<CookieProblem> {
  if (value === undefined || value === "") return EMPTY;
  const cookies: Record<string, string> = Object.create(null);
  const length = value.length;
  let pairs = 0;
  for (let start = 0, end = 0; start <= length; start = end + 1) {
    if (++pairs > MAX_PAIRS) return new Unreadable("cookie-too-many");
    const semicolon = value.indexOf(";", start);
    end = semicolon < 0 ? length : semicolon;
    if (start > 0 && value.charCodeAt(start) === SPACE) start++;
    const equals = value.indexOf("=", start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    const written = value.slice(start, nameEnd);
    const name = written.trim();
    if (!names.includes(name)) continue;

    // A parser that trims, or takes a name alone for a cookie, would see our name here; others would not.
    if (written !== name || nameEnd === end) return new Unreadable("cookie-malformed", name);
    const content = value.slice(equals + 1, end);
    if (content.length > MAX_BYTES) return new Unreadable("cookie-too-long", name);
    if (!COOKIE_OCTETS.test(content)) return new Unreadable("cookie-malformed", name);
    if (cookies[name] !== undefined) return new Unreadable("cookie-duplicate", name);
    cookies[name] = content;
  }
  return cookies;
}

const SPACE = 0x20;

/** Browsers keep a name and value of 4,096 bytes together (RFC 6265bis section 5.6). */
const MAX_BYTES = 4_096;
/** Far more than any browser sends to one host; the header block's own bound makes it hard to reach. */
const MAX_PAIRS = 300;

// cookie-octet: no controls, space, quote, comma, semicolon or backslash. One class, linear.
const COOKIE_OCTETS = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

const EMPTY: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
