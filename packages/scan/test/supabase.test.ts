import { describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import { ScanError, type ScanResult } from "../src/scan.ts";
import { bob, column, ownersOnly, scanTables, type Who } from "./postgrest.ts";

const todo = { id: column.key, user_id: column.user, title: column.text };

describe("Supabase tables", { timeout: 60_000 }, () => {
  it("finds nothing where every table belongs to its rows' owners, and leaves nothing behind", async () => {
    const result = await scanTables({ todos: { columns: todo, required: ["user_id", "title"], ...ownersOnly } });
    expect(broken(result)).toEqual([]);
    expect(held(result)).toEqual(
      expect.arrayContaining([
        "object-access/supabase-others-read-todos",
        "object-access/supabase-others-update-todos",
        "object-access/supabase-others-delete-todos",
        "object-access/supabase-others-insert-todos",
        "authentication/supabase-strangers-read-todos",
        "authentication/supabase-strangers-delete-todos",
      ]),
    );
    expect(result.rows["todos"]).toEqual([]);
    expect(result.leftovers).toEqual([]);
  });

  it("finds a table without row level security, for strangers first of all", async () => {
    const result = await scanTables({ todos: { columns: todo } });
    expect(broken(result)).toEqual([
      "authentication/supabase-strangers-delete-todos",
      "authentication/supabase-strangers-insert-todos",
      "authentication/supabase-strangers-read-todos",
      "authentication/supabase-strangers-update-todos",
      "object-access/supabase-others-delete-todos",
      "object-access/supabase-others-insert-todos",
      "object-access/supabase-others-update-todos",
    ]);
    expect(result.rows["todos"]).toEqual([]);
  });

  it("finds policies that ask for a user and not for which", async () => {
    const anybody = (_row: JsonRecord, who: Who) => who !== undefined;
    const result = await scanTables({ todos: { columns: todo, ...ownersOnly, select: anybody } });
    expect(broken(result)).toEqual(["object-access/supabase-others-read-todos"]);
    const writable = await scanTables({ todos: { columns: todo, ...ownersOnly, select: anybody, update: anybody } });
    expect(broken(writable)).toEqual([
      "object-access/supabase-others-read-todos",
      "object-access/supabase-others-update-todos",
    ]);
  });

  it("finds rows that are added in somebody else's name, and not one's own nor nobody's", async () => {
    const careless = await scanTables({
      todos: { columns: todo, ...ownersOnly, insert: (_row, who) => who !== undefined },
    });
    expect(broken(careless)).toEqual(["object-access/supabase-others-insert-todos"]);
    const contact = { id: column.key, message: column.text };
    const form = await scanTables({
      messages: { columns: contact, select: () => false, update: () => false, remove: () => false, insert: () => true },
    });
    expect(broken(form)).toEqual([]);
  });

  it("leaves tables in peace that everybody reads by design, and not what looks private in them", async () => {
    const nobody = () => false;
    const everybody = { ...ownersOnly, select: () => true };
    const posts = await scanTables({ posts: { columns: todo, ...everybody } });
    expect(broken(posts)).toEqual([]);
    const people = await scanTables({ people: { columns: { ...todo, email: column.text }, ...everybody } });
    expect(broken(people)).toEqual(["authentication/supabase-strangers-read-people"]);
    const catalogue = { columns: todo, select: () => true, insert: nobody, update: nobody, remove: nobody };
    expect(broken(await scanTables({ catalogue }))).toEqual([]);
  });

  it("finds private columns of a table nobody may add to, and reads no more of it than a key", async () => {
    const nobody = () => false;
    const patient = { id: 7, title: "somebody", email: "somebody@example.com", user_id: bob };
    const result = await scanTables({
      patients: {
        columns: { ...todo, email: column.text },
        insert: nobody,
        update: nobody,
        remove: nobody,
        rows: [patient],
      },
    });
    expect(broken(result)).toEqual(["authentication/supabase-strangers-read-patients"]);
    expect(result.rows["patients"]).toEqual([patient]);
  });

  it("makes the row another one has to name, and deletes both", async () => {
    const result = await scanTables({
      todos: { columns: todo, required: ["user_id", "title"], ...ownersOnly },
      notes: {
        columns: { ...todo, todo_id: column.parent("todos") },
        required: ["user_id", "title", "todo_id"],
        ...ownersOnly,
        select: () => true,
        update: () => true,
      },
    });
    expect(broken(result)).toEqual([
      "authentication/supabase-strangers-read-notes",
      "authentication/supabase-strangers-update-notes",
      "object-access/supabase-others-update-notes",
    ]);
    expect([result.rows["todos"], result.rows["notes"]]).toEqual([[], []]);
  });

  it("names the rows its owner may not delete, and shows neither key nor token", async () => {
    const result = await scanTables({ todos: { columns: todo, ...ownersOnly, remove: () => false } });
    expect(result.leftovers).toEqual(expect.arrayContaining([expect.stringContaining("of todos, inserted as alice")]));
    expect(JSON.stringify(result.verdicts)).not.toMatch(/sb_publishable|token-of-/);
  });

  it("says what it takes where it was given no users, and asks no host that nobody consented to", async () => {
    const tables = { todos: { columns: todo, ...ownersOnly } };
    const lonely = await scanTables(tables, { identities: [], register: false });
    expect(lonely.verdicts.find(({ check }) => check === "supabase-others")?.untried).toBe(true);
    const supabase = { url: lonely.target.url, anonKey: "wrong" };
    await expect(scanTables(tables, { supabase: { ...supabase, url: "https://project.supabase.co" } })).rejects.toThrow(
      ScanError,
    );
  });
});

function named(verdict: string, result: ScanResult): readonly string[] {
  return result.verdicts
    .filter((one) => one.verdict === verdict && one.check.startsWith("supabase-"))
    .map(({ protection, check }) => `${protection}/${check}`)
    .sort();
}

const broken = (result: ScanResult) => named("broken", result);
const held = (result: ScanResult) => named("held", result);
