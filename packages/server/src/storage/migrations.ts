import { type Kysely, sql } from "kysely";
import { DatabaseError } from "pg";
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from "kysely/migration";
import { postgresProblem } from "./postgres-problem.ts";
import type { Schema } from "./schema.ts";

/** One process with a file, or any number with PostgreSQL. */
export type StorageKind = "embedded" | "postgres";

/**
 * Brings the tables to this version. Several processes may try at once on PostgreSQL: one does it, the others wait.
 *
 * @throws Error that names the migration which failed, and nothing of it remains; or says that the tables were written by
 *   a newer version, and then they stay as they are
 */
export async function migrate(db: Kysely<Schema>, kind: StorageKind): Promise<void> {
  const known = migrations(kind);
  await refuseNewer(db, kind, known);
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(known) } });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error === undefined) return;
  // A newer version may have come in between.
  await refuseNewer(db, kind, known);
  if (error instanceof DatabaseError && error.code === "42501") throw postgresProblem(error);
  const failed = results.find(({ status }) => status === "Error")?.migrationName;
  throw new Error(failed === undefined ? "the tables could not be brought to this version" : `${failed} failed`, {
    cause: error,
  });
}

/** Who does not know a table must not write into its neighbours. */
async function refuseNewer(
  db: Kysely<Schema>,
  kind: StorageKind,
  known: Readonly<Record<string, Migration>>,
): Promise<void> {
  const list = DEFAULT_MIGRATION_TABLE;
  const there =
    kind === "postgres"
      ? sql<object>`select 1 as one where to_regclass(${list}) is not null`
      : sql<object>`select 1 as one from sqlite_master where type = 'table' and name = ${list}`;
  if ((await there.execute(db)).rows.length === 0) return;
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(list)}`.execute(db);
  const unknown = rows.map(({ name }) => name).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  throw new Error(
    `the tables were written by a newer version of the server (${unknown.join(", ")}): install that version or a later one`,
  );
}

/** Never changed once released; a new version adds one. */
const migrations = (kind: StorageKind): Record<string, Migration> => ({
  "0001-identity": { up: identity(kind === "postgres") },
  "0002-keys-of-applications": { up: keysOfApplications(kind === "postgres") },
  "0003-wrong-passwords": { up: wrongPasswords },
  "0004-issuer-sessions-of-browsers": { up: issuerSessions },
  "0005-what-ends-with-what": { up: whatEndsWithWhat },
  "0006-revoked-families": { up: revokedFamilies },
  "0007-ended-keys": { up: endedKeys },
  "0008-renewals": { up: renewals },
});

const identity =
  (isPostgres: boolean): Migration["up"] =>
  async (db) => {
    const table = (name: string) => db.schema.createTable(name);

    await table("account")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("email", "text", (column) => column.notNull())
      .addColumn("email_key", "text", (column) => column.notNull().unique())
      .addColumn("password", "text")
      .addColumn("roles", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("verified_at", "bigint")
      .addColumn("disabled_at", "bigint")
      .addColumn("epoch", "bigint", (column) => column.notNull())
      .execute();

    await table("mail_token")
      .addColumn("hash", "text", (column) => column.primaryKey())
      .addColumn("account_id", "text")
      .addColumn("purpose", "text", (column) => column.notNull())
      .addColumn("email", "text", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema.createIndex("mail_token_by_account").on("mail_token").column("account_id").execute();
    await db.schema.createIndex("mail_token_by_email").on("mail_token").columns(["email", "purpose"]).execute();

    await table("browser_session")
      .addColumn("hash", "text", (column) => column.primaryKey())
      .addColumn("issuer", "text", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("sealed", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("seen_at", "bigint", (column) => column.notNull())
      .addColumn("idle_expires_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .addColumn("ended_at", "bigint")
      .addColumn("user_agent", "text")
      .addColumn("version", "integer", (column) => column.notNull())
      .addColumn("renewing_until", "bigint")
      .execute();
    await db.schema
      .createIndex("browser_session_by_subject")
      .on("browser_session")
      .columns(["issuer", "subject"])
      .execute();

    await db.schema.createIndex("browser_session_by_expiry").on("browser_session").column("expires_at").execute();

    await table("sign_in")
      .addColumn("hash", "text", (column) => column.primaryKey())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema.createIndex("sign_in_by_expiry").on("sign_in").column("expires_at").execute();

    await table("oidc_payload")
      .addColumn("model", "text", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull())
      .addColumn("payload", "text", (column) => column.notNull())
      .addColumn("grant_id", "text")
      .addColumn("account_id", "text")
      .addColumn("client_id", "text")
      .addColumn("expires_at", "bigint")
      .addColumn("consumed_at", "bigint")
      .addPrimaryKeyConstraint("oidc_payload_key", ["model", "hash"])
      .execute();
    await db.schema.createIndex("oidc_payload_by_grant").on("oidc_payload").column("grant_id").execute();
    await db.schema
      .createIndex("oidc_payload_by_account")
      .on("oidc_payload")
      .columns(["model", "account_id"])
      .execute();
    await db.schema.createIndex("oidc_payload_by_expiry").on("oidc_payload").column("expires_at").execute();

    await table("refresh_family")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("grant_id", "text", (column) => column.notNull())
      .addColumn("account_id", "text", (column) => column.notNull())
      .addColumn("client_id", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("used_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .addColumn("revoked_at", "bigint")
      .addColumn("revoked_why", "text")
      .execute();
    await db.schema.createIndex("refresh_family_by_account").on("refresh_family").column("account_id").execute();
    await db.schema.createIndex("refresh_family_by_grant").on("refresh_family").column("grant_id").execute();

    await table("refresh_token")
      .addColumn("hash", "text", (column) => column.primaryKey())
      .addColumn("family_id", "text", (column) => column.notNull().references("refresh_family.id").onDelete("cascade"))
      .addColumn("payload", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("idle_expires_at", "bigint", (column) => column.notNull())
      .addColumn("successor", "text")
      .addColumn("used_at", "bigint")
      .addColumn("answer", "text")
      .addColumn("replays", "integer", (column) => column.notNull())
      .execute();
    await db.schema.createIndex("refresh_token_by_family").on("refresh_token").column("family_id").execute();

    await table("api_key")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("hash", "text", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("tenant", "text")
      .addColumn("scopes", "text", (column) => column.notNull())
      .addColumn("rate", "text")
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("environment", "text", (column) => column.notNull())
      .addColumn("display_prefix", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint")
      .addColumn("revoked_at", "bigint")
      .addColumn("last_used_at", "bigint")
      .addColumn("replaced_by", "text")
      .execute();
    await db.schema.createIndex("api_key_by_subject").on("api_key").columns(["subject", "created_at"]).execute();

    await table("revocation")
      .addColumn("seq", isPostgres ? "bigserial" : "integer", (column) =>
        isPostgres ? column.primaryKey() : column.primaryKey().autoIncrement(),
      )
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("value", "text", (column) => column.notNull())
      .addColumn("revoked_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema.createIndex("revocation_by_value").on("revocation").columns(["kind", "value"]).execute();
    await db.schema.createIndex("revocation_by_expiry").on("revocation").column("expires_at").execute();

    await table("signing_key")
      .addColumn("kid", "text", (column) => column.primaryKey())
      .addColumn("follows", "text", (column) => column.notNull().unique())
      .addColumn("algorithm", "text", (column) => column.notNull())
      .addColumn("sealed", "text", (column) => column.notNull())
      .addColumn("public", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("signs_from", "bigint", (column) => column.notNull())
      .addColumn("retires_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();

    await table("client")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("metadata", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .execute();

    // SQLite compares text byte by byte already; PostgreSQL's collations do not.
    if (isPostgres) await sql`alter table account alter column email_key type text collate "C"`.execute(db);
  };

const keysOfApplications =
  (isPostgres: boolean): Migration["up"] =>
  async (db) => {
    await db.schema.alterTable("api_key").addColumn("client_id", "text").execute();

    await db.schema
      .createTable("setting")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "text", (column) => column.notNull())
      .execute();

    await db.schema
      .createTable("waiting_event")
      .addColumn("seq", isPostgres ? "bigserial" : "integer", (column) =>
        isPostgres ? column.primaryKey() : column.primaryKey().autoIncrement(),
      )
      .addColumn("event", "text", (column) => column.notNull())
      .execute();
  };

const wrongPasswords: Migration["up"] = async (db) => {
  await db.schema
    .createTable("wrong_password")
    .addColumn("hash", "text", (column) => column.primaryKey())
    .addColumn("count", "integer", (column) => column.notNull())
    .addColumn("last_at", "bigint", (column) => column.notNull())
    .execute();
};

const issuerSessions: Migration["up"] = async (db) => {
  await db.schema.alterTable("browser_session").addColumn("issuer_session", "text").execute();
  await db.schema.alterTable("oidc_payload").addColumn("session_name", "text").execute();
};

const whatEndsWithWhat: Migration["up"] = async (db) => {
  const index = (name: string, on: string, columns: readonly string[]) =>
    db.schema
      .createIndex(name)
      .on(on)
      .columns([...columns]);

  await db.schema.alterTable("browser_session").addColumn("grant_id", "text").execute();
  await index("browser_session_by_grant", "browser_session", ["grant_id"]).execute();
  await index("oidc_payload_by_session", "oidc_payload", ["session_name"]).execute();
  await db.schema.alterTable("refresh_family").addColumn("session", "text").execute();
  await index("refresh_family_by_session", "refresh_family", ["session"]).execute();

  // What sweeps look for, every minute and on every instance.
  await index("browser_session_by_idle", "browser_session", ["idle_expires_at"]).execute();
  await index("browser_session_by_end", "browser_session", ["ended_at"]).where("ended_at", "is not", null).execute();
  await index("refresh_family_by_expiry", "refresh_family", ["expires_at"]).execute();
  await index("refresh_token_by_answer", "refresh_token", ["used_at"]).where("answer", "is not", null).execute();
  await index("mail_token_by_expiry", "mail_token", ["expires_at"]).execute();
  await index("wrong_password_by_time", "wrong_password", ["last_at"]).execute();
};

const revokedFamilies: Migration["up"] = async (db) => {
  await db.schema
    .createIndex("refresh_family_by_revocation")
    .on("refresh_family")
    .column("revoked_at")
    .where("revoked_at", "is not", null)
    .execute();
};

const endedKeys: Migration["up"] = async (db) => {
  for (const column of ["expires_at", "revoked_at"] as const) {
    await db.schema
      .createIndex(`api_key_by_${column}`)
      .on("api_key")
      .column(column)
      .where(column, "is not", null)
      .execute();
  }
};

const renewals: Migration["up"] = async (db) => {
  await db.schema
    .alterTable("refresh_family")
    .addColumn("renewals", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
};
