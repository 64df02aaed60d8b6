import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type JsonRecord, parseJson, textAt, textsAt } from "../src/json.ts";
import { identityOf, scan } from "../src/scan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe("authentication", () => {
  it("holds where nobody is believed and strangers are refused", async () => {
    const found = await scanNotes(["authentication"], {});
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(expect.arrayContaining(["claimed-identity", "strangers-write"]));
  });

  it.each(["x-user-id", "x-forwarded-user", "x-authenticated-userid"])(
    "finds that a stranger is believed who says in %s who he is",
    async (header) => {
      const found = await scanNotes(["authentication"], { believes: ({ headers }) => headers[header] });
      expect(found.broken).toEqual(["claimed-identity"]);
      expect(found.why("claimed-identity")).toContain(header);
    },
  );

  it("finds that a caller is believed who says in a header that he is somebody else", async () => {
    const believes = ({ headers }: IncomingMessage) =>
      headers.authorization === undefined ? undefined : headers["x-impersonate-user"];
    expect((await scanNotes(["authentication"], { believes })).broken).toEqual(["claimed-identity"]);
  });

  it("takes a header that is refused by name for no one that is believed", async () => {
    const found = await scanNotes(["authentication"], { refuses: ({ headers }) => headers["x-user-id"] !== undefined });
    expect(found.broken).toEqual([]);
  });

  it("finds a guard that knows one spelling of a path where the router knows more", async () => {
    const found = await scanNotes(["authentication"], { router: "any case" });
    expect(found.broken).toEqual(["no-credential-capitals"]);
  });

  it("calls nothing broken where every spelling is one path and all are guarded", async () => {
    expect((await scanNotes(["authentication"], { router: "any case, guarded" })).broken).toEqual([]);
  });

  it("finds a write nothing reads back that strangers may do like its callers", async () => {
    const found = await scanNotes(["authentication"], { preview: "open" });
    expect(found.broken).toEqual(["strangers-write"]);
  });

  it("finds it too where what is sent is refused to everybody", async () => {
    const found = await scanNotes(["authentication"], { preview: "open, and refuses the host" });
    expect(found.broken).toEqual(["strangers-write"]);
    expect(found.why("strangers-write", "broken")).toContain("refuses only made-up credentials");
  });

  it("says nothing of a write that looks at its body before it asks who calls", async () => {
    const found = await scanNotes(["authentication"], { preview: "reads first" });
    expect(found.broken).toEqual([]);
  });
});

describe("api-keys", () => {
  it("holds where scopes are asked for and one credential counts", async () => {
    const found = await scanNotes(["api-keys"], {});
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(expect.arrayContaining(["scopes", "two-credentials", "revoked"]));
  });

  it("finds a key that may only read and writes", async () => {
    const found = await scanNotes(["api-keys"], { scopes: "forgotten" });
    expect(found.broken).toEqual(["scopes"]);
    expect(found.why("scopes")).toContain("notes:read");
  });

  it("does not take an answer for a write: what changed nothing is held", async () => {
    const found = await scanNotes(["api-keys"], { scopes: "answered and not done" });
    expect(found.broken).toEqual([]);
  });

  it("finds that the first of two callers' credentials counts", async () => {
    expect((await scanNotes(["api-keys"], { both: "first counts" })).broken).toEqual(["two-credentials"]);
  });

  it("calls nothing broken where a key and a token are only good together", async () => {
    expect((await scanNotes(["api-keys"], { both: "needed" })).broken).toEqual([]);
  });
});

describe("csrf", () => {
  const own = ({ headers }: IncomingMessage) => `http://${headers.host}`;

  it("holds where only the own page writes", async () => {
    const found = await scanNotes(["csrf"], { page: (request) => request.headers.origin === own(request) });
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(expect.arrayContaining(["cross-site", "no-origin", "origin-prefix", "form"]));
  });

  it.each<[string, NonNullable<Notes["page"]>, readonly string[]]>([
    [
      "begins like the own one",
      ({ headers }) => headers.origin?.startsWith("http://127.0.0.1") === true,
      ["origin-prefix", "origin-prefix-whole"],
    ],
    [
      "ends like the own name",
      ({ headers }) => headers.origin?.endsWith("127.0.0.1") === true || headers.origin?.includes("1:") === true,
      ["origin-prefix-whole", "origin-suffix"],
    ],
    [
      "is left out",
      ({ headers }) => headers.origin === undefined || headers.origin.startsWith("http://127.0.0.1:"),
      ["no-origin", "origin-prefix-whole"],
    ],
    [
      "is null",
      (request) => request.headers.origin === "null" || request.headers.origin === own(request),
      ["null-origin", "null-origin-cross-site"],
    ],
  ])("finds that a page writes whose origin %s", async (_name, page, expected) => {
    const found = await scanNotes(["csrf"], { page });
    expect(found.broken).toEqual(expected);
  });

  it("finds a write that a foreign form does", async () => {
    const isForm = ({ headers }: IncomingMessage) => headers["content-type"]?.includes("form") === true;
    const found = await scanNotes(["csrf"], {
      page: (request) => isForm(request) || request.headers.origin === own(request),
    });
    expect(found.broken).toEqual(["form"]);
  });
});

