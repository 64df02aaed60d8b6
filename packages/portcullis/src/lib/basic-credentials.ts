import { readQuery } from "./query.ts";
import { Unreadable } from "./unreadable.ts";

/** Why an Authorization header with Basic has no single reading. */
export type BasicProblem = "basic-malformed";

/** Whether a header names the scheme, readable or not. */
export function isBasic(authorization: string | undefined): boolean {
  return authorization !== undefined && /^basic(?: |$)/i.test(authorization);
}

/**
 * Reads `Basic` as OAuth clients send it: name and password each escaped as in a form, with a colon between, in base64
 * in its one spelling. What a client should have escaped and did not is taken as it is where it has one reading.
 *
 * @see RFC 6749 section 2.3.1 and appendix B, RFC 7617 section 2, RFC 4648 section 3.5
 */
export function readBasic(
  authorization: string,
): { readonly user: string; readonly password: string } | Unreadable<BasicProblem> {
  const malformed = new Unreadable("basic-malformed", "authorization");
  const written = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  if (written === undefined || written.length % 4 !== 0) return malformed;
  const text = atob(written);
  if (btoa(text) !== written || !/^[\x21-\x7e]+$/.test(text)) return malformed;
  const colon = text.indexOf(":");
  if (colon < 1) return malformed;
  const read = readQuery(`user=${text.slice(0, colon)}&password=${text.slice(colon + 1)}`);
  if (read instanceof Unreadable || Object.keys(read).length !== 2) return malformed;
  const { user = "", password = "" } = read;
  return user === "" || password === "" ? malformed : { user, password };
}
