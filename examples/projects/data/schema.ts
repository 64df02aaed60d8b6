/** Kinds of backend a project may run on. */
export const backendTypes = ["supabase", "firebase", "convex", "custom", "none"] as const;
/** What a member may be in a project; its owner is never granted, only created. */
export const grantedRoles = ["editor", "viewer"] as const;

/** The rows of each table, as SQLite stores them. Times are ISO 8601 in UTC, so that they sort as text. */
export interface Tables {
  users: User;
  projects: ProjectRow;
  members: Member;
  comments: Comment;
  sessions: SessionRow;
}

export interface User {
  readonly id: string;
  readonly tenantId: string;
  readonly email: string;
  readonly name: string;
  /** Role in the tenant. */
  readonly role: "member" | "admin";
  readonly passwordHash: string;
  readonly disabledAt: string | null;
}

export interface ProjectRow {
  readonly id: string;
  readonly tenantId: string;
  readonly ownerId: string;
  readonly name: string;
  readonly url: string;
  readonly backendType: (typeof backendTypes)[number];
  /** Key of the project's backend. Never leaves. */
  readonly backendSecret: string;
  /** What our support wrote down. Never leaves. */
  readonly internalNotes: string;
  readonly createdAt: string;
}

export interface Member {
  readonly projectId: string;
  readonly userId: string;
  readonly role: "owner" | (typeof grantedRoles)[number];
}

export interface Comment {
  readonly id: string;
  readonly projectId: string;
  readonly authorId: string;
  /** Never leaves. */
  readonly authorIp: string;
  readonly replyToId: string | null;
  readonly body: string;
  readonly createdAt: string;
}

export interface SessionRow {
  /** SHA-256 of the id in the cookie: a copy of the table opens no session. */
  readonly idHash: string;
  readonly userId: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly lastSeenAt: number;
}

/** Makes the tables where they are missing. An empty tenant equals nothing, so no row may have one. */
export const schema = `
  CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, tenantId TEXT NOT NULL CHECK (tenantId <> ''), email TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    role TEXT NOT NULL, passwordHash TEXT NOT NULL, disabledAt TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS projects (
    id TEXT PRIMARY KEY, tenantId TEXT NOT NULL CHECK (tenantId <> ''), ownerId TEXT NOT NULL REFERENCES users,
    name TEXT NOT NULL, url TEXT NOT NULL, backendType TEXT NOT NULL, backendSecret TEXT NOT NULL,
    internalNotes TEXT NOT NULL, createdAt TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS members (
    projectId TEXT NOT NULL REFERENCES projects ON DELETE CASCADE, userId TEXT NOT NULL REFERENCES users,
    role TEXT NOT NULL, PRIMARY KEY (projectId, userId)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS membersByUser ON members (userId);
  CREATE TABLE IF NOT EXISTS comments (
    id TEXT PRIMARY KEY, projectId TEXT NOT NULL REFERENCES projects ON DELETE CASCADE,
    authorId TEXT NOT NULL REFERENCES users, authorIp TEXT NOT NULL,
    replyToId TEXT REFERENCES comments ON DELETE SET NULL, body TEXT NOT NULL, createdAt TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS commentsByProject ON comments (projectId, createdAt, id);
  CREATE TABLE IF NOT EXISTS sessions (
    idHash TEXT PRIMARY KEY, userId TEXT NOT NULL REFERENCES users, startedAt INTEGER NOT NULL,
    lastSeenAt INTEGER NOT NULL
  ) STRICT;
`;