/** What this API does that it should not, or otherwise than others. */
interface Notes {
  /** The account a header makes the caller. */
  readonly believes?: (request: IncomingMessage) => string | string[] | undefined;
  readonly refuses?: (request: IncomingMessage) => boolean;
  /** Paths in capitals are known too, and GET /summary asks there who calls, or does not. */
  readonly router?: "any case" | "any case, guarded";
  /** POST /previews, whose effect nothing reads back. */
  readonly preview?: "open" | "open, and refuses the host" | "reads first";
  readonly scopes?: "forgotten" | "answered and not done";
  readonly both?: "first counts" | "needed";
  /** Whether a write with the cookie is from a page that may write. */
  readonly page?: (request: IncomingMessage) => boolean;
}

async function scanNotes(only: readonly string[], notes: Notes) {
  const url = await serve(notes);
  const { verdicts } = await scan({
    url,
    openapi: description,
    only,
    identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")],
    accounts: [{ user: "alice", password: "wonderland" }],
    seed: 7,
  });
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  return {
    broken: named("broken"),
    held: named("held"),
    why: (name: string, kind?: string) =>
      verdicts.find(({ check, verdict }) => check === name && (kind === undefined || verdict === kind))?.why,
  };
}

const people = ["alice", "bob"];

async function serve(notes: Notes): Promise<string> {
  const rows = new Map<string, { id: string; owner: string; text: string }>();
  const keys = new Map<string, { id: string; owner: string; scopes: readonly string[] }>();

  /** Who calls and what a key may do; `bad` for a credential that is none. */
  function callerOf(
    request: IncomingMessage,
  ): { name: string; scopes: readonly string[]; cookie: boolean } | "bad" | undefined {
    const { headers } = request;
    const said = notes.believes?.(request);
    if (typeof said === "string" && people.includes(said)) return { name: said, scopes: ["*"], cookie: false };
    const key = headers["x-api-key"];
    const token = headers.authorization;
    if (token !== undefined && key !== undefined && notes.both === undefined) return "bad";
    if (notes.both === "needed" && key !== undefined && token === undefined) return "bad";
    const name = people.find((one) => token === `Bearer token-of-${one}`);
    if (name !== undefined) return { name, scopes: ["*"], cookie: false };
    if (token !== undefined) return "bad";
    if (typeof key === "string") {
      const row = keys.get(key);
      return row === undefined ? "bad" : { name: row.owner, scopes: row.scopes, cookie: false };
    }
    return headers.cookie === "sid=session-of-alice" ? { name: "alice", scopes: ["*"], cookie: true } : undefined;
  }

  const listening = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      const { method = "", url = "" } = request;
      const path = url.split("?")[0] ?? "";
      const say = (status: number, json: unknown = { title: "No", status }, more = {}) =>
        void response.writeHead(status, { "content-type": "application/json", ...more }).end(JSON.stringify(json));
      const isForm = request.headers["content-type"]?.includes("form") === true;
      const body = isForm ? Object.fromEntries(new URLSearchParams(text)) : parseJson(text);
      if (path === "/session" && method === "POST") {
        if (textAt(body, "username") !== "alice" || textAt(body, "password") !== "wonderland") return say(401);
        if (notes.page?.(request) === false) return say(403);
        return say(200, { username: "alice" }, { "set-cookie": "sid=session-of-alice; HttpOnly; SameSite=Strict" });
      }
      if (path === "/summary" || (notes.router !== undefined && path.toLowerCase() === "/summary")) {
        const known = callerOf(request);
        const isGuarded = path === "/summary" || notes.router === "any case, guarded";
        return isGuarded && (known === "bad" || known === undefined) ? say(401) : say(200, { state: "all is well" });
      }
      if (!/^\/(?:me|notes|keys|previews)(?:\/|$)/.test(path)) return say(404);
      if (notes.refuses?.(request) === true) return say(400);
      const who = callerOf(request);
      const isPreview = path === "/previews" && method === "POST";
      if (isPreview && notes.preview === "reads first" && textAt(body, "url") === undefined) return say(400);
      const isOpen = isPreview && notes.preview?.startsWith("open") === true;
      if (who === "bad" || (who === undefined && !isOpen)) return say(401);
      if (isPreview) {
        if (textAt(body, "url") === undefined || notes.preview?.endsWith("refuses the host") === true) return say(400);
        return say(200, { reachable: false, heading: "" });
      }
      if (who === undefined) return say(401);
      if (who.cookie && method !== "GET" && notes.page?.(request) === false) return say(403);
      const may = who.scopes.includes("*") || who.scopes.includes(method === "GET" ? "notes:read" : "notes:write");
      if (path === "/me") return say(200, { id: who.name });
      if (path.startsWith("/keys")) return say(...keyAnswer(method, path, who.name, body));
      if (!may && notes.scopes === undefined) return say(403);
      if (path === "/notes" && method === "GET")
        return say(200, { items: [...rows.values()].filter(({ owner }) => owner === who.name) });
      if (path === "/notes" && method === "POST") {
        const row = { id: randomUUID(), owner: who.name, text: textAt(body, "text") ?? "" };
        if (may || notes.scopes === "forgotten") rows.set(row.id, row);
        return say(201, row);
      }
      const row = rows.get(path.slice("/notes/".length));
      if (row?.owner !== who.name) return say(404);
      if (method === "DELETE") rows.delete(row.id);
      if (method === "PATCH" && (may || notes.scopes === "forgotten")) row.text = textAt(body, "text") ?? row.text;
      return say(200, method === "PATCH" ? { ...row, text: textAt(body, "text") } : row);
    });
  });

  function keyAnswer(method: string, path: string, owner: string, body: unknown): [number, unknown?] {
    if (method === "GET")
      return [200, { items: [...keys.values()].filter((row) => row.owner === owner).map(({ id }) => ({ id })) }];
    if (method === "POST") {
      const key = `nk_live_${randomUUID().replaceAll("-", "")}`;
      const row = { id: randomUUID(), owner, scopes: textsAt(body, "scopes") };
      keys.set(key, row);
      return [201, { ...row, key }];
    }
    for (const [key, row] of keys) if (path === `/keys/${row.id}`) keys.delete(key);
    return [200, {}];
  }

  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

