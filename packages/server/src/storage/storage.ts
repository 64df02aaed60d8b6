import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import { Pool, type PoolConfig, TypeOverrides, types } from "pg";
import { boundedPool } from "./bounded-pool.ts";
import { migrate, type StorageKind } from "./migrations.ts";
import { openEmbedded } from "./node-sqlite.ts";
import { postgresProblem } from "./postgres-problem.ts";
import type { Schema } from "./schema.ts";

/** Where everything is kept; all SQL is in this folder. */
export interface Storage {
  readonly kind: StorageKind;
  readonly db: Kysely<Schema>;
  /** The same for what touches every row, and takes its time: up to ten minutes for a statement. */
  readonly patient: Kysely<Schema>;
  /** The pool, for what only PostgreSQL has; undefined on the embedded store. */
  readonly pool: Pool | undefined;
  close(): Promise<void>;
}

/** One process with a folder of its own, or PostgreSQL for any number. */
export type StorageOptions =
  | { readonly folder: string }
  | {
      /**
       * As `pg` takes it; the role is no superuser. Where PostgreSQL stands still, nobody waits for longer than
       * `connectionTimeoutMillis` for a connection, and for `query_timeout` for the answer to a statement: 5000 each.
       */
      readonly postgres: PoolConfig;
    };

const connectMs = 5_000;
const answerMs = 5_000;
const patientMs = 600_000;

/**
 * Opens the store and brings its tables to this version.
 *
 * @throws Error where the folder is open in another process or readable by others, where PostgreSQL cannot be reached, lets
 *   the role not in or has no such database, where the role is, or may become, one that is a superuser or passes row-level
 *   security by, and where a migration fails
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const storage = "folder" in options ? embedded(options.folder) : await postgres(options.postgres);
  try {
    await migrate(storage.patient, storage.kind);
    return storage;
  } catch (error) {
    await storage.close();
    throw error;
  }
}

function embedded(folder: string): Storage {
  const { dialect } = openEmbedded(folder);
  const db = new Kysely<Schema>({ dialect });
  return { kind: "embedded", db, patient: db, pool: undefined, close: () => db.destroy() };
}

async function postgres(config: PoolConfig): Promise<Storage> {
  refuseNoAddress(config);
  const { query_timeout = answerMs, ...rest } = config;
  if (!(query_timeout > 0)) throw new Error("query_timeout: milliseconds above 0; nobody may wait for ever");
  const pool = new Pool({ connectionTimeoutMillis: connectMs, keepAlive: true, ...rest, types: wholeNumbers() });
  // A connection that breaks while nobody uses it is replaced at the next use.
  pool.on("error", () => {});
  // One that breaks while somebody uses it tells him by his next statement; nobody else has to hear, or the process would end.
  pool.on("connect", (client) => void client.on("error", () => {}));
  const within = (ms: number) => new Kysely<Schema>({ dialect: new PostgresDialect({ pool: boundedPool(pool, ms) }) });
  const [db, patient] = [within(query_timeout), within(patientMs)];
  try {
    await refuseSuperuser(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return { kind: "postgres", db, patient, pool, close: () => db.destroy() };
}

/** pg would take whichever PostgreSQL runs on this machine, or on a host named as the default of its parser is. */
function refuseNoAddress(config: PoolConfig): void {
  if (!Object.hasOwn(config, "connectionString")) return;
  const { connectionString = "" } = config;
  if (connectionString === "") {
    throw new Error("postgres.connectionString is empty: is the variable set that it comes from?");
  }
  if (!/^(?:postgres(?:ql)?:\/\/|socket:|\/)/i.test(connectionString))
    throw postgresProblem(new TypeError("no address"));
}

/** Times and counts are far below 2^53. */
function wholeNumbers(): TypeOverrides {
  const overrides = new TypeOverrides();
  overrides.setTypeParser(types.builtins.INT8, Number);
  return overrides;
}

async function refuseSuperuser(db: Kysely<Schema>): Promise<void> {
  const query = CompiledQuery.raw(
    // Members too: who may become a superuser is one with a statement more.
    "select rolname from pg_roles where (rolsuper or rolbypassrls) and pg_has_role(current_user, oid, 'member')",
  );
  const { rows } = await db.executeQuery(query).catch((error: unknown) => {
    throw postgresProblem(error);
  });
  if (rows.length > 0) {
    throw new Error(
      "the PostgreSQL role is a superuser, or may become one: give the server a login role of its own that is none, " +
        "such as create role notes login password '…'; create database notes owner notes",
    );
  }
}
