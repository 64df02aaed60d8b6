import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { isRecord, recordAt, textAt } from "../src/json.ts";
import { type Answered, type Asked, description, scanThings, startThings } from "./things.ts";

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

describe("injection", { timeout: 60_000 }, () => {
  it("finds nothing where values are values", async () => {
    const found = await scanSearch((database, q) => [200, { items: database.prepare(parameterised).all(q) }]);
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(
      expect.arrayContaining(["quote-q", "pause-q", "markup-q", "operator-q", "quote-body-name", "operator-sign-in"]),
    );
  });

  it("finds a quote that breaks the query, by the driver's text and by the error alone", async () => {
    const insert = (database: DatabaseSync, q: string): Answered => {
      try {
        database.exec(`INSERT INTO asked VALUES ('${q}')`);
        return [200, { items: [] }];
      } catch (error) {
        return [400, { title: "No", detail: String(error) }];
      }
    };
    expect((await scanSearch(insert)).broken).toContain("quote-q");
    await close?.();
    const silent = (database: DatabaseSync, q: string): Answered => {
      const answer = insert(database, q);
      return answer !== "close" && answer[0] === 400 ? [500, { title: "Internal error" }] : answer;
    };
    expect((await scanSearch(silent)).broken).toContain("quote-q");
  });

  it("leaves a search in peace that fails at every quote, however many", async () => {
    const found = await scanSearch((_database, q) =>
      q.includes("'") ? [500, { title: "Internal error" }] : [200, { items: [] }],
    );
    expect(found.broken).toEqual([]);
  });

  it("finds a pause that the database takes, and no pause in a search that is slow now and then", async () => {
    const blind = (database: DatabaseSync, q: string): Answered => {
      try {
        database.prepare(`SELECT '${q}' AS q`).all();
      } catch {
        // Blind: it says the same, whatever happens.
      }
      return [200, { items: [] }];
    };
    expect((await scanSearch(blind)).broken).toEqual(["pause-q"]);
    await close?.();
    let asked = 0;
    const slow = async (): Promise<Answered> => {
      asked += 1;
      if (asked % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1100));
      return [200, { items: [] }];
    };
    expect((await scanSearch(slow)).broken).toEqual([]);
  });

  it("finds markup in a page, and leaves the same text in JSON in peace", async () => {
    expect((await scanSearch((_database, q) => [200, `<p>Nothing for ${q}</p>`])).broken).toEqual(["markup-q"]);
    await close?.();
    expect((await scanSearch((_database, q) => [200, { nothingFor: q, items: [] }])).broken).toEqual([]);
  });

  it("finds operators of a document database, in a query and in the place of a password", async () => {
    const matches = (value: unknown, filter: unknown): boolean => {
      if (!isRecord(filter)) return value === filter;
      if ("$ne" in filter) return value !== filter["$ne"];
      return "$eq" in filter && value === filter["$eq"];
    };
    const found = await scanSearch(
      (database, q, asked) => {
        const { searchParams } = new URL(asked.request.url ?? "/", "http://127.0.0.1");
        const operator = [...searchParams].find(([name]) => name.startsWith("q["));
        const filter = operator === undefined ? q : { [operator[0].slice(2, -1)]: operator[1] };
        return [
          200,
          {
            items: database
              .prepare("SELECT name FROM things")
              .all()
              .filter(({ name }) => matches(name, filter)),
          },
        ];
      },
      (stored, given) => matches(stored, given),
    );
    expect(found.broken).toEqual(["operator-q", "operator-sign-in"]);
  });

  it("finds a quote in what is created", async () => {
    const database = new DatabaseSync(":memory:");
    database.exec("CREATE TABLE names (name TEXT)");
    const found = await scanSearch(
      () => [200, { items: [] }],
      undefined,
      (name) => database.exec(`INSERT INTO names VALUES ('${name}')`),
    );
    expect(found.broken).toEqual(["quote-body-name"]);
  });
});

const parameterised = "SELECT name FROM things WHERE name = ?";

type Search = (database: DatabaseSync, q: string, asked: Asked) => Answered | Promise<Answered>;

/** Scans things that can be searched, with a sign-in beside them. */
async function scanSearch(
  search: Search,
  isPassword = (stored: string, given: unknown): boolean => stored === given,
  created: (name: string) => void = () => {},
) {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE things (name TEXT); CREATE TABLE asked (q TEXT)");
  database.function("pg_sleep", (seconds) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(seconds) * 1000);
    return "";
  });
  const api = await startThings({
    before(asked) {
      const { searchParams } = new URL(asked.request.url ?? "/", "http://127.0.0.1");
      if (asked.path === "/login") {
        const right = isPassword("correct horse", asked.body["password"]) && textAt(asked.body, "email") !== undefined;
        return right ? [200, { ok: true }] : [401, { title: "No" }];
      }
      if (asked.who === undefined) return undefined;
      if (asked.path === "/things" && asked.method === "POST") {
        const name = textAt(asked.body, "name") ?? "";
        database.prepare("INSERT INTO things VALUES (?)").run(name);
        try {
          created(name);
        } catch {
          return [500, { title: "Internal error" }];
        }
      }
      return asked.path === "/search" ? search(database, searchParams.get("q") ?? "", asked) : undefined;
    },
  });
  close = api.close;
  const text = { type: "string" };
  const credentials = { type: "object", required: ["email", "password"], properties: { email: text, password: text } };
  const { verdicts } = await scanThings(api.url, ["injection"], {
    openapi: {
      ...description,
      paths: {
        ...recordAt(description, "paths"),
        "/search": {
          get: {
            parameters: [{ name: "q", in: "query", required: true, schema: text }],
            responses: { 200: { description: "What was found" } },
          },
        },
        "/login": {
          post: {
            security: [],
            requestBody: { content: { "application/json": { schema: credentials } } },
            responses: { 200: { description: "Fine" } },
          },
        },
      },
    },
    accounts: [{ user: "alice@example.com", password: "correct horse" }],
  });
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  return { broken: named("broken"), held: named("held") };
}
