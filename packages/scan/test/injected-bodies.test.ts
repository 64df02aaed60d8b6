import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { isRecord, type JsonRecord, recordAt, textAt } from "../src/json.ts";
import { type Answered, description, scanThings, startThings } from "./things.ts";

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

type Find = (database: DatabaseSync, body: JsonRecord) => Answered;

const nameOf = (body: JsonRecord): unknown => recordAt(body, "filter")?.["name"];
const rows = (database: DatabaseSync, sql: string, ...values: string[]): Answered => {
  try {
    return [200, { items: database.prepare(sql).all(...values) }];
  } catch {
    return [200, { items: [] }];
  }
};

describe("a search whose words are in a body", { timeout: 60_000 }, () => {
  it("is found where a nested member is pasted into SQL, though no error shows", async () => {
    const found = await scanFind((database, body) =>
      rows(database, `SELECT name FROM things WHERE name LIKE '%${String(nameOf(body))}%'`),
    );
    expect(found.broken).toEqual(["sql-body-filter.name"]);
  });

  it("holds where it travels as a parameter, and where odd signs are dropped", async () => {
    const found = await scanFind((database, body) =>
      rows(database, "SELECT name FROM things WHERE instr(name, ?) > 0", String(nameOf(body))),
    );
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(
      expect.arrayContaining(["sql-body-filter.name", "quote-body-filter.name", "pause-body-filter.name"]),
    );
    await close?.();
    const dropped = await scanFind((database, body) => {
      const plain = String(nameOf(body)).replaceAll(/['"%].*/g, "");
      return rows(database, "SELECT name FROM things WHERE instr(name, ?) > 0", plain);
    });
    expect(dropped.broken).toEqual([]);
  });

  it("is found where a quote ends in an internal error, and not where odd signs are refused", async () => {
    const find: Find = (database, body) => {
      try {
        database.prepare(`SELECT 1 FROM things WHERE name = '${String(nameOf(body))}'`).all();
      } catch {
        return [500, { title: "Internal" }];
      }
      return [200, { items: [] }];
    };
    expect((await scanFind(find)).broken).toEqual(["quote-body-filter.name"]);
    await close?.();
    const refuses: Find = (_database, body) => (/['"]/.test(String(nameOf(body))) ? [400, {}] : [200, { items: [] }]);
    expect((await scanFind(refuses)).broken).toEqual([]);
  });

  it("is found where it pauses", async () => {
    const sleeping: Find = (database, body) => {
      rows(database, `SELECT '${String(nameOf(body))}'`);
      return [200, { items: [] }];
    };
    expect((await scanFind(sleeping, undefined, true)).broken).toContain("pause-body-filter.name");
  });

  it("is found where operators of a document database are executed, and not where they find nothing", async () => {
    const taken =
      (isTaken: boolean): Find =>
      (database, body) => {
        const filter = nameOf(body);
        const all = database.prepare("SELECT name FROM things").all();
        const items = all.filter(({ name }) => {
          if (!isRecord(filter)) return name === filter;
          if (!isTaken) return false;
          return "$ne" in filter ? name !== filter["$ne"] : name === filter["$eq"];
        });
        return [200, { items }];
      };
    expect((await scanFind(taken(true))).broken).toEqual(["operator-body-filter.name"]);
    await close?.();
    expect((await scanFind(taken(false))).broken).toEqual([]);
  });

  it("is found where a page repeats its words, and not where JSON does", async () => {
    const page: Find = (_database, body) => [200, `<p>Nothing for ${String(nameOf(body))}</p>`];
    expect((await scanFind(page)).broken).toEqual(["markup-body-filter.name"]);
    await close?.();
    const json: Find = (_database, body) => [200, { nothingFor: String(nameOf(body)), items: [] }];
    expect((await scanFind(json)).broken).toEqual([]);
  });

  it("is not asked where its name does not say that it only asks", async () => {
    let asked = 0;
    const counted: Find = () => {
      asked += 1;
      return [200, { items: [] }];
    };
    expect((await scanFind(counted, "/things-run")).broken).toEqual([]);
    expect(asked).toBe(0);
  });
});

describe("what is created", { timeout: 60_000 }, () => {
  const scanCreated = async (stored: (database: DatabaseSync, name: string) => string) => {
    const database = databaseOf();
    const found: string[] = [];
    const api = await startThings({
      before: ({ method, path, who, body }) => {
        if (method !== "POST" || path !== "/things" || who === undefined) return undefined;
        try {
          Object.assign(body, { name: stored(database, textAt(body, "name") ?? "") });
          return undefined;
        } catch {
          return [400, { title: "No" }];
        }
      },
    });
    close = api.close;
    const { verdicts } = await scanThings(api.url, ["injection"]);
    for (const { verdict, check } of verdicts) if (verdict === "broken") found.push(check);
    return found;
  };

  it("is found where a sum in it is worked out", async () => {
    const found = await scanCreated((database, name) =>
      String(database.prepare(`SELECT '${name}' AS name`).get()?.["name"]),
    );
    expect(found).toEqual(["sql-body-name"]);
  });

  it("holds where a sum is stored as it is", async () => {
    expect(await scanCreated((_database, name) => name)).toEqual([]);
  });
});

describe("what is changed", { timeout: 60_000 }, () => {
  /** Scans things whose names are stored that way when they change; what it throws is an internal error. */
  const scanChanged = async (store: (database: DatabaseSync, name: string) => string, paths: JsonRecord = {}) => {
    const database = databaseOf();
    let mine = "Alice";
    const seen: string[] = [];
    const api = await startThings({
      before: ({ method, path, who, body }) => {
        if (who === undefined || (method !== "PATCH" && path !== "/me")) return undefined;
        const name = textAt(body, "name");
        if (path === "/me" && method === "PATCH") seen.push(...Object.keys(body));
        try {
          const stored = name === undefined ? undefined : store(database, name);
          if (path === "/me" && stored !== undefined) mine = stored;
          if (path === "/me") return [200, { id: who, name: mine }];
          if (stored !== undefined) Object.assign(body, { name: stored });
          return undefined;
        } catch {
          return [500, { title: "Internal" }];
        }
      },
    });
    close = api.close;
    const openapi = { ...description, paths: { ...recordAt(description, "paths"), ...paths } };
    const { verdicts } = await scanThings(api.url, ["injection"], { openapi });
    const changes = verdicts.filter(
      ({ operation = "", check }) => operation.startsWith("PATCH") && check !== "signals-body",
    );
    return { changes: changes.map(({ verdict, check, operation }) => `${verdict} ${check} ${operation}`), mine, seen };
  };
  const pasted = (database: DatabaseSync, name: string) =>
    String(database.prepare(`SELECT '${name}' AS name`).get()?.["name"]);
  const bound = (database: DatabaseSync, name: string) =>
    String(database.prepare("SELECT ? AS name").get(name)?.["name"]);

  it("is found where a quote breaks it and a sum in it is worked out", async () => {
    expect((await scanChanged(pasted)).changes).toEqual([
      "broken quote-body-name PATCH /things/:id",
      "broken sql-body-name PATCH /things/:id",
    ]);
  });

  it("holds where it travels as a parameter", async () => {
    expect((await scanChanged(bound)).changes).toEqual([
      "held quote-body-name PATCH /things/:id",
      "held sql-body-name PATCH /things/:id",
    ]);
  });

  it("is not called held where every change is refused", async () => {
    const found = await scanChanged(() => {
      throw new Error("out of order");
    });
    expect(found.changes).toEqual(["inconclusive quote-body-name PATCH /things/:id"]);
  });

  const text = { type: "string" };
  const schema = { type: "object", properties: { name: text, password: text } };
  const own = {
    "/me": {
      ...recordAt(recordAt(description, "paths"), "/me"),
      patch: {
        requestBody: { content: { "application/json": { schema } } },
        responses: { 200: { description: "It" } },
      },
    },
  };

  it("of the caller's own record is found and put back, and what he signs in with is left alone", async () => {
    const { changes, mine, seen } = await scanChanged(pasted, own);
    expect(changes).toContain("broken sql-body-name PATCH /me");
    expect(changes.filter((line) => line.includes("password"))).toEqual([]);
    expect(mine).toBe("Alice");
    expect(new Set(seen)).toEqual(new Set(["name"]));
  });
});

describe("a sign-in", { timeout: 30_000 }, () => {
  const scanSignIn = async (isRight: (email: unknown, password: unknown) => boolean) => {
    const api = await startThings({
      before: ({ path, body }) => {
        if (path !== "/login") return undefined;
        return isRight(body["email"], body["password"]) ? [200, { ok: true }] : [401, { title: "No" }];
      },
    });
    close = api.close;
    const text = { type: "string" };
    const schema = { type: "object", required: ["email", "password"], properties: { email: text, password: text } };
    const post = {
      security: [],
      requestBody: { content: { "application/json": { schema } } },
      responses: { 200: { description: "Fine" } },
    };
    const { verdicts } = await scanThings(api.url, ["injection"], {
      openapi: { ...description, paths: { ...recordAt(description, "paths"), "/login": { post } } },
      accounts: [{ user: "alice@example.com", password: "correct horse" }],
    });
    const all = verdicts.filter(({ verdict, check }) => verdict === "broken" && check.includes("sign-in"));
    return all.map(({ check, why }) => `${check}: ${why}`);
  };
  const known = (email: unknown, password: unknown) => email === "alice@example.com" && password === "correct horse";

  it("is found to take an operator for the user name, and not where it takes any object for a wrong one", async () => {
    const found = await scanSignIn((email, password) =>
      isRecord(email) ? "$ne" in email && password === "correct horse" : known(email, password),
    );
    expect(found).toEqual([expect.stringContaining("operator-sign-in: An operator in the place of the user name")]);
    await close?.();
    expect(await scanSignIn(known)).toEqual([]);
  });

  it("is found to execute a condition in the password", async () => {
    const database = new DatabaseSync(":memory:");
    database.exec("CREATE TABLE people (email TEXT, password TEXT)");
    database.exec("INSERT INTO people VALUES ('alice@example.com', 'correct horse')");
    const found = await scanSignIn((email, password) => {
      try {
        const sql = `SELECT 1 FROM people WHERE email = ? AND password = '${String(password)}'`;
        return database.prepare(sql).get(String(email)) !== undefined;
      } catch {
        return false;
      }
    });
    expect(found).toEqual([expect.stringContaining("sql-sign-in: A condition in the password")]);
  });
});

function databaseOf(sleeps = false): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE things (name TEXT)");
  if (!sleeps) return database;
  database.function("pg_sleep", (seconds) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(seconds) * 1000);
    return "";
  });
  return database;
}

/** Scans things that are searched with a filter in a body. */
async function scanFind(find: Find, path = "/things-search", sleeps = false) {
  const database = databaseOf(sleeps);
  const api = await startThings({
    before: ({ method, path: asked, who, body }) => {
      if (who === undefined) return undefined;
      if (asked === "/things" && method === "POST")
        database.prepare("INSERT INTO things VALUES (?)").run(textAt(body, "name") ?? "");
      return asked === path ? find(database, body) : undefined;
    },
  });
  close = api.close;
  const filter = { type: "object", required: ["name"], properties: { name: { type: "string" } } };
  const schema = { type: "object", required: ["filter"], properties: { filter } };
  const post = {
    requestBody: { content: { "application/json": { schema } } },
    responses: { 200: { description: "What was found" } },
  };
  const { verdicts } = await scanThings(api.url, ["injection"], {
    openapi: { ...description, paths: { ...recordAt(description, "paths"), [path]: { post } } },
  });
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  return { broken: named("broken"), held: named("held") };
}
