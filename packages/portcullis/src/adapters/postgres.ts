import type { Caller } from "../caller.ts";
import { OptionsError } from "../lib/options-error.ts";
import {
  isKysely,
  isKyselyTransaction,
  openKysely,
  type KyselyDatabase,
  type KyselyTransaction,
} from "./postgres-kysely.ts";
import { isCallerConnection, openPg, type CallerConnection, type PgConnection, type PgPool } from "./postgres-pg.ts";
import {
  enter,
  leave,
  rowRole,
  type Around,
  type AsCallerOptions,
  type Before,
  type RowRole,
} from "./postgres-role.ts";

export type {
  KyselyConnection,
  KyselyDatabase,
  KyselyExecutor,
  KyselyStatement,
  KyselyTransaction,
} from "./postgres-kysely.ts";
export type { CallerConnection, PgAnswer, PgConnection, PgPool, PgStatement } from "./postgres-pg.ts";
export type { AsCallerOptions } from "./postgres-role.ts";

/**
 * Runs `work` in one transaction of its own as the caller: `SET LOCAL ROLE` and the settings that row-level security
 * policies read. All of it travels as parameters and ends with the transaction, also where `work` throws, so the
 * connection goes back to its pool with nothing of the caller: what `work` set for the session (role, search path, time
 * limits) is put back, and temporary tables, open cursors and advisory locks are gone. Take the connection `work` is given;
 * after the end it refuses. Where `work` ends the transaction itself, that is an error.
 *
 * Policies find the caller in `request.jwt.claims` (`sub`, `role`, `iss`, `tenant` and what `claims` adds),
 * `request.jwt.claim.sub`, `request.jwt.claim.role`, `portcullis.subject` and `portcullis.tenant`.
 *
 * It holds against a query that forgot its owner, not against injection: the settings are anybody's to write, so a
 * statement that an attacker wrote can name another subject. Values belong into `values`.
 *
 * Called again inside `work` with the connection it was given, it runs in the same transaction, for the same caller only.
 *
 * @param db      a `pg` Pool or Client without an open transaction, or a Kysely instance on PostgreSQL; by shape
 * @param caller  who a gate proved; without one nothing is run
 * @param work    gets a `pg` connection with `query(text, values)`, or Kysely's transaction
 * @returns what `work` returned, once it is committed
 * @throws OptionsError where there is no caller, where the role is not listed, does not exist or is not held by row-level
 *   security, where the login is not (see `dangerouslyPrivilegedLogin`); whatever `work` throws, after the rollback
 * @see PostgreSQL documentation: Row Security Policies, SET ROLE, set_config
 */
export async function asCaller<Transaction extends KyselyTransaction, Result>(
  db: Transaction,
  caller: Caller | undefined,
  work: (transaction: Transaction) => Promise<Result>,
  options?: AsCallerOptions,
): Promise<Result>;
export async function asCaller<Transaction, Result>(
  db: KyselyDatabase<Transaction>,
  caller: Caller | undefined,
  work: (transaction: Transaction) => Promise<Result>,
  options?: AsCallerOptions,
): Promise<Result>;
export async function asCaller<Result>(
  db: PgPool | PgConnection | CallerConnection,
  caller: Caller | undefined,
  work: (connection: CallerConnection) => Promise<Result>,
  options?: AsCallerOptions,
): Promise<Result>;
export async function asCaller<Transaction, Result>(
  db: KyselyTransaction | KyselyDatabase<Transaction> | PgPool | PgConnection | CallerConnection,
  caller: Caller | undefined,
  work: (handle: never) => Promise<Result>,
  options: AsCallerOptions = {},
): Promise<Result> {
  const as = rowRole(caller, options);
  const open = running.get(db);
  if (open !== undefined) return again(open, as, () => hand(work, db));
  if (isCallerConnection(db) || isKyselyTransaction(db)) {
    throw new OptionsError(
      "asCaller: this transaction is over, or is not one asCaller began.",
      "Give asCaller the pool or the Kysely instance.",
    );
  }
  let before: Before | undefined;
  const around: Around<unknown, Result> = {
    async enter(run) {
      before = await enter(run, as, checksOf(db));
    },
    leave: (run, isPooled) => leave(run, before, isPooled),
    work: (handle) => within(handle, as, () => hand(work, handle)),
  };
  return isKysely(db) ? openKysely(db, around) : openPg(db, around);
}

/** Whose transaction runs on a connection that was handed out. */
const running = new WeakMap<object, RowRole>();

/** Roles whose login and powers were looked at, by pool. */
const checked = new WeakMap<object, Set<string>>();

function checksOf(db: object): Set<string> {
  let roles = checked.get(db);
  if (roles === undefined) checked.set(db, (roles = new Set()));
  return roles;
}

async function within<Result>(handle: unknown, as: RowRole, work: () => Promise<Result>): Promise<Result> {
  if (typeof handle !== "object" || handle === null) throw new TypeError("a transaction is an object");
  running.set(handle, as);
  try {
    return await work();
  } finally {
    running.delete(handle);
  }
}

/** The overloads say which handle belongs to which work. */
function hand<Result>(work: (handle: never) => Promise<Result>, handle: unknown): Promise<Result> {
  const result: Promise<Result> = Reflect.apply(work, undefined, [handle]);
  return result;
}

/** The settings of a transaction hold to its end, so inside of it nobody else can be let in. */
function again<Result>(open: RowRole, as: RowRole, work: () => Promise<Result>): Promise<Result> {
  if (open.role !== as.role || open.settings !== as.settings) {
    throw new OptionsError(
      "asCaller: this transaction runs as another caller.",
      "Give asCaller the pool, so that each caller has a transaction of its own.",
    );
  }
  return work();
}
