import { createHash, randomBytes } from "node:crypto";
import type { Data } from "./data/data.ts";
import { scopes } from "./tokens.ts";

/** The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis section 4.1.3). */
export const sessionCookie = "__Host-session";

/** Half an hour without a request ends a session, and so do twelve hours with any number of them. */
export const idleMs = 30 * 60_000;
export const absoluteMs = 12 * 3_600_000;

/**
 * Browser sessions: 256 random bits in a cookie, of which only a hash is stored.
 *
 * @param now  Unix milliseconds; default the clock
 * @see OWASP ASVS 5.0 sections 7.2 and 7.3
 */
export function createSessions(sessions: Data["sessions"], now: () => number = Date.now) {
  return {
    /** A new session, with a new id at every sign-in, so that nobody can plant one. Returns the cookie's value. */
    async start(userId: string): Promise<string> {
      const id = randomBytes(32).toString("base64url");
      const at = now();
      await sessions.removeOlder({ startedBefore: at - absoluteMs, seenBefore: at - idleMs });
      await sessions.insert({ idHash: hashOf(id), userId, startedAt: at, lastSeenAt: at });
      return id;
    },

    /** Who is behind the cookie; asked by Portcullis at every request. */
    async resolve(cookies: Readonly<Record<string, string>>) {
      const found = await sessions.byHash(hashOf(cookies[sessionCookie] ?? ""));
      const at = now();
      if (found === undefined || found.disabledAt !== null) return undefined;
      if (at - found.startedAt >= absoluteMs || at - found.lastSeenAt >= idleMs) return undefined;
      if (at - found.lastSeenAt >= TOUCH_EVERY_MS) await sessions.touch(found.idHash, at);
      return { subject: found.userId, tenant: found.tenantId, scopes, claims: { sessionHash: found.idHash } };
    },

    end: (idHash: string): Promise<void> => sessions.remove(idHash),

    endAll: (userId: string): Promise<void> => sessions.removeOfUser(userId),
  };
}

export type Sessions = ReturnType<typeof createSessions>;

/** A write per request would be much for a time that only has to be right to the minute. */
const TOUCH_EVERY_MS = 60_000;

function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("base64url");
}
