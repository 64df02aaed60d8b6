import { randomBytes, randomUUID, scryptSync } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { accountOf, type Person, userIds } from "./people.ts";

/** A user's row; the hash never leaves. */
export interface User {
  readonly id: string;
  readonly email: string;
  name: string;
  readonly tenantId: string;
  role: string;
  readonly passwordHash: string;
  disabled: boolean;
}

/** A project's row; the last two members never leave. */
export interface Project {
  readonly id: string;
  tenantId: string;
  ownerId: string;
  name: string;
  url: string;
  readonly createdAt: string;
  readonly members: Map<string, string>;
  readonly deployToken: string;
  readonly internalNotes: string;
}

/** A comment's row; the author's address never leaves. */
export interface Comment {
  readonly id: string;
  readonly projectId: string;
  readonly authorId: string;
  readonly body: string;
  readonly createdAt: string;
  readonly authorIp: string;
}

/** Everything the product keeps: in memory, gone with the process. Projects are searched in a real SQL database. */
export function createData() {
  const users = new Map<string, User>(people().map((user) => [user.id, user]));
  const projects = new Map<string, Project>();
  const comments = new Map<string, Comment>();
  const sql = new DatabaseSync(":memory:");
  sql.exec("CREATE TABLE projects (id TEXT PRIMARY KEY, owner_id TEXT NOT NULL, name TEXT NOT NULL)");
  const insert = sql.prepare("INSERT INTO projects (id, owner_id, name) VALUES (?, ?, ?)");
  const forget = sql.prepare("DELETE FROM projects WHERE id = ?");
  const rename = sql.prepare("UPDATE projects SET name = ? WHERE id = ?");
  const find = sql.prepare(
    "SELECT id FROM projects WHERE owner_id = ? AND name LIKE '%' || ? || '%' ESCAPE '\\' ORDER BY rowid DESC",
  );

  function addProject(fields: Pick<Project, "tenantId" | "ownerId" | "name" | "url">): Project {
    const project: Project = {
      id: randomUUID(),
      createdAt: new Date().toISOString(),
      members: new Map(),
      deployToken: `dpl_${randomBytes(24).toString("hex")}`,
      internalNotes: "margin 40 percent, churn risk high",
      ...fields,
    };
    projects.set(project.id, project);
    insert.run(project.id, project.ownerId, project.name);
    return project;
  }

  for (let count = 0; count < 105; count++) {
    addProject({ tenantId: "acme", ownerId: userIds.alice, name: `seeded ${count}`, url: "https://a.example/" });
  }
  addProject({ tenantId: "acme", ownerId: userIds.bob, name: "seeded for bob", url: "https://b.example/" });

  return {
    users,
    projects,
    comments,
    addProject,
    changeProject(project: Project, fields: Partial<Project>) {
      Object.assign(project, fields);
      rename.run(project.name, project.id);
      return project;
    },
    removeProject(id: string) {
      projects.delete(id);
      forget.run(id);
      for (const comment of comments.values()) if (comment.projectId === id) comments.delete(comment.id);
    },
    addComment(fields: Omit<Comment, "id" | "createdAt">): Comment {
      const comment = { id: randomUUID(), createdAt: new Date().toISOString(), ...fields };
      comments.set(comment.id, comment);
      return comment;
    },
    /** Newest first. */
    projectsOf: (ownerId: string) => [...projects.values()].filter((one) => one.ownerId === ownerId).reverse(),
    commentsOf: (projectId: string) => [...comments.values()].filter((one) => one.projectId === projectId).reverse(),
    userByEmail: (email: string) => [...users.values()].find((user) => user.email === email),
    search(ownerId: string, text: string): readonly Project[] {
      return rows(find.all(ownerId, text.replace(/[\\%_]/g, "\\$&")));
    },
    /** What a hurried author writes in place of `search`. */
    searchByText(ownerId: string, text: string): readonly Project[] {
      const query = `SELECT id FROM projects WHERE owner_id = '${ownerId}' AND name LIKE '%${text}%'`;
      return rows(sql.prepare(query).all());
    },
    /** What a database says of a statement that is none; hurried authors send it on. */
    sayError(id: string): string {
      try {
        sql.prepare(`SELECT id FROM projects WHERE id = ${id}'`);
        return "";
      } catch (error) {
        return `SQLITE_ERROR: ${error instanceof Error ? error.message : ""} in "SELECT * FROM projects WHERE id = ${id}'"`;
      }
    },
    close: () => sql.close(),
  };

  function rows(found: readonly Record<string, unknown>[]): readonly Project[] {
    return found.flatMap(({ id }) => projects.get(String(id)) ?? []);
  }
}

export type Data = ReturnType<typeof createData>;

/** Whether the password is the one behind the hash; a hash of nobody takes as long and is never right. */
export function isPassword(password: string, hash: string | undefined): boolean {
  const [salt = "", digest = ""] = (hash ?? hashOfNobody).split(":");
  return hashed(password, salt) === digest && hash !== undefined;
}

const hashOfNobody = `00:${"0".repeat(64)}`;

function hashed(password: string, salt: string): string {
  return scryptSync(password, salt, 32, { N: 4096 }).toString("hex");
}

function people(): User[] {
  return (["alice", "bob", "carol", "admin"] as const).map((name) => ({
    id: userIds[name],
    email: `${name}@projects.example`,
    name,
    tenantId: name === "carol" ? "globex" : "acme",
    role: name === "admin" ? "admin" : "member",
    passwordHash: hashes[name],
    disabled: false,
  }));
}

// Hashed once per process; the tests start many.
const hashes: Readonly<Record<Person, string>> = {
  alice: hashOf("alice"),
  bob: hashOf("bob"),
  carol: hashOf("carol"),
  admin: hashOf("admin"),
};

function hashOf(name: Person): string {
  return `${name}:${hashed(accountOf(name).password, name)}`;
}
