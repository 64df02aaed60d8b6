import { type Insertable, type Kysely, sql, type Transaction } from "kysely";
import { Client, type Notification, type Pool } from "pg";
import type { StorageKind } from "./migrations.ts";
import type { RevocationTable, Schema } from "./schema.ts";

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
  isRevoked(kind: Revocation["kind"], value: string, now: number): Promise<boolean>;
  /**
   * Calls `heard` with what other instances add, as they add it; `lost` and `found` tell of the connection. On the
   * embedded store there are no others.
   *
   * @returns ends it
   */
  listen(heard: (revocation: Revocation) => void, lost: () => void, found: () => void): () => Promise<void>;
  sweep(now: number): Promise<void>;
}

const channel = "portcullis_revocation";
const overlapMs = 10_000;
const overlap = 200;

/** Revocations in the tables. @param pool  undefined on the embedded store */
export function revocationStore(db: Kysely<Schema>, pool: Pool | undefined): RevocationStore {
  return {
    async add(revocations) {
      if (revocations.length === 0) return;
      const kind = pool === undefined ? "embedded" : "postgres";
      await db.transaction().execute((one) => tellRevocations(one, kind, revocations));
    },
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
    async isRevoked(kind, value, now) {
      const row = await db
        .selectFrom("revocation")
        .select("seq")
        .where("kind", "=", kind)
        .where("value", "=", value)
        .where("expires_at", ">", now)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
    listen: (heard, lost, found) => (pool === undefined ? () => Promise.resolve() : listenOn(pool, heard, lost, found)),
    async sweep(now) {
      await db.deleteFrom("revocation").where("expires_at", "<=", now).execute();
    },
  };
}

/** Notes what was taken back, as part of what takes it back; the others are told when that commits, and not otherwise. */
export async function tellRevocations(
  one: Transaction<Schema>,
  store: StorageKind,
  revocations: readonly Revocation[],
): Promise<void> {
  await one.insertInto("revocation").values(revocations.map(rowOf)).execute();
  if (store === "embedded") return;
  for (const revocation of revocations) {
    await sql`select pg_notify(${channel}, ${JSON.stringify(revocation)})`.execute(one);
  }
}

function rowOf({ kind, value, revokedAt, expiresAt }: Revocation): Insertable<RevocationTable> {
  return { kind, value, revoked_at: revokedAt, expires_at: expiresAt };
}

function read(payload: string): Revocation | undefined {
  try {
    const told: Revocation = JSON.parse(payload);
    const isWhole = typeof told.kind === "string" && typeof told.value === "string";
    return isWhole && Number.isFinite(told.revokedAt) && Number.isFinite(told.expiresAt) ? told : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps one connection that hears; makes a new one where it breaks. */
function listenOn(
  pool: Pool,
  heard: (revocation: Revocation) => void,
  lost: () => void,
  found: () => void,
): () => Promise<void> {
  let ended = false;
  let current: Client | undefined;
  let waiting: NodeJS.Timeout | undefined;

  const take = ({ payload = "" }: Notification): void => {
    const revocation = read(payload);
    // Whoever else has a role in this database may say anything on the channel; the table says what is true.
    if (revocation !== undefined) heard(revocation);
  };
  const again = (): void => {
    lost();
    current = undefined;
    if (!ended) waiting = setTimeout(() => void connect(), 100).unref();
  };
  async function connect(): Promise<void> {
    // Not one of the pool's: it is never given back.
    const client = new Client(pool.options);
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      again();
    };
    client.on("error", over);
    client.on("end", over);
    client.on("notification", take);
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      if (ended) return await client.end();
      current = client;
      found();
    } catch {
      over();
    }
  }
  const connecting = connect();
  return async () => {
    ended = true;
    clearTimeout(waiting);
    await connecting;
    await current?.end();
  };
}
