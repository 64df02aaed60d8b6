import type { Credential } from "../credential.ts";

/**
 * The challenges of a 401: one per kind of credential the API takes, in the order they are configured. `Bearer` for what
 * travels in Authorization, `ApiKey` for a header of its own, `Session` for a cookie; the last two are no registered
 * schemes, and clients ignore what they do not know. An API that takes nothing yet hands out a session by signing in.
 *
 * @param name  the service, as the realm; what no header can hold becomes a question mark
 * @see RFC 9110 sections 11.6.1 and 15.5.2 (every 401 has a challenge), RFC 6750 section 3
 */
export function challengeOf(name: string, credentials: readonly Credential[]): string {
  const realm = realmOf(name);
  const schemes = new Set(credentials.map(({ carrier }) => schemeOf[carrier.in]));
  if (schemes.size === 0) schemes.add(schemeOf.cookie);
  return [...schemes].map((scheme) => `${scheme} realm="${realm}"`).join(", ");
}

/** What answers a client that tried `Basic`, and nobody else: browsers ask people for a password. RFC 6749 section 5.2 */
export function basicChallengeOf(name: string): string {
  return `Basic realm="${realmOf(name)}", charset="UTF-8"`;
}

function realmOf(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/gu, "?").replaceAll(/["\\]/g, "\\$&");
}

const schemeOf = { authorization: "Bearer", header: "ApiKey", cookie: "Session" } as const;
