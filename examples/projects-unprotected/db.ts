import { createHash, randomBytes, randomUUID } from "node:crypto";
import { constants, DatabaseSync } from "node:sqlite";

/** The in-memory database with its seeds; queries are strings, the way the bad samples write them. */
export function openDb() {
  const sqlite = new DatabaseSync(":memory:", { limits: { length: 64 * 1024 * 1024 } });
  sqlite.exec(SCHEMA);
  // Injected SQL may read everything, but a recursive query would hang the demonstration for good (Node 24.10 and newer).
  sqlite.setAuthorizer?.((action) =>
    action === constants.SQLITE_RECURSIVE ? constants.SQLITE_DENY : constants.SQLITE_OK,
  );

  // hole: errors: the SQL text travels with the error, and the error handler sends it.
  function query<T = Row>(sql: string): T[] {
    try {
      return sqlite.prepare(sql).all() as T[];
    } catch (error) {
      throw Object.assign(error as Error, { sql });
    }
  }

  const db = {
    query,
    get: (sql: string): Row | undefined => query(sql)[0],
    // Like most ORMs: known columns are written, the others are ignored without a word.
    insert(table: Table, row: Row) {
      const columns = COLUMNS[table].filter((column) => row[column] !== undefined);
      query(`INSERT INTO ${table} (${columns}) VALUES (${columns.map((column) => quote(row[column]))})`);
    },
    save(table: Table, id: string, row: Row) {
      const columns = COLUMNS[table].filter((column) => column !== "id" && row[column] !== undefined);
      query(`UPDATE ${table} SET ${columns.map((column) => `${column} = ${quote(row[column])}`)} WHERE id = '${id}'`);
    },
    close: () => sqlite.close(),
  };
  seed(db);
  return db;
}

export type Db = ReturnType<typeof openDb>;
export type Row = Record<string, unknown>;
export type User = { id: string; email: string; name: string; tenantId: string; role: string; passwordHash: string };
type Table = keyof typeof COLUMNS;

/** The seeded accounts; the same ids, e-mail addresses and passwords as in the protected example. */
export const accounts = {
  alice: account("11111111-1111-4111-8111-111111111111", "alice", "acme", "member"),
  bob: account("22222222-2222-4222-8222-222222222222", "bob", "acme", "member"),
  carol: account("33333333-3333-4333-8333-333333333333", "carol", "globex", "member"),
  admin: account("99999999-9999-4999-8999-999999999999", "admin", "acme", "admin"),
};

// hole: sessions: passwords are stored as unsalted MD5.
export const md5 = (text: string) => createHash("md5").update(text).digest("hex");

function account(id: string, name: string, tenantId: string, role: string) {
  const password = `correct horse battery staple ${name}`;
  return { id, name, email: `${name}@${tenantId}.example`, password, tenantId, role };
}

// Home-made escaping, only where rows are written: everything read below is a plain string.
function quote(value: unknown) {
  if (value === null || typeof value === "number") return String(value);
  if (typeof value === "boolean") return value ? "1" : "0";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

const COLUMNS = {
  users: ["id", "email", "name", "tenantId", "role", "passwordHash", "disabled"],
  projects: ["id", "tenantId", "ownerId", "name", "url", "backendType", "backendSecret", "internalNotes", "createdAt"],
  members: ["projectId", "userId", "role"],
  comments: ["id", "projectId", "authorId", "authorIp", "body", "createdAt"],
  keys: ["id", "userId", "key", "prefix", "name", "scopes", "createdAt", "revokedAt"],
};

const SCHEMA = Object.entries(COLUMNS)
  .map(([table, columns]) => `CREATE TABLE ${table} (${columns});`)
  .join("\n");

// More projects than any page should hold, so that an unbounded list shows.
const SEEDED_PROJECTS = 120;

function seed(db: Pick<Db, "insert">) {
  for (const { password, ...user } of Object.values(accounts)) {
    db.insert("users", { ...user, passwordHash: md5(password), disabled: 0 });
  }
  for (let n = 0; n < SEEDED_PROJECTS; n++) {
    const owner = n % 6 === 0 ? accounts.carol : accounts.alice;
    const projectId = randomUUID();
    const createdAt = new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();
    db.insert("projects", {
      id: projectId,
      tenantId: owner.tenantId,
      ownerId: owner.id,
      name: `${owner.name}'s project ${n}`,
      url: `https://project-${n}.example`,
      backendType: "supabase",
      backendSecret: `service_role_${randomBytes(16).toString("hex")}`,
      internalNotes: "Behind on its invoices, do not mention.",
      createdAt,
    });
    db.insert("members", { projectId, userId: owner.id, role: "owner" });
    db.insert("comments", {
      id: randomUUID(),
      projectId,
      authorId: owner.id,
      authorIp: "127.0.0.1",
      body: `First comment on project ${n}`,
      createdAt,
    });
  }
}
