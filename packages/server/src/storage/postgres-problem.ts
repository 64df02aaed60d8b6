/**
 * Why PostgreSQL could not be opened, and what to do about it, in words of our own: nothing of the address or the password
 * is in them. What PostgreSQL or the system said is the cause.
 *
 * @see PostgreSQL documentation, appendix A (error codes)
 */
export function postgresProblem(cause: unknown): Error {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const message = cause instanceof Error ? cause.message : "";
  const known = reasons.find(([sign]) => (typeof sign === "string" ? sign === code : sign.test(message)));
  return new Error(known?.[1] ?? "PostgreSQL could not be opened; the cause says why", { cause });
}

const unreachable =
  "nothing answers at PostgreSQL's address: start it, or correct host and port in the connection string";
const unheard =
  "PostgreSQL's address does not answer in time: see whether it runs and no firewall is in between, or give it longer, " +
  "postgres: { connectionTimeoutMillis }";

/** By error code, or by what pg says where there is none. */
const reasons: readonly (readonly [string | RegExp, string])[] = [
  [
    "28P01",
    "PostgreSQL does not take the role's password: correct it in the connection string, where special characters are " +
      "written as encodeURIComponent does, or set it anew, such as alter role notes password '…'",
  ],
  [
    /client password must be/,
    "PostgreSQL asks for a password, and none is given: write it into the connection string, postgres://notes:…@host/notes",
  ],
  [
    "28000",
    "PostgreSQL does not let the role in: make it, such as create role notes login password '…', or allow it in " +
      "pg_hba.conf to connect from here",
  ],
  ["3D000", "PostgreSQL has no database of that name: make it, such as create database notes owner notes"],
  [
    "42501",
    "the PostgreSQL role may not make tables in this database: have it own the database, such as alter database notes " +
      "owner to notes",
  ],
  ["53300", "PostgreSQL has no connection left: lower postgres.max on every instance, or raise max_connections"],
  ["57P03", "PostgreSQL is starting or stopping: try again in a moment"],
  [
    /^Invalid URL$|^no address$/,
    "the connection string is no address: write postgres://role:password@host:5432/database, with special characters " +
      "of the password as encodeURIComponent writes them",
  ],
  ["ECONNREFUSED", unreachable],
  ["ENOENT", unreachable],
  ["ENOTFOUND", "there is no host of the name that PostgreSQL shall be at: correct it in the connection string"],
  ["EAI_AGAIN", "the name of PostgreSQL's host could not be looked up: see whether DNS answers here"],
  ["ETIMEDOUT", unheard],
  [/timeout/, unheard],
  [
    /does not support SSL/,
    "PostgreSQL speaks no TLS, and TLS is asked for: switch it on there, or leave out postgres.ssl and sslmode",
  ],
];
