import { OptionsError } from "./options-error.ts";
import { holds, mostOfSubject, type SessionRecord, type SessionStore } from "./session-store.ts";

/** How much a {@link memorySessionStore} may hold. */
export interface MemorySessionStoreOptions {
  /** Most sessions at a time, 1 .. 1_000_000; default 50_000. When it is full of living ones, nobody new can sign in. */
  readonly maxSessions?: number;
  /** Unix milliseconds, for tests. Default: the clock. */
  readonly now?: () => number;
}

/** Keeps sessions in this process only: everybody is signed out when it ends, and other instances know nobody. */
export function memorySessionStore({
  maxSessions = 50_000,
  now = Date.now,
}: MemorySessionStoreOptions = {}): SessionStore {
  if (!(Number.isInteger(maxSessions) && maxSessions >= 1 && maxSessions <= 1_000_000)) {
    throw new OptionsError("maxSessions is out of range.", "Use a whole number from 1 to 1_000_000.");
  }
  const sessions = new Map<string, SessionRecord>();

  function makeRoom(): void {
    if (sessions.size < maxSessions) return;
    const at = now();
    for (const [idHash, record] of sessions) if (!holds(record, at)) sessions.delete(idHash);
    if (sessions.size >= maxSessions) throw new Error(`all ${maxSessions} sessions are in use`);
  }

  /** A Map keeps its entries in the order in which they came. */
  function endOldest(subject: string): void {
    const own = [...sessions].filter(([, one]) => one.subject === subject);
    for (const [idHash] of own.slice(0, Math.max(0, own.length - mostOfSubject + 1))) sessions.delete(idHash);
  }

  return {
    insert(record) {
      if (sessions.has(record.idHash)) throw new Error("a session with this id exists");
      endOldest(record.subject);
      makeRoom();
      sessions.set(record.idHash, copyOf(record));
    },
    find(idHash) {
      const record = sessions.get(idHash);
      return record && copyOf(record);
    },
    touch(idHash, at) {
      const record = sessions.get(idHash);
      if (record !== undefined && at > record.lastSeenAt) sessions.set(idHash, { ...record, lastSeenAt: at });
    },
    end: (idHash) => void sessions.delete(idHash),
    endAll(subject, except) {
      let ended = 0;
      for (const [idHash, record] of sessions) {
        if (record.subject !== subject || idHash === except) continue;
        sessions.delete(idHash);
        ended++;
      }
      return ended;
    },
  };
}

/** What is handed out must not be a way to change what is kept. */
function copyOf(record: SessionRecord): SessionRecord {
  return Object.freeze({
    ...record,
    scopes: Object.freeze([...record.scopes]),
    claims: Object.freeze(structuredClone(record.claims)),
  });
}
