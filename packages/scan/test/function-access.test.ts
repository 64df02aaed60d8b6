import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type JsonRecord, parseJson, textAt } from "../src/json.ts";
import { identityOf, scan } from "../src/scan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe("function-access without a manifest", () => {
  it("holds for an administrators' corner that refuses everybody else", async () => {
    const found = await scanCorner({});
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(expect.arrayContaining(["lower-role", "claimed-role"]));
  });

  it("finds that everybody reads at an administrators' path the records an administrator reads", async () => {
    const found = await scanCorner({ list: () => true });
    expect(found.broken).toEqual(["lower-role GET /admin/users"]);
    expect(found.why("lower-role")).toContain("its path says is for administrators");
  });

  it("calls nothing broken where what everybody reads there is nobody's", async () => {
    const found = await scanCorner({ list: () => true, shown: { notice: "The service is down on Sunday." } });
    expect(found.broken).toEqual([]);
  });

  it("finds a function of a role that its description names in words", async () => {
    const found = await scanCorner({ path: "/users", words: "Lists all accounts. Role admin only.", list: () => true });
    expect(found.broken).toContain("lower-role GET /users");
  });

  it("calls nothing broken where somebody without the role gets an empty list", async () => {
    const found = await scanCorner({ path: "/users", words: "Administrators only.", list: () => true, empty: true });
    expect(found.broken).toEqual([]);
    expect(found.held).toContain("lower-role");
  });

  it.each([
    ["a header", ({ headers }: Asked) => headers["x-role"] === "admin", "x-role: admin"],
    ["a header of truth", ({ headers }: Asked) => headers["x-is-admin"] === "true", "x-is-admin: true"],
    ["the query", ({ url }: Asked) => url.searchParams.get("admin") === "true", "?admin=true"],
    ["a cookie", ({ headers }: Asked) => /\brole=admin\b/.test(headers["cookie"] ?? ""), "the cookie role=admin"],
  ])("finds that a role claimed in %s is believed", async (_name, list, what) => {
    const found = await scanCorner({ list });
    expect(found.broken).toEqual(["claimed-role GET /admin/users"]);
    expect(found.why("claimed-role")).toContain(what);
  });

  it("does not take a claim that is refused in a way of its own for one that is believed", async () => {
    const found = await scanCorner({ odd: ({ headers }) => headers["x-role"] !== undefined });
    expect(found.broken).toEqual([]);
  });

  it("finds a write of administrators that asks only whether its object is there", async () => {
    const found = await scanCorner({ write: () => true });
    expect(found.broken).toEqual(["lower-role POST /admin/users/:id/disable"]);
  });

  it("says nothing of a write whose role may be asked for after its object was looked for", async () => {
    const found = await scanCorner({ write: () => true, refusal: 404 });
    expect(found.broken).toEqual([]);
  });
});

describe("scopes that a description names in words", () => {
  it("finds a read and a write that ask for no scope", async () => {
    const found = await scanCorner({ path: "/users", scopes: "forgotten" });
    expect(found.broken).toEqual(["missing-scope GET /items", "missing-scope PATCH /items/:id"]);
  });

  it("holds where they do", async () => {
    const found = await scanCorner({ path: "/users", scopes: "asked" });
    expect(found.broken).toEqual([]);
    expect(found.held.filter((check) => check === "missing-scope")).toHaveLength(2);
  });

  it("tries nothing where tokens name no scopes, since they may be kept elsewhere", async () => {
    const found = await scanCorner({ path: "/users", scopes: "kept elsewhere" });
    expect(found.broken).toEqual([]);
    expect(found.held).not.toContain("missing-scope");
  });
});

interface Asked {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly url: URL;
}

/** What this API does that it should not, or otherwise than others. */
interface Corner {
  readonly path?: string;
  /** Description of the list. */
  readonly words?: string;
  /** Who else may read the list. */
  readonly list?: (asked: Asked) => boolean;
  readonly shown?: JsonRecord;
  /** Callers without the role get an empty list. */
  readonly empty?: true;
  /** Who else may write. */
  readonly write?: (asked: Asked) => boolean;
  /** Requests that are answered 400. */
  readonly odd?: (asked: Asked) => boolean;
  /** What callers without the role are told; default 403. */
  readonly refusal?: number;
  readonly scopes?: "asked" | "forgotten" | "kept elsewhere";
}

const secret = "a secret that is long enough for a test of scopes";
const people = ["alice", "bob", "admin"];

