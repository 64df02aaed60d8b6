import { type Insertable, sql, type Transaction } from "kysely";
import { Client, type Pool } from "pg";
import { inParts } from "./in-parts.ts";
import type { RevocationTable, Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";
import { takeOut } from "./taking-out.ts";

/** What was taken back. */
export interface Revocation {
  readonly kind: RevocationTable["kind"];
  readonly value: string;
  /** Unix milliseconds. */
  readonly revokedAt: number;
  readonly expiresAt: number;
}

/** As it stands in the table. */
export interface StoredRevocation extends Revocation {
  /** Grows with every one, whatever the clocks of the instances say. */
  readonly seq: number;
}

/** How far an instance has read. */
export interface Since {
  /** Unix milliseconds, by its own clock. */
  readonly at: number;
  /** The greatest number it has seen. */
  readonly seq: number;
}

/** Keeps what was taken back, and tells every instance. */
export interface RevocationStore {
  /** When it resolves, no crash undoes it, and the others are being told. */
  add(revocations: readonly Revocation[]): Promise<void>;
  /**
   * Those that may still matter: all, or what came since an earlier answer. The answers overlap, because transactions
   * commit in another order than they took their numbers, and clocks of instances differ.
   */
  list(now: number, since?: Since): Promise<readonly StoredRevocation[]>;
  /**
   * Calls `heard` when another instance says that it added something, as long as the connection lasts, and again when
   * there is a new one. On the embedded store there are no others.
   *
   * @returns ends it
   */
  listen(heard: () => void): () => Promise<void>;
  sweep(now: number): Promise<void>;
}

const channel = "portcullis_revocation";
/** Clocks of instances may be half a minute apart, and a transaction takes its time. */
const overlapMs = 40_000;
const overlap = 200;

/** Revocations in the tables. @param pool  undefined where nobody is heard */
export function revocationStore({ db, kind }: Pick<Storage, "db" | "kind">, pool: Pool | undefined): RevocationStore {
  return {
    add: (revocations) => db.transaction().execute((one) => tellRevocations(one, kind, revocations)),
    async list(now, since) {
      let query = db.selectFrom("revocation").selectAll().where("expires_at", ">", now);
      if (since !== undefined) {
        const { at, seq } = since;
        query = query.where((row) => row.or([row("revoked_at", ">", at - overlapMs), row("seq", ">", seq - overlap)]));
      }
      const rows = await query.execute();
      return rows.map((row) => ({
        seq: row.seq,
        kind: row.kind,
        value: row.value,
        revokedAt: row.revoked_at,
        expiresAt: row.expires_at,
      }));
    },
    listen: (heard) => (pool === undefined ? () => Promise.resolve() : listenOn(pool, heard)),
    sweep: (now) => takeOut({ db, kind }, { table: "revocation", key: ["seq"], where: sql`expires_at <= ${now}` }),
  };
}

/** What whoever changes something needs, to say what that takes back. */
export interface TakingBack {
  /** Told what this process took back, once it is stored; the others are told by the store. */
  readonly revoked: (revocation: Revocation) => void;
  /** How long it is remembered, milliseconds; nothing that is taken back lives longer. */
  readonly keepMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** What came of a change, and what it takes back. */
export interface Change<T> {
  readonly value: T;
  readonly taken: readonly Pick<Revocation, "kind" | "value">[];
}

/** Makes a change and notes what it takes back, or neither. */
export async function takingBack<T>(
  { db, kind }: Pick<Storage, "db" | "kind">,
  { revoked, keepMs, now }: TakingBack,
  change: (one: Transaction<Schema>) => Promise<Change<T>>,
): Promise<T> {
  const { value, revocations } = await db.transaction().execute(async (one) => {
    const changed = await change(one);
    const revokedAt = now();
    const revocations = changed.taken.map((what) => ({ ...what, revokedAt, expiresAt: revokedAt + keepMs }));
    await tellRevocations(one, kind, revocations);
    return { value: changed.value, revocations };
  });
  for (const one of revocations) revoked(one);
  return value;
}

/** How everything that was issued to an account until its epoch grew beyond this one is called. */
export function userEpoch(accountId: string, epoch: number): string {
  return `${accountId} ${epoch}`;
}

/** The others are told when this commits, and not otherwise; what was taken back they read. */
async function tellRevocations(
  one: Transaction<Schema>,
  kind: Storage["kind"],
  revocations: readonly Revocation[],
): Promise<void> {
  if (revocations.length === 0) return;
  for (const some of inParts(revocations)) await one.insertInto("revocation").values(some.map(rowOf)).execute();
  if (kind === "postgres") await sql`select pg_notify(${channel}, '')`.execute(one);
}

function rowOf({ kind, value, revokedAt, expiresAt }: Revocation): Insertable<RevocationTable> {
  return { kind, value, revoked_at: revokedAt, expires_at: expiresAt };
}

/** Keeps one connection that hears; makes a new one where it breaks. */
function listenOn(pool: Pool, heard: () => void): () => Promise<void> {
  let ended = false;
  let current: Client | undefined;
  let waiting: NodeJS.Timeout | undefined;

  async function connect(): Promise<void> {
    // Not one of the pool's: it is never given back. The pool hides its password from copies.
    const { password } = pool.options;
    const client = new Client({
      ...pool.options,
      ...(password === undefined ? {} : { password }),
      query_timeout: 5_000,
    });
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      current = undefined;
      client.end().catch(() => {});
      if (!ended) waiting = setTimeout(() => void connect(), 100).unref();
    };
    client.on("error", over);
    client.on("end", over);
    // Whoever else has a role in this database may say anything on the channel; it is not looked at.
    client.on("notification", heard);
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      if (ended) return over();
      current = client;
    } catch {
      over();
    }
  }
  const connecting = connect();
  return async () => {
    ended = true;
    clearTimeout(waiting);
    await connecting;
    // Where PostgreSQL stands still, it does not say good-bye.
    await Promise.race([current?.end(), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
  };
}