const text = { type: "string", maxLength: 80 };
const object = (properties: JsonRecord, required: readonly string[]) => ({ type: "object", properties, required });
const takes = (schema: JsonRecord) => ({ requestBody: { content: { "application/json": { schema } } } });
const gives = (schema: JsonRecord, status = 200) => ({
  responses: { [status]: { description: "Done", content: { "application/json": { schema } } } },
});
const id = [{ name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } }];
const note = object({ id: text, owner: text, text }, ["id"]);
const scopes = { type: "array", items: { type: "string", enum: ["notes:read", "notes:write"] } };

const description: JsonRecord = {
  openapi: "3.1.0",
  info: { title: "notes", version: "1" },
  security: [{ token: [] }, { key: [] }, { session: [] }],
  components: {
    securitySchemes: {
      token: { type: "http", scheme: "bearer" },
      key: { type: "apiKey", in: "header", name: "X-Api-Key" },
      session: { type: "apiKey", in: "cookie", name: "sid" },
    },
  },
  paths: {
    "/session": {
      post: {
        security: [],
        ...takes(object({ username: text, password: text }, ["username", "password"])),
        ...gives({}),
      },
    },
    "/me": { get: gives(object({ id: text }, ["id"])) },
    "/summary": { get: gives(object({ state: text }, ["state"])) },
    "/notes": {
      get: gives(object({ items: { type: "array", items: note } }, ["items"])),
      post: { ...takes(object({ text }, ["text"])), ...gives(note, 201) },
    },
    "/notes/{id}": {
      parameters: id,
      get: gives(note),
      patch: { ...takes(object({ text }, ["text"])), ...gives(note) },
      delete: gives({}),
    },
    "/keys": {
      get: gives(object({ items: { type: "array", items: object({ id: text }, ["id"]) } }, ["items"])),
      post: {
        ...takes(object({ name: text, scopes }, ["name", "scopes"])),
        ...gives(object({ id: text, key: text }, ["id", "key"]), 201),
      },
    },
    "/keys/{id}": { parameters: id, delete: gives({}) },
    "/previews": {
      post: {
        ...takes(object({ url: { type: "string", format: "uri" } }, ["url"])),
        ...gives(object({ reachable: { type: "boolean" }, heading: text }, ["reachable"])),
      },
    },
  },
};
