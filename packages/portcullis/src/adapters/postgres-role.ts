import type { Caller } from "../caller.ts";
import { OptionsError } from "../lib/options-error.ts";

/** As which role of the database a caller's queries run, and what its policies may know of the caller. */
export interface AsCallerOptions {
  /**
   * The role. Default `authenticated`, which is what Supabase calls it. A function chooses by caller; what it says must
   * be one of `roles`.
   */
  readonly role?: string | ((caller: Caller) => string);
  /** The only roles that are ever taken. Default: `role`, where it is a text. */
  readonly roles?: readonly string[];
  /**
   * More for `request.jwt.claims`, such as `({ proof }) => proof.claims` for policies that read `auth.jwt()`. Default:
   * none. `sub` and `role` are always the caller's subject and the role that was taken.
   */
  readonly claims?: (caller: Caller) => Readonly<Record<string, unknown>>;
  /**
   * Why the pool may log in as somebody whom row-level security does not hold: a superuser, a role with BYPASSRLS, the
   * owner of a table whose policies are not forced on him, or one that may become any of them. Then one injected statement
   * takes every row. Without it such a login is refused.
   */
  readonly dangerouslyPrivilegedLogin?: string;
}

/** As whom a transaction runs, worked out before a connection is taken. */
export interface RowRole {
  readonly role: string;
  /** The claims as JSON. */
  readonly settings: string;
  readonly subject: string;
  readonly tenant: string;
  /** Why a login that row-level security does not hold is accepted; undefined where it is not. */
  readonly privilegedLogin: string | undefined;
}

/** Sends one statement with its parameters and gives the rows that came back. */
export type Run = (text: string, values: readonly unknown[]) => Promise<readonly unknown[]>;

/** What happens around the work, on whatever driver. */
export interface Around<Handle, Result> {
  /** First in the transaction. */
  enter(run: Run): Promise<void>;
  work(handle: Handle): Promise<Result>;
  /**
   * After the transaction, however it ended.
   *
   * @param isPooled  the next to get the connection is somebody else
   */
  leave(run: Run, isPooled: boolean): Promise<void>;
}

/**
 * Decides the role and the settings, touching no connection.
 *
 * @throws OptionsError where there is no caller or the role is not one of those listed
 */
export function rowRole(caller: Caller | undefined, options: AsCallerOptions): RowRole {
  if (caller === undefined || caller === null || typeof caller.subject !== "string" || caller.subject === "") {
    throw new OptionsError("asCaller: there is no caller.", "Call it on routes whose access needs one.");
  }
  const { role = "authenticated", dangerouslyPrivilegedLogin } = options;
  if (dangerouslyPrivilegedLogin?.trim() === "") {
    throw new OptionsError(
      "asCaller: dangerouslyPrivilegedLogin is empty.",
      "Say why the login may pass every policy.",
    );
  }
  const listed = options.roles ?? (typeof role === "string" ? [role] : []);
  const chosen: unknown = typeof role === "string" ? role : role(caller);
  // "none" is no role but the way back to the login's own.
  if (typeof chosen !== "string" || !listed.includes(chosen) || chosen === "" || chosen === "none") {
    throw new OptionsError("asCaller: the role is not one of roles.", 'List the roles: roles: ["authenticated"].');
  }
  const { subject, tenant = "", proof } = caller;
  const claims = {
    ...options.claims?.(caller),
    ...(proof.issuer !== undefined && { iss: proof.issuer }),
    ...(tenant !== "" && { tenant }),
    sub: subject,
    role: chosen,
  };
  return Object.freeze({
    role: chosen,
    settings: JSON.stringify(claims),
    subject,
    tenant,
    privilegedLogin: dangerouslyPrivilegedLogin,
  });
}

/** What a session is set to, by the names of the settings in {@link kept}. */
export type Before = readonly unknown[];

/**
 * Takes the role for the running transaction and says to its policies who the caller is.
 *
 * @param checked  roles looked at before on this pool; a new one costs one more query
 * @returns what {@link leave} puts back
 */
export async function enter(run: Run, as: RowRole, checked: Set<string>): Promise<Before | undefined> {
  const check = `${as.privilegedLogin === undefined ? "" : "any login, "}${as.role}`;
  if (!checked.has(check)) {
    await checkPowers(run, as);
    checked.add(check);
  }
  const [row] = await run(ENTER, [as.role, as.settings, as.subject, as.tenant, kept]);
  return typeof row === "object" && row !== null && "before" in row && Array.isArray(row.before)
    ? row.before
    : undefined;
}

/**
 * Says so where `work` has ended the transaction itself: whatever it did since ran as nobody's caller.
 *
 * @throws Error also where a statement had failed
 */
