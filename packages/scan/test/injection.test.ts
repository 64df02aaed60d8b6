import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { identityOf, scan } from "../src/scan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe("injection", () => {
  it("finds SQL in a search, whichever kind of object the search finds", async () => {
    const result = await scanSearch((q) => [`SELECT id, name FROM projects WHERE name LIKE '%${q}%'`, []]);
    expect(result).toMatchObject({ verdict: "broken", check: "sql-q", operation: "GET /search" });
  });

  it("leaves a search in peace that takes its text as a parameter", async () => {
    const result = await scanSearch((q) => ["SELECT id, name FROM projects WHERE instr(name, ?) > 0", [q]]);
    expect(result).toMatchObject({ verdict: "held", check: "sql-q", operation: "GET /search" });
  });
});

type Search = (q: string) => readonly [sql: string, parameters: readonly string[]];

/** Scans an API with two kinds of object, of which the search finds the second; a description says nothing of that. */
async function scanSearch(search: Search) {
  const url = await serve(search);
  const { verdicts } = await scan({
    url,
    openapi: description,
    identities: [identityOf("alice", "Bearer alice")],
    only: ["injection"],
    seed: 1,
  });
  return verdicts.find(({ check }) => check === "sql-q");
}

const named = { type: "object", properties: { id: { type: "string" }, name: { type: "string", maxLength: 100 } } };
const idPath = [{ name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } }];
const answered = { description: "It", content: { "application/json": { schema: named } } };
const newOne = {
  required: true,
  content: {
    "application/json": {
      schema: { type: "object", required: ["name"], properties: { name: { type: "string", maxLength: 100 } } },
    },
  },
};

const description = {
  openapi: "3.1.0",
  info: { title: "search", version: "1" },
  security: [{ bearer: [] }],
  components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  paths: {
    "/keys": { post: { requestBody: newOne, responses: { 201: answered } } },
    "/keys/{id}": { get: { parameters: idPath, responses: { 200: answered } } },
    "/projects": { post: { requestBody: newOne, responses: { 201: answered } } },
    "/projects/{id}": { get: { parameters: idPath, responses: { 200: answered } } },
    "/search": {
      get: {
        parameters: [{ name: "q", in: "query", required: true, schema: { type: "string", maxLength: 200 } }],
        responses: { 200: { description: "What was found" } },
      },
    },
  },
};

/** The API itself, on loopback. */
async function serve(search: Search): Promise<string> {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE keys (id TEXT, name TEXT); CREATE TABLE projects (id TEXT, name TEXT)");
  const listening = createServer((request, response) => void answer(database, search, request, response));
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return `http://127.0.0.1:${address.port}`;
}

async function answer(database: DatabaseSync, search: Search, request: IncomingMessage, response: ServerResponse) {
  const say = (status: number, json: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  let text = "";
  for await (const chunk of request) text += String(chunk);
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
  const [, table, id] = /^\/(keys|projects)(?:\/([^/]+))?$/.exec(pathname) ?? [];

  if (request.headers.authorization !== "Bearer alice") return say(401, { title: "Who is it?" });
  if (pathname === "/search") {
    try {
      const [sql, parameters] = search(searchParams.get("q") ?? "");
      return say(200, { items: database.prepare(sql).all(...parameters) });
    } catch {
      return say(500, { title: "Internal error" });
    }
  }
  if (table === undefined) return say(404, { title: "Not found" });
  if (request.method === "POST") {
    const sent: { readonly name?: unknown } = JSON.parse(text);
    const made = { id: randomUUID(), name: String(sent.name) };
    database.prepare(`INSERT INTO ${table} VALUES (?, ?)`).run(made.id, made.name);
    return say(201, made);
  }
  const found = database.prepare(`SELECT id, name FROM ${table} WHERE id = ?`).get(id ?? "");
  return found === undefined ? say(404, { title: "Not found" }) : say(200, found);
}
