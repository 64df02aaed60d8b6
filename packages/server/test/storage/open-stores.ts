import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { openStorage, type Storage, type StorageOptions } from "@portcullis/server/storage";
import { sql } from "kysely";
import { Client, type PoolConfig } from "pg";
import { type AccountRow, accountStore } from "../../src/storage/accounts.ts";
import { type PostgresServer, startPostgres, superuser } from "../../../portcullis/test/postgres/postgres-server.ts";

/** Stores of one kind for the tests; each as empty as a new installation. */
export interface TestStores {
  /** Where a new one is; nothing is open yet. */
  place(): Promise<StorageOptions>;
  open(): Promise<Storage>;
  /** Closes what was opened, and takes everything away. */
  stop(): Promise<void>;
}

/** Folders of their own. */
export function embeddedStores(): Promise<TestStores> {
  const root = mkdtempSync(join(tmpdir(), "portcullis-storage-"));
  const opened: Storage[] = [];
  const place = () => Promise.resolve({ folder: join(root, randomUUID()) });
  return Promise.resolve({
    place,
    async open() {
      const storage = await openStorage(await place());
      opened.push(storage);
      return storage;
    },
    async stop() {
      await Promise.all(opened.map((storage) => storage.close()));
      rmSync(root, { recursive: true, force: true });
    },
  });
}

/** Stores on PostgreSQL. */
export interface PostgresStores extends TestStores {
  readonly server: PostgresServer;
  place(): Promise<{ readonly postgres: PoolConfig }>;
}

/** Databases of one server, owned by a login role that is no superuser. */
export async function postgresStores(): Promise<PostgresStores> {
  const server = await startPostgres();
  const opened: Storage[] = [];
  const role = "identity_server";
  await asSuperuser(server, `create role ${role} login`);
  async function place() {
    const database = `d_${randomUUID().replaceAll("-", "")}`;
    await asSuperuser(server, `create database ${database} owner ${role}`);
    return { postgres: { ...server.as(role), database } };
  }
  return {
    server,
    place,
    async open() {
      const storage = await openStorage(await place());
      opened.push(storage);
      return storage;
    },
    async stop() {
      await Promise.all(opened.map((storage) => storage.close()));
      await server.stop();
    },
  };
}

/** One statement as who may do everything, in the server's own database or another. */
export async function asSuperuser(server: PostgresServer, statement: string, database?: string): Promise<void> {
  const client = new Client({ ...server.as(superuser), ...(database === undefined ? {} : { database }) });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Has a role give a password from now on; nobody else does. */
export async function guard(server: PostgresServer, role: string, password: string): Promise<void> {
  const rules = `values (1, 'local all ${role} scram-sha-256'), (2, 'local all all trust')`;
  const copy = `copy (select rule from (${rules}) as one(at, rule) order by at) to %L`;
  await asSuperuser(server, `alter role ${role} password '${password}'`);
  await asSuperuser(
    server,
    `do $$ begin execute format('${copy.replaceAll("'", "''")}', current_setting('hba_file')); end $$`,
  );
  // pg leaves the connection open where it has no password to give; the server closes it then.
  await asSuperuser(server, "alter system set authentication_timeout = '1s'");
  await asSuperuser(server, "select pg_reload_conf()");
  for (;;) {
    const client = new Client(server.as(role));
    try {
      await client.connect();
    } catch {
      return;
    }
    await client.end();
    await wait(20);
  }
}

/** Accounts of a store, where nobody has to be told what is taken back. */
export function accountsOf(storage: Storage, now: () => number = Date.now) {
  const store = accountStore(storage, { revoked: () => {}, keepMs: 60_000, now });
  return {
    ...store,
    /** @returns whether its address was free */
    async add(over: Partial<AccountRow> & Pick<AccountRow, "id">): Promise<boolean> {
      const name = over.email_key ?? `${over.id}@example.com`;
      const row: AccountRow = {
        email: name,
        email_key: name,
        password: null,
        roles: "[]",
        created_at: 0,
        verified_at: null,
        disabled_at: null,
        epoch: 0,
        ...over,
      };
      const there = await store.insertWithToken(row, ({ id, email }) => ({
        hash: randomUUID(),
        account_id: id,
        purpose: "verify",
        email,
        expires_at: now() + 60_000,
      }));
      return there.id === row.id;
    },
  };
}

/** Has every change of a table fail, as where the disk is full. @param change  which ones @returns mends it */
export async function failing(
  storage: Storage,
  table: string,
  change: "insert" | "update" | "delete" = "insert",
): Promise<() => Promise<void>> {
  const on = sql`${sql.raw(change)} on ${sql.table(table)}`;
  const trigger = sql.raw(`failing_${change}`);
  if (storage.kind === "embedded") {
    await sql`create trigger ${trigger} before ${on} begin select raise(abort, 'no room'); end`.execute(storage.db);
    return async () => void (await sql`drop trigger ${trigger}`.execute(storage.db));
  }
  await sql`create or replace function no_room() returns trigger language plpgsql as 'begin raise exception ''no room''; end'`.execute(
    storage.db,
  );
  await sql`create trigger ${trigger} before ${on} for each row execute function no_room()`.execute(storage.db);
  return async () => void (await sql`drop trigger ${trigger} on ${sql.table(table)}`.execute(storage.db));
}
