import { randomBytes } from "node:crypto";
import type { Switch } from "../mutants.ts";
import { sessionCookie } from "../product/people.ts";

/** Browser sessions: a random id in a cookie; half an hour idle, twelve hours at most. */
export function createSessions(mutant: Switch) {
  const rows = new Map<string, { readonly userId: string; readonly startedAt: number; seenAt: number }>();
  let count = 1000;
  return {
    start(userId: string, brought: string | undefined): string {
      const fresh = mutant("session-guessable") ? String(++count) : randomBytes(32).toString("base64url");
      const id = mutant("session-fixation") && brought !== undefined ? brought : fresh;
      rows.set(id, { userId, startedAt: Date.now(), seenAt: Date.now() });
      return id;
    },
    resolve(id: string): string | undefined {
      const row = rows.get(id);
      const now = Date.now();
      if (row === undefined || now - row.startedAt > ABSOLUTE_MS || now - row.seenAt > IDLE_MS) return undefined;
      row.seenAt = now;
      return row.userId;
    },
    end(id: string) {
      if (!mutant("session-after-logout")) rows.delete(id);
    },
    /** Its name loses the prefix where it is not Secure, or a browser would not take it. */
    name: mutant("cookie-insecure") ? "session" : sessionCookie,
    cookie(id: string): string {
      const flags = [
        ...(mutant("cookie-script") ? [] : ["HttpOnly"]),
        ...(mutant("cookie-insecure") ? [] : ["Secure"]),
        mutant("cookie-samesite") ? "SameSite=None" : "SameSite=Strict",
      ];
      return [`${this.name}=${id}`, "Path=/", ...flags, ...(id === "" ? ["Max-Age=0"] : [])].join("; ");
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;

const IDLE_MS = 30 * 60_000;
const ABSOLUTE_MS = 12 * 3_600_000;
