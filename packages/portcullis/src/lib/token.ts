/**
 * Whether the text is an RFC 9110 `token`: what header names, media types, parameter names and cookie names are made of.
 *
 * @see RFC 9110 section 5.6.2
 */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

// One character class and one plus: linear, nothing to back-track into.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