export async function demandOpen(run: Run): Promise<void> {
  const [row] = await run("select current_setting('portcullis.open', true) as open", []);
  if (typeof row !== "object" || row === null || !("open" in row) || row.open !== "yes") throw endedInside();
}

/** What is said where `work` ended the transaction. */
export function endedInside(): Error {
  return new Error("asCaller: the transaction was ended inside of it; leave commit and rollback to asCaller");
}

/**
 * Takes back what `work` may have set beyond its transaction. On a connection of a pool, what it left there goes as well,
 * because the next to get it is another caller: temporary tables, which hide others of their names, open cursors and locks.
 */
export async function leave(run: Run, before: Before | undefined, isPooled: boolean): Promise<void> {
  const [row] = await run(LEAVE, [before === undefined ? [] : kept, before ?? [], isPooled]);
  if (!isPooled || typeof row !== "object" || row === null) return;
  if (!("tables" in row) || row.tables !== false) await run("discard temp", []);
  if (!("cursors" in row) || row.cursors !== false) await run("close all", []);
}

/** Row-level security holds neither superusers nor BYPASSRLS nor owners, nor a login that can become such a role. */
async function checkPowers(run: Run, as: RowRole): Promise<void> {
  const [row] = await run(POWERS, [as.role]);
  if (typeof row !== "object" || row === null || !("role_passes" in row) || !("login_passes" in row)) {
    throw new OptionsError(`asCaller: there is no role ${as.role}.`, `Create it: create role ${as.role} nologin.`);
  }
  if (row.role_passes !== false) {
    throw new OptionsError(
      `asCaller: row-level security does not hold the role ${as.role}.`,
      "Take a role that is no superuser, has no BYPASSRLS, owns no table with policies and is a member of no such role.",
    );
  }
  if (row.login_passes !== false && as.privilegedLogin === undefined) {
    throw new OptionsError(
      "asCaller: row-level security does not hold the role the pool logs in as.",
      `Log in as one that may only become the caller's: create role api login noinherit; grant ${as.role} to api.`,
    );
  }
}

/** Settings of a session that decide what a statement reads and whether it runs; `SET` without `LOCAL` outlives `work`. */
const kept: readonly string[] = [
  "search_path",
  "row_security",
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "TimeZone",
];

const ENTER = `select set_config('role', $1, true),
  set_config('request.jwt.claims', $2, true),
  set_config('request.jwt.claim.sub', $3, true),
  set_config('request.jwt.claim.role', $1, true),
  set_config('portcullis.subject', $3, true),
  set_config('portcullis.tenant', $4, true),
  set_config('portcullis.open', 'yes', true),
  array(select current_setting(name) from unnest($5::text[]) with ordinality as kept (name, at) order by at) as before`;

// Named whole: `work\` may have left a search path in which other functions come first.
const LEAVE = `select pg_catalog.set_config('role', 'none', false),
  pg_catalog.set_config('request.jwt.claims', '', false),
  pg_catalog.set_config('request.jwt.claim.sub', '', false),
  pg_catalog.set_config('request.jwt.claim.role', '', false),
  pg_catalog.set_config('portcullis.subject', '', false),
  pg_catalog.set_config('portcullis.tenant', '', false),
  pg_catalog.set_config('portcullis.open', '', false),
  array(select pg_catalog.set_config(name, value, false)
    from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) as kept (name, value)
    where pg_catalog.current_setting(name) <> value) as put_back,
  case when $3::boolean then pg_catalog.pg_advisory_unlock_all()::text end as unlocked,
  pg_catalog.pg_my_temp_schema() <> 0 and exists (select from pg_catalog.pg_class
    where relnamespace = pg_catalog.pg_my_temp_schema()) as tables,
  exists (select from pg_catalog.pg_cursors where is_holdable) as cursors`;

/** Owners pass their own policies unless the table forces them (FORCE ROW LEVEL SECURITY). */
const OWNS = `select from pg_class c where c.relrowsecurity and not c.relforcerowsecurity and pg_has_role`;

const POWERS = `select
    exists (select from pg_roles p
      where (p.rolsuper or p.rolbypassrls) and pg_has_role(r.oid, p.oid, 'MEMBER'))
      or exists (${OWNS}(r.oid, c.relowner, 'MEMBER')) as role_passes,
    exists (select from pg_roles p
      where (p.rolsuper or p.rolbypassrls) and pg_has_role(session_user, p.oid, 'MEMBER'))
      or exists (${OWNS}(session_user, c.relowner, 'MEMBER')) as login_passes
  from pg_roles r where r.rolname = $1`;
