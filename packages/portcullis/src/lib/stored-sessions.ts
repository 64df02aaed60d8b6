import { base64url } from "jose";
import type { Caller } from "../caller.ts";
import type { CookieToSet } from "../output.ts";
import { runtime } from "#runtime";
import { OptionsError } from "./options-error.ts";
import { holds, type SessionStore } from "./session-store.ts";

/** How sessions are kept and how long they last. */
export interface StoredSessionsOptions {
  /** `redisSessionStore(…)` for several instances, `embeddedSessionStore(…)` for one machine, `memorySessionStore()`. */
  readonly store: SessionStore;
  /** Name of the cookie; default `__Host-session`. */
  readonly cookie?: string;
  /** Seconds without a request that end a session, 60 .. 2_592_000 (30 days); default 1800 (half an hour). */
  readonly idleSeconds?: number;
  /** Seconds after which it ends anyway, `idleSeconds` .. 34_560_000 (400 days); default 43_200 (twelve hours). */
  readonly absoluteSeconds?: number;
  /** Unix milliseconds, for tests. Default: the clock. */
  readonly now?: () => number;
}

/** Whose session it is, and what is known of him as long as it lasts. Roles belong to `roles` of `createApi`. */
export interface WhoSignsIn {
  /** Who owns things; never empty. */
  readonly subject: string;
  readonly tenant?: string | null | undefined;
  readonly scopes?: readonly string[];
  /** What handlers need besides, as JSON has it; given to them as `caller.proof.claims`. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Sessions of browsers; `session(sessions)` is the credential. */
export interface StoredSessions {
  /** For `session()`: the one cookie. */
  readonly cookies: readonly string[];
  /** For `session()`: who is behind the cookie, asked at every request. */
  readonly resolve: (cookies: Readonly<Record<string, string>>) => Promise<WhoSignsIn | undefined>;
  /**
   * Starts a session with a new id, so that nobody can plant one. Give the cookie to `answer(…, { cookies: [cookie] })` of
   * a route with `startsSession`.
   *
   * @param instead  a caller whose present session ends with it, as when he proves himself once more
   */
  start(who: WhoSignsIn, instead?: Caller): Promise<CookieToSet>;
  /** Ends the caller's own session, wherever it is used from. Returns the cookie that clears his browser's. */
  end(caller: Caller): Promise<CookieToSet>;
  /**
   * Ends all sessions of a subject: a changed password, a lost device, a disabled account.
   *
   * @param except  a caller whose own session stays
   * @returns how many it ended
   */
  endAll(subject: string, except?: Caller): Promise<number>;
}

/**
 * Sessions in a store: 256 random bits in a cookie, of which the store has only a hash, with an idle and an absolute end.
 * The store is asked at every request and nothing is cached, so an ended session is over at once on every instance.
 *
 *     const sessions = storedSessions({ store: redisSessionStore({ client, prefix: "projects" }) });
 *     createApi({ credentials: [session(sessions)], … });
 *
 * @throws OptionsError when a lifetime is out of range
 * @see OWASP ASVS 5.0 sections 7.2 (ids), 7.3 (lifetimes) and 7.4 (termination)
 */
export function storedSessions(options: StoredSessionsOptions): StoredSessions {
  const { store, cookie = "__Host-session", idleSeconds = 1800, absoluteSeconds = 43_200, now = Date.now } = options;
  demandSeconds("idleSeconds", idleSeconds, 60, 2_592_000);
  demandSeconds("absoluteSeconds", absoluteSeconds, idleSeconds, 34_560_000);
  const idleMs = idleSeconds * 1000;
  // A write per request would be much for a time that only has to be right to the minute.
  const noteEveryMs = Math.min(60_000, idleMs / 10);

  return {
    cookies: Object.freeze([cookie]),
    async resolve(cookies) {
      const id = cookies[cookie];
      if (id === undefined || !sessionId.test(id)) return undefined;
      const idHash = await hashOf(cookie, id);
      const record = await store.find(idHash);
      const at = now();
      if (record === undefined || record.idHash !== idHash || !holds(record, at)) return undefined;
      if (at - record.lastSeenAt >= noteEveryMs) await store.touch(idHash, at);
      const { subject, tenant, scopes, claims } = record;
      return { subject, tenant, scopes, claims: { ...claims, [ownHash]: idHash } };
    },
    async start({ subject, tenant, scopes = [], claims = {} }, instead) {
      if (typeof subject !== "string" || subject === "") throw new TypeError("a session needs a subject");
      const id = base64url.encode(runtime.randomBytes(32));
      const at = now();
      await store.insert({
        idHash: await hashOf(cookie, id),
        subject,
        tenant: tenant ?? undefined,
        scopes,
        claims,
        startedAt: at,
        lastSeenAt: at,
        endsAt: at + absoluteSeconds * 1000,
        idleMs,
      });
      const old = instead && hashIn(instead);
      if (old !== undefined) await store.end(old);
      return { name: cookie, value: id };
    },
    async end(caller) {
      const idHash = hashIn(caller);
      if (idHash !== undefined) await store.end(idHash);
      return { name: cookie, value: "", maxAgeSeconds: 0 };
    },
    endAll: async (subject, except) => store.endAll(subject, except && hashIn(except)),
  };
}

/** 32 bytes in base64url; what is no id is not looked for. */
const sessionId = /^[A-Za-z0-9_-]{43}$/;
/** The claim under which a caller carries the hash of his session's id; it opens nothing. */
const ownHash = "sessionHash";

function hashIn(caller: Caller): string | undefined {
  const held = caller.proof.claims[ownHash];
  return caller.proof.kind === "sessions" && typeof held === "string" ? held : undefined;
}

/** With the cookie's name: where users and staff have a cookie each over one store, neither opens the other's door. */
async function hashOf(cookie: string, id: string): Promise<string> {
  return base64url.encode(await runtime.hashing.sha256(runtime.utf8(`${cookie}=${id}`)));
}

function demandSeconds(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new OptionsError(`storedSessions: ${name} is ${value}.`, `Write whole seconds from ${least} to ${most}.`);
}
