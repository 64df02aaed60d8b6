import { randomBytes, randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

export interface Row {
  readonly [member: string]: unknown;
  readonly id: string;
  readonly ownerId: string;
}

/** Who there is. */
export const users = [
  {
    id: "11111111-1111-4111-8111-111111111111",
    name: "alice",
    email: "alice@notes.example",
    password: "alice's long password",
    role: "member",
  },
  {
    id: "22222222-2222-4222-8222-222222222222",
    name: "bob",
    email: "bob@notes.example",
    password: "bob's long password",
    role: "member",
  },
  {
    id: "99999999-9999-4999-8999-999999999999",
    name: "admin",
    email: "admin@notes.example",
    password: "admin's long password",
    role: "admin",
  },
] as const;

/** Notes, remarks, keys and sessions of one running API; notes also stand in a database, for the search. */
export function openData() {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE notes (id TEXT PRIMARY KEY, ownerId TEXT, title TEXT)");
  const notes = new Map<string, Row>();
  const put = database.prepare("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)");
  const drop = database.prepare("DELETE FROM notes WHERE id = ?");
  const find = database.prepare("SELECT id FROM notes WHERE ownerId = ? AND instr(title, ?) > 0");
  const idsOf = (rows: readonly Record<string, unknown>[]) =>
    rows.flatMap(({ id }) => (typeof id === "string" ? [id] : []));
  const data = {
    notes,
    remarks: new Map<string, Row & { readonly noteId: string }>(),
    keys: new Map<string, Row & { readonly secret: string }>(),
    sessions: new Map<string, string>(),
    save(row: Row): void {
      notes.set(row.id, row);
      put.run(row.id, row.ownerId, String(row["title"]));
    },
    remove(id: string): void {
      notes.delete(id);
      drop.run(id);
    },
    search: (ownerId: string, q: string): readonly string[] => idsOf(find.all(ownerId, q)),
    searchBadly: (ownerId: string, q: string): readonly string[] =>
      idsOf(database.prepare(`SELECT id FROM notes WHERE ownerId = '${ownerId}' AND title LIKE '%${q}%'`).all()),
    newKey(ownerId: string, name: string): Row & { readonly secret: string } {
      const id = randomUUID();
      const row = { id, ownerId, name, secret: `nts_${id.slice(0, 8)}_${randomBytes(24).toString("hex")}` };
      data.keys.set(id, row);
      return row;
    },
    close: () => database.close(),
  };
  // More notes than a page holds, so that a ceiling can be seen at once.
  for (const user of users.slice(0, 2)) {
    for (let count = 0; count < 60; count += 1) {
      data.save({
        id: randomUUID(),
        ownerId: user.id,
        title: `note ${count} of ${user.name}`,
        color: "red",
        secretHint: "x",
        createdAt: "2026-01-01T00:00:00.000Z",
      });
    }
  }
  return data;
}

export type Data = ReturnType<typeof openData>;