async function scanCorner(corner: Corner) {
  const url = await serve(corner);
  const { verdicts } = await scan({
    url,
    openapi: descriptionOf(corner),
    only: ["function-access"],
    identities: people.map((name) =>
      identityOf(name, `Bearer ${tokenOf(name, corner)}`, name === "admin" ? ["admin"] : []),
    ),
    jwtKey: secret,
    seed: 5,
  });
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind);
  return {
    broken: [...new Set(named("broken").map(({ check, operation }) => `${check} ${operation}`))],
    held: named("held").map(({ check }) => check),
    why: (name: string) => verdicts.find(({ check }) => check === name)?.why,
  };
}

function tokenOf(name: string, { scopes }: Corner): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    sub: name,
    exp: 4_000_000_000,
    ...(scopes === "kept elsewhere" ? {} : { scope: "items:read items:write" }),
  };
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

function callerOf(authorization: string | undefined): { name: string; scopes: string } | undefined {
  const [head = "", body = "", signature = ""] = authorization?.replace("Bearer ", "").split(".") ?? [];
  if (createHmac("sha256", secret).update(`${head}.${body}`).digest("base64url") !== signature) return undefined;
  const claims: { sub: string; scope?: string } = JSON.parse(Buffer.from(body, "base64url").toString());
  return { name: claims.sub, scopes: claims.scope ?? "" };
}

async function serve(corner: Corner): Promise<string> {
  const { path = "/admin/users", list = () => false, write = () => false, odd = () => false } = corner;
  const items = new Map<string, { id: string; owner: string; name: string }>();
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      const url = new URL(request.url ?? "", "http://localhost");
      const headers: Record<string, string | undefined> = {};
      for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
      const say = (status: number, json: unknown = { title: "No", status }) => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
      };
      const asked = { headers, url };
      const who = callerOf(headers["authorization"]);
      if (who === undefined) return say(401);
      if (odd(asked)) return say(400);
      const lacks = (scope: string) => corner.scopes === "asked" && !who.scopes.includes(scope);
      if (url.pathname === "/me") return say(200, { id: who.name });
      if (url.pathname === path) {
        if (who.name !== "admin" && !list(asked)) return say(corner.refusal ?? 403);
        if (corner.empty && who.name !== "admin") return say(200, { items: [] });
        return say(200, corner.shown ?? { items: people.map((id) => ({ id, email: `${id}@example.com` })) });
      }
      if (/^\/admin\/users\/[^/]+\/disable$/.test(url.pathname) && request.method === "POST")
        return say(who.name === "admin" || write(asked) ? 404 : 403);
      if (url.pathname === "/items" && request.method === "GET")
        return lacks("items:read")
          ? say(403)
          : say(200, { items: [...items.values()].filter(({ owner }) => owner === who.name) });
      if (url.pathname === "/items" && request.method === "POST") {
        const item = { id: crypto.randomUUID(), owner: who.name, name: String(textAt(parseJson(text), "name")) };
        items.set(item.id, item);
        return say(201, item);
      }
      const item = items.get(url.pathname.replace("/items/", ""));
      if (item?.owner !== who.name) return say(404);
      if (request.method === "DELETE") items.delete(item.id);
      if (request.method === "PATCH" && lacks("items:write")) return say(403);
      if (request.method === "PATCH") item.name = String(textAt(parseJson(text), "name"));
      return say(200, item);
    });
  });
  const listening = server;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

function descriptionOf({ path = "/admin/users", words, scopes }: Corner): JsonRecord {
  const ok = { responses: { 200: { description: "Done" } } };
  const id = { name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } };
  const schema = { type: "object", required: ["name"], properties: { name: { type: "string", maxLength: 80 } } };
  const body = { requestBody: { content: { "application/json": { schema } } } };
  const said = (description: string) => (scopes === undefined ? {} : { description });
  return {
    openapi: "3.1.0",
    info: { title: "corner", version: "1" },
    security: [{ token: [] }],
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        oauth: {
          type: "oauth2",
          flows: { clientCredentials: { tokenUrl: "/token", scopes: { "items:read": "", "items:write": "" } } },
        },
      },
    },
    paths: {
      "/me": { get: ok },
      [path]: { get: { ...ok, ...(words === undefined ? {} : { description: words }) } },
      ...(path.startsWith("/admin") ? { "/admin/users/{id}/disable": { post: { ...ok, parameters: [id] } } } : {}),
      "/items": { get: { ...ok, ...said("Scope items:read.") }, post: { ...ok, ...body } },
      "/items/{id}": {
        parameters: [id],
        get: ok,
        patch: { ...ok, ...body, ...said("Scope items:write.") },
        delete: ok,
      },
    },
  };
}
