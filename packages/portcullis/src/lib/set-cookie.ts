import { isToken } from "./token.ts";

/** What a cookie is limited to. Left out, each attribute is the strictest one. */
export interface CookieAttributes {
  /** Begins with "/"; default "/". */
  readonly path?: string;
  /** Lower-case host name that subdomains share the cookie with; default none: this host alone. */
  readonly domain?: string;
  /** Lifetime, 0 (delete now) .. 34_560_000 seconds (400 days); default none: until the browser closes. */
  readonly maxAgeSeconds?: number;
  /** When it goes along with requests from other sites; default "Strict". "None" needs `secure`. */
  readonly sameSite?: "Strict" | "Lax" | "None";
  /** Whether scripts may read it; the default, true, says they may not. */
  readonly httpOnly?: boolean;
  /** Whether it travels over HTTPS only; default true. */
  readonly secure?: boolean;
  /** Whether each top-level site gets its own (CHIPS); default false. Needs `secure`. */
  readonly partitioned?: boolean;
}

/**
 * Writes one Set-Cookie value.
 *
 * The names' prefixes are kept as promises: `__Host-` needs Secure, path "/" and no domain, `__Secure-` needs Secure,
 * `__Http-` and `__Host-Http-` need HttpOnly besides. Nothing in a name, value or attribute can begin another attribute:
 * characters that could are refused, not escaped.
 *
 * @param value  at most 4,096 bytes together with the name; encode what is not a cookie-octet before (base64url is fine)
 * @throws TypeError when a browser would drop the cookie or read it as something else; this is the application's mistake
 * @see RFC 6265bis sections 4.1 and 4.1.3
 */
export function serializeCookie(name: string, value: string, attributes: CookieAttributes = {}): string {
  const { path = "/", domain, maxAgeSeconds, sameSite = "Strict" } = attributes;
  const { httpOnly = true, secure = true, partitioned = false } = attributes;
  if (!isToken(name)) throw mistake("its name is not a token");
  if (!COOKIE_OCTETS.test(value)) throw mistake("its value holds a character that cookies do not have");
  if (name.length + value.length > MAX_BYTES) throw mistake("name and value are over 4096 bytes");
  if (!PATH.test(path)) throw mistake('its path does not begin with "/" or holds a character paths do not have');
  if (domain !== undefined && !DOMAIN.test(domain)) throw mistake("its domain is not a lower-case host name");
  if (
    maxAgeSeconds !== undefined &&
    !(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 0 && maxAgeSeconds <= MAX_AGE_SECONDS)
  ) {
    throw mistake("maxAgeSeconds is not a whole number from 0 to 34560000");
  }
  if (sameSite !== "Strict" && sameSite !== "Lax" && sameSite !== "None")
    throw mistake("sameSite is none of its values");
  if (!secure && (sameSite === "None" || partitioned)) throw mistake("SameSite=None and Partitioned need secure");

  const prefix = /^__(?:host-http|host|http|secure)-/.exec(name.toLowerCase())?.[0];
  if (prefix !== undefined) {
    if (!secure) throw mistake(`${prefix} needs secure`);
    if (prefix.startsWith("__host") && (path !== "/" || domain !== undefined)) {
      throw mistake(`${prefix} needs path "/" and no domain`);
    }
    if (prefix.endsWith("http-") && !httpOnly) throw mistake(`${prefix} needs httpOnly`);
  }

  let text = `${name}=${value}; Path=${path}`;
  if (domain !== undefined) text += `; Domain=${domain}`;
  if (maxAgeSeconds !== undefined) text += `; Max-Age=${maxAgeSeconds}`;
  if (secure) text += "; Secure";
  if (httpOnly) text += "; HttpOnly";
  text += `; SameSite=${sameSite}`;
  return partitioned ? `${text}; Partitioned` : text;
}

/**
 * Writes the Set-Cookie value that deletes a cookie; path, domain and prefix must be the ones it was set with.
 *
 * @throws TypeError as `serializeCookie` does
 */
export function deleteCookie(name: string, attributes: CookieAttributes = {}): string {
  return serializeCookie(name, "", { ...attributes, maxAgeSeconds: 0 });
}

function mistake(what: string): TypeError {
  return new TypeError(`cookie not written: ${what}`);
}

/** Browsers keep a name and value of 4,096 bytes together (RFC 6265bis section 5.6). */
const MAX_BYTES = 4_096;
/** Longest lifetime browsers honour: 400 days (RFC 6265bis section 5.5). */
const MAX_AGE_SECONDS = 34_560_000;

const COOKIE_OCTETS = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
// What could end the attribute or begin another is in neither class.
const PATH = /^\/[\x21-\x3a\x3c-\x7e]*$/;
const DOMAIN = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
