import type { TokenRevocations } from "portcullis";
import type { Revocation, RevocationStore, Since } from "../storage/revocations.ts";
import type { Push } from "./push.ts";

type ProvedClaims = Parameters<TokenRevocations["isRevoked"]>[0];

/** What was taken back, known to every instance within a second. */
export interface Revocations {
  /** For `jwt({ revocations })`. */
  readonly forTokens: TokenRevocations;
  /** A number that changes with every revocation of an API key, undefined while this instance cannot know; for key stores. */
  generation(): number | undefined;
  /** Takes back; when it resolves, this instance refuses and the others are being told. */
  revoke(what: Pick<Revocation, "kind" | "value">): Promise<void>;
  /** What the store has told the others already, and this instance has to know. */
  noted(revocation: Revocation): void;
  close(): Promise<void>;
}

/** What it takes. */
export interface RevocationsOptions {
  readonly store: RevocationStore;
  /** True where this process is the only one. */
  readonly isAlone: boolean;
  /** Tells the other instances besides what the store does. */
  readonly push?: Push | undefined;
  /** Nothing that is revoked lives longer, milliseconds. */
  readonly keepMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

/** How often the table is read, milliseconds: what a lost message would have said is known that soon. */
const pollEveryMs = 300;
/** Older knowledge than this is none: then every token is asked for in the table. The promise is 1 s. */
const knownForMs = 800;
/**
 * Whatever an instance issued whose clock is that much ahead of the clock of the one that took everything back is over, too.
 * As much as is allowed between an issuer and an API.
 */
const clocksDifferMs = 30_000;
/** However many say that there is something to read, it is read that often at most; milliseconds. */
const lookEveryMs = 50;

/**
 * Holds what was taken back in memory. Instances tell each other to look, and look besides; where
 * neither works, every token is asked for in the table itself, and where that cannot be asked, it is refused.
 *
 * @see OWASP ASVS 5.0 7.4.1
 */
export async function openRevocations(options: RevocationsOptions): Promise<Revocations> {
  const { store, isAlone, push, keepMs, now, monotonic } = options;
  const known = new Map<string, number>();
  /** By account: the last epoch that is over, and until when that has to be known. */
  const users = new Map<string, { readonly epoch: number; readonly expiresAt: number }>();
  /** Everything was taken back then, Unix milliseconds. */
  let epoch = Number.NEGATIVE_INFINITY;
  let generation = 0;
  let asked = 0;
  let readAt = monotonic();
  let lastRead = { at: now(), seq: 0 };

  function note({ kind, value, revokedAt, expiresAt }: Revocation): void {
    if (kind === "epoch") {
      if (revokedAt <= epoch) return;
      epoch = revokedAt;
    } else if (kind === "user") {
      const blank = value.lastIndexOf(" ");
      const subject = value.slice(0, blank);
      const over = Number(value.slice(blank + 1));
      const before = users.get(subject) ?? { epoch: -1, expiresAt: 0 };
      if (over <= before.epoch && expiresAt <= before.expiresAt) return;
      users.set(subject, { epoch: Math.max(over, before.epoch), expiresAt: Math.max(expiresAt, before.expiresAt) });
    } else {
      const key = `${kind} ${value}`;
      if ((known.get(key) ?? 0) >= expiresAt) return;
      known.set(key, expiresAt);
    }
    generation++;
  }

  const isKnown = (): boolean => isAlone || monotonic() - readAt < knownForMs;

  async function read(since: Since | undefined): Promise<void> {
    const at = now();
    const begun = monotonic();
    let { seq } = lastRead;
    for (const one of await store.list(at, since)) {
      note(one);
      seq = Math.max(seq, one.seq);
    }
    // One that was given up may come after the next.
    if (begun < readAt) return;
    lastRead = { at, seq };
    // As old as the question, not as the answer.
    readAt = begun;
  }

  await read(undefined);
  let isClosed = false;
  const stopListening = store.listen(hear);
  const stopHearing = push?.listen(hear);
  let reading: Promise<void> | undefined;
  const poll = setInterval(() => {
    for (const [key, expiresAt] of known) if (expiresAt <= now()) known.delete(key);
    for (const [key, { expiresAt }] of users) if (expiresAt <= now()) users.delete(key);
    if (!isAlone && reading === undefined) readOnce().catch(options.onError);
  }, pollEveryMs).unref();

  /** One at a time, however many wait for it; given up when its answer would be too old to be worth anything. */
  function readOnce(): Promise<void> {
    reading ??= within(knownForMs, read(lastRead)).finally(() => {
      reading = undefined;
    });
    return reading;
  }

  let lookedAt = Number.NEGATIVE_INFINITY;
  let look: NodeJS.Timeout | undefined;

  /**
   * Somebody says that something was taken back; the table says what. Whoever has any role in the database, or reaches the
   * Redis, may say anything: he would sign everybody out, or keep all instances reading.
   */
  function hear(): void {
    look ??= setTimeout(
      () => {
        look = undefined;
        lookedAt = monotonic();
        readAnew().catch(options.onError);
      },
      Math.max(0, Math.min(lookEveryMs, lookedAt + lookEveryMs - monotonic())),
    ).unref();
  }

  async function readAnew(): Promise<void> {
    // What is under way may have asked before.
    await reading?.catch(() => {});
    if (!isClosed) await readOnce();
  }

  async function add(revocation: Revocation): Promise<void> {
    await store.add([revocation]);
    noted(revocation);
  }

  function noted(revocation: Revocation): void {
    note(revocation);
    push?.tell();
  }

  return {
    forTokens: {
      // A number that was never given before makes every cached token be asked for again.
      generation: () => (isKnown() ? generation : -++asked),
      isRevoked(claims) {
        if (isListed(claims)) return true;
        return isKnown() ? false : isListedByNow(claims);
      },
    },
    generation: () => (isKnown() ? generation : undefined),
    revoke: ({ kind, value }) => add({ kind, value, revokedAt: now(), expiresAt: now() + keepMs }),
    noted,
    async close() {
      isClosed = true;
      clearInterval(poll);
      clearTimeout(look);
      stopHearing?.();
      await stopListening();
      await reading?.catch(() => {});
    },
  };

  function isListed(claims: ProvedClaims): boolean {
    if (claims.iat * 1000 <= epoch + clocksDifferMs) return true;
    const over = users.get(claims.sub ?? "");
    // Earlier ones are over too: whoever failed to say so then says it again with a later one.
    if (over !== undefined && !(Number(claims["epoch"] ?? 0) > over.epoch)) return true;
    return namesIn(claims).some(([kind, value]) => known.has(`${kind} ${value}`));
  }

  /** Catches up first. @throws Error where that takes too long to be worth anything */
  async function isListedByNow(claims: ProvedClaims): Promise<boolean> {
    await readOnce();
    // It may have been begun by somebody else, a while ago.
    if (!isKnown()) await readOnce();
    if (!isKnown()) throw new Error("what was taken back could not be read in time");
    return isListed(claims);
  }
}

/** @throws Error where it takes longer */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`what was taken back could not be read within ${ms} ms`)), ms).unref();
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a token can be taken back by, besides whose it is. */
function namesIn(claims: Readonly<Record<string, unknown>>): readonly (readonly [Revocation["kind"], string])[] {
  const text = (name: string): string | undefined => {
    const value = claims[name];
    return typeof value === "string" ? value : undefined;
  };
  const names: (readonly [Revocation["kind"], string])[] = [];
  const jti = text("jti");
  const grant = text("grant");
  const session = text("sid");
  if (jti !== undefined) names.push(["jti", jti]);
  if (grant !== undefined) names.push(["grant", grant]);
  if (session !== undefined) names.push(["session", session]);
  return names;
}
