import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { recordAt } from "../src/json.ts";
import { readTarget } from "../src/manifest.ts";
import { type ScanOptions, type ScanResult, scan } from "../src/scan.ts";
import { changesByReading } from "../src/suspicious.ts";
import { type Shop, type ShopOptions, shopDescription, startShop } from "./shop.ts";

const folder = mkdtempSync(join(tmpdir(), "inputs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function shop(options: ShopOptions = {}): Promise<Shop> {
  const started = await startShop(options);
  closing.push(() => started.close());
  return started;
}

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

/** Scans as alice and bob, who sign in. */
async function scanShop(url: string, more: Partial<ScanOptions>): Promise<ScanResult> {
  const login = (username: string, password: string) => ({
    name: username,
    loginEndpointAuth: {
      endpoint: "/login",
      verb: "POST",
      contentType: "application/json",
      payloadUserPwd: { username, password, usernameField: "username", passwordField: "password" },
    },
  });
  const auth = file("auth.json", { auth: [login("alice", "wonderland-1"), login("bob", "builder-22")] });
  return await scan({ url, identities: [], auth, only: ["object-access"], seed: 5, ...more });
}

/** The operations on which a check found something, in short. */
function broken(result: ScanResult): string[] {
  return result.verdicts
    .filter(({ verdict }) => verdict === "broken")
    .map(({ check, operation }) => `${check} ${operation}`);
}

const foreignRead = ["foreign-read GET /orders/:id"];

describe("a description", () => {
  it.each(["/openapi.json", "/docs/spec.json"])("is read from its address on the target (%s)", async (path) => {
    const { url } = await shop({
      open: true,
      documents: { [path]: ["application/json", JSON.stringify(shopDescription)] },
    });
    expect(broken(await scanShop(url, { openapi: `${url}${path}` }))).toEqual(expect.arrayContaining(foreignRead));
  });

  it("is followed into files beside it, and into no other host", async () => {
    const item = { get: { responses: { 200: { description: "It" } } } };
    file("many/parts/item.yaml", `get:\n  responses:\n    "200": { description: It }\n`);
    const path = file("many/api.json", {
      openapi: "3.1.0",
      info: { title: "many", version: "1" },
      paths: { "/a": { $ref: "parts/item.yaml" }, "/b": { $ref: "https://elsewhere.example/b.json" }, "/c": item },
    });
    const target = await readTarget(path, "openapi");
    expect(target.operations.map(({ id }) => id)).toEqual(["GET /a", "GET /c"]);
    expect(target.assumptions.join(" ")).toMatch(
      /elsewhere\.example\/b\.json was left out: the scan contacts nobody else/,
    );
  });

  it("of Swagger 2.0 says the same as one of OpenAPI 3", async () => {
    const target = await readTarget(
      {
        swagger: "2.0",
        info: { title: "old", version: "1" },
        host: "old.example.com",
        basePath: "/api",
        consumes: ["application/json"],
        produces: ["application/json"],
        securityDefinitions: { key: { type: "apiKey", in: "header", name: "X-Key" }, basic: { type: "basic" } },
        security: [{ key: [] }],
        definitions: { Pet: { type: "object", required: ["name"], properties: { name: { type: "string" } } } },
        paths: {
          "/pets": {
            get: {
              parameters: [{ name: "limit", in: "query", type: "integer", maximum: 50 }],
              responses: { 200: { description: "a", schema: { type: "array", items: { $ref: "#/definitions/Pet" } } } },
            },
            post: {
              parameters: [{ name: "pet", in: "body", required: true, schema: { $ref: "#/definitions/Pet" } }],
              responses: { 201: { description: "b" } },
            },
          },
          "/login": {
            post: {
              security: [],
              consumes: ["application/x-www-form-urlencoded"],
              parameters: [{ name: "user", in: "formData", type: "string", required: true }],
              responses: {},
            },
          },
        },
      },
      "openapi",
    );
    expect(target.operations).toMatchObject([
      {
        id: "GET /api/pets",
        parameters: [{ name: "limit", schema: { type: "integer", maximum: 50 } }],
        access: { kind: "caller" },
      },
      { id: "POST /api/pets", body: { required: true, mediaType: "application/json", schema: { required: ["name"] } } },
      {
        id: "POST /api/login",
        body: { mediaType: "application/x-www-form-urlencoded", schema: { required: ["user"] } },
        access: { kind: "public" },
      },
    ]);
    expect(target.operations[0]?.responses.get(200)).toMatchObject({
      items: { properties: { name: { type: "string" } } },
    });
    expect(target.schemes).toMatchObject([
      { field: "x-key", prefix: "" },
      { field: "authorization", prefix: "Basic" },
    ]);
  });

  it.each([
    ["page.json", "<!doctype html><html></html>", /is a page, not a description/],
    ["broken.json", '{ "openapi": ', /is neither JSON nor YAML/],
    ["list.yaml", "- a\n- b\n", /is not a JSON or YAML object/],
    [
      "aliases.yaml",
      `a: &a [x]\n${Array.from({ length: 300 }, (_one, at) => `b${at}: *a`).join("\n")}\n`,
      /is neither JSON nor YAML/,
    ],
    ["dangling.json", { openapi: "3.0.0", info: {}, paths: { "/a": { $ref: "#/nowhere" } } }, /could not be resolved/],
    [
      "missing.json",
      { openapi: "3.0.0", info: {}, paths: { "/a": { $ref: "no-such.json" } } },
      /could not be resolved/,
    ],
    ["empty.json", { openapi: "3.0.0", info: {}, paths: { "/a": null, b: 3 } }, /describes no operation/],
  ])("that is wrong says so in one sentence (%s)", async (name, content, message) => {
    const failed = readTarget(file(name, content), "openapi");
    await expect(failed).rejects.toThrow(message);
    await failed.catch((error: unknown) => expect(String(error)).not.toContain("\n"));
  });

  it("is not read from an address nobody agreed to, nor from one that answers nonsense", async () => {
    const { url } = await shop({ documents: { "/loop": ["text/plain", "no"] } });
    const from = (openapi: string) => scan({ url, openapi, identities: [] });
    await expect(from("https://api.example.com/openapi.json")).rejects.toThrow(/on another host/);
    await expect(from(`${url}/nothing`)).rejects.toThrow(/could not be read: answered 404/);
    await expect(from(`${url}/loop`)).rejects.toThrow(/is not a JSON or YAML object/);
  });
});

describe("recorded requests", () => {
  const list = `# what our client sends
POST /customers {"name":"ACME"}
GET /customers/1a0c1a58-4ed8-4f5b-9a57-5a4a4d8c9b01
DELETE /customers/1a0c1a58-4ed8-4f5b-9a57-5a4a4d8c9b01
GET /orders
POST /orders {"customerId":"1a0c1a58-4ed8-4f5b-9a57-5a4a4d8c9b01","status":"paid","note":"soon"}
GET /orders/{orderId}
DELETE /orders/{orderId}
GET /me
`;

  it("of a plain list stand in for a description", async () => {
    const { url } = await shop({ open: true });
    const result = await scanShop(url, { requests: file("requests.txt", list) });
    expect(broken(result)).toEqual(expect.arrayContaining(["foreign-read GET /orders/:orderId"]));
    expect(result.leftovers).toEqual([]);
    expect(result.assumptions.join(" ")).toMatch(/they refuse strangers, so they are taken to need a caller/);
  });

  it("find nothing where nothing is wrong", async () => {
    const { url } = await shop();
    expect(
      broken(await scanShop(url, { requests: file("requests.txt", list), only: ["object-access", "authentication"] })),
    ).toEqual([]);
  });

  it("are no inventory: a method that was not recorded is not called undeclared", async () => {
    const { url } = await shop();
    const only = list.split("\n").filter((line) => !line.startsWith("DELETE"));
    const result = await scanShop(url, { requests: file("requests.txt", only.join("\n")), only: ["versioning"] });
    expect(broken(result)).toEqual([]);
    const versioning = result.protections.find(({ protection }) => protection === "versioning");
    expect(versioning?.untried.join(" ")).toMatch(/methods and versions nobody declared/i);
  });

  it("say neither that a member is required nor that who signs up should be known", async () => {
    const { url } = await shop({ registration: true });
    const signs = `POST /register {"username":"ann","password":"long-enough-1"}
POST /login {"username":"ann","password":"long-enough-1"}
`;
    const { verdicts } = await scanShop(url, {
      requests: file("requests.txt", `${list}${signs}`),
      only: ["authentication", "input"],
    });
    const found = verdicts.filter(({ verdict, check, protection }) => {
      return verdict === "broken" && (protection === "authentication" || check === "missing");
    });
    expect(found).toEqual([]);
    expect(verdicts.find(({ operation }) => operation === "POST /register")?.why).toMatch(/who signs up or in/i);
  });

  it("of a HAR are those to the API, without credentials of whoever recorded them", async () => {
    const entry = (method: string, url: string, body?: unknown, answer?: unknown, type = "application/json") => ({
      request: {
        method,
        url,
        headers: [{ name: "Authorization", value: "Bearer recorded-secret" }],
        ...(body === undefined ? {} : { postData: { mimeType: "application/json", text: JSON.stringify(body) } }),
      },
      response: { status: 200, content: { mimeType: type, text: JSON.stringify(answer) } },
    });
    const api = "https://shop.example.com";
    const har = {
      log: {
        entries: [
          entry("GET", `${api}/`, undefined, undefined, "text/html"),
          entry("GET", "https://tracker.example/pixel", undefined, {}),
          entry("POST", `${api}/customers`, { name: "ACME" }, { id: "acme-inc" }),
          entry("GET", `${api}/customers/acme-inc`, undefined, { id: "acme-inc" }),
          entry("POST", `${api}/orders`, { customerId: "acme-inc", status: "new" }, { id: "o-1" }),
          entry("GET", `${api}/orders/o-1?expand=customer`, undefined, { id: "o-1" }),
          entry("OPTIONS", `${api}/orders`),
        ],
      },
    };
    const { url, log } = await shop({ open: true });
    const result = await scanShop(url, { requests: file("recorded.har", har) });
    expect(result.ledger.map(({ operation }) => operation)).toEqual(expect.arrayContaining(["GET /orders/:orderId"]));
    expect(broken(result)).toEqual(expect.arrayContaining(["foreign-read GET /orders/:orderId"]));
    expect(result.assumptions.join(" ")).toMatch(/requests to shop\.example\.com; they are sent to 127\.0\.0\.1/);
    expect(result.assumptions.join(" ")).toMatch(/Recorded requests to tracker\.example were left out/);
    expect(JSON.stringify(result)).not.toContain("recorded-secret");
    expect(log.some((line) => line.includes("acme-inc"))).toBe(false);
  });

  it.each([
    ["bad.txt", "GET /a\nfetch it\n", /line 2 of .*bad\.txt is no request: write METHOD \/path/],
    ["body.txt", "POST /a {broken\n", /line 1 .*not JSON/],
    ["other.json", { hello: 1 }, /no HAR with log\.entries/],
    ["empty.txt", "# nothing\n", /shows no request/],
  ])("that are none say so (%s)", async (name, content, message) => {
    const { url } = await shop();
    await expect(scan({ url, identities: [], requests: file(name, content) })).rejects.toThrow(message);
  });
});

describe("a target nobody described", () => {
  it.each([
    ["at a well-known place", { "/v3/api-docs": ["application/json", JSON.stringify(shopDescription)] }],
    [
      "named by an API catalogue",
      {
        "/.well-known/api-catalog": [
          "application/linkset+json",
          JSON.stringify({ linkset: [{ "service-desc": [{ href: "/hidden/spec" }] }] }),
        ],
        "/hidden/spec": ["application/json", JSON.stringify(shopDescription)],
      },
    ],
    [
      "named by its documentation page",
      {
        "/docs": ["text/html", `<script>SwaggerUIBundle({ url: "/internal/shop.json", dom_id: "#ui" })</script>`],
        "/internal/shop.json": ["application/json", JSON.stringify(shopDescription)],
      },
    ],
  ] satisfies [string, ShopOptions["documents"]][])("is scanned by the description %s", async (_where, documents) => {
    const { url } = await shop({ open: true, documents });
    const result = await scanShop(url, {});
    expect(broken(result)).toEqual(expect.arrayContaining(foreignRead));
    expect(result.assumptions[0]).toMatch(/^What it offers was read from http/);
  });

  it("is found by what its answers link to and allow", async () => {
    const { url } = await shop({ links: true });
    const result = await scanShop(url, { only: ["authentication"] });
    expect(result.target.source).toBe("discovered");
    expect(new Set(result.ledger.map(({ operation }) => operation))).toEqual(
      new Set(["GET /", "GET /orders", "POST /orders", "GET /customers", "POST /customers"]),
    );
    expect(broken(result)).toEqual([]);
  });

  it("is found by its documentation page below a path, whatever else that page and its answers name", async () => {
    const spec = ["application/json", JSON.stringify({ ...shopDescription, servers: [{ url: "/" }] })] as const;
    const slow = `<a href${" ".repeat(400_000)}>`;
    const bad = `<script>a({ url: "http://[no" }); b({ url: "https://{{host}}:port/x" }); c({ url: "shop.json" })</script>`;
    const documents: Record<string, readonly [string, string]> = {
      "/shop/": ["text/html", `${slow}<a href="//">`],
      "/shop/docs": ["text/html", bad],
      "/shop/shop.json": spec,
    };
    const { url } = await shop({ open: true, documents });
    const result = await scanShop(`${url}/shop`, { only: ["output"] });
    expect(result.assumptions[0]).toBe(`What it offers was read from ${url}/shop/shop.json.`);
  });

  it("is looked at although its links lead to no address and there are more than anybody follows", async () => {
    const page = `<a href="http://[no">${" <a href='//'>".repeat(10)}${"<a href='/x?y'>".repeat(200_000)}<a href${" ".repeat(400_000)}>`;
    const { url } = await shop({ open: true, documents: { "/": ["text/html", page], "//": ["text/html", page] } });
    await expect(scan({ url, identities: [] })).rejects.toThrow(/says what the API offers/);
  });

  it("that shows nothing says what to pass", async () => {
    const server = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(() => new Promise((resolve) => server.close(() => resolve())));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    await expect(scan({ url, identities: [] })).rejects.toThrow(
      /says what the API offers: pass --manifest .* --openapi or --requests/,
    );
  });
});

describe("a read that changes things by its name", () => {
  it.each([
    ["/reset", true],
    ["/admin/delete-user/{id}", true],
    ["/deleteAll", true],
    ["/createdb", true],
    ["/auth/logout", true],
    ["/deleted-items", false],
    ["/v1/reports", false],
    ["/senders", false],
  ])("is told by its words: %s %s", (path, changes) => {
    expect(changesByReading(path)).toBe(changes);
  });

  it("is not fetched, keeps its place in the ledger, and is tried with --allow-unsafe", async () => {
    const paths = { ...recordAt(shopDescription, "paths"), "/reset": { get: { responses: {} } } };
    const openapi = { ...shopDescription, paths };
    const { url, log } = await shop();
    const result = await scanShop(url, { openapi, only: ["authentication"] });
    expect(log.filter((line) => line.includes("/reset"))).toEqual([]);
    expect(result.ledger).toContainEqual({
      operation: "GET /reset",
      protection: "authentication",
      verdict: "not-applicable",
      why: expect.stringMatching(/^Not fetched: .*--allow-unsafe/),
    });
    await scanShop(url, { openapi, only: ["authentication"], allowUnsafe: true });
    expect(log.filter((line) => line.includes("/reset")).length).toBeGreaterThan(0);
  });
});

describe("what the scan may cost", () => {
  it("is no more requests in a second than --rate says", async () => {
    const { url, times } = await shop();
    await scanShop(url, { openapi: shopDescription, only: ["security-headers"], rate: 20 });
    const inAnySecond = times.map((from) => times.filter((at) => at >= from && at < from + 1000).length);
    expect(times.length).toBeGreaterThan(25);
    expect(Math.max(...inAnySecond)).toBeLessThanOrEqual(20);
  });

  it("is no more requests than --budget says; what is left is inconclusive", async () => {
    const { url } = await shop();
    const result = await scanShop(url, { openapi: shopDescription, only: ["injection", "input"], budget: 60 });
    expect(result.requests).toBeLessThanOrEqual(60);
    expect(result.leftovers).toEqual([]);
    expect(result.verdicts.some(({ why }) => /budget of 60 requests is used up \(--budget/.test(why))).toBe(true);
  });
});
