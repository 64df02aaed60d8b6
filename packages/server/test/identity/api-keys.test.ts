import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import type { Storage } from "@portcullis/server/storage";
import type { KeyEvent } from "@portcullis/server/identity";
import { freePorts } from "../../soak/instances.ts";
import { bob, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

const scopes = ["notes:read", "notes:write", "keys:read", "keys:write"];
const client = {
  id: "web",
  name: "Web Notes",
  redirectUris: ["https://web.example.com/callback"],
  secret: "web-secret-that-is-only-for-tests-0123456789",
  scopes,
  isFirstParty: true,
};

describe.each([
  ["the embedded store", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("api-keys: made by their owners, on %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  const events: KeyEvent[] = [];
  let alices = "";
  let readers = "";
  let bobs = "";

  beforeAll(async () => {
    stores = await start();
    storage = await stores.open();
    const [port = 0] = await freePorts(1);
    server = await startOAuthServer(storage, {
      port,
      clients: [client],
      keys: { prefix: "prj", rates: ["3/h"], most: 4 },
      onEvent: (event) => void ("key" in event && events.push(event)),
      resources: { [`http://localhost:${port}/api`]: scopes },
    });
    alices = (await server.tokens("web", { scope: "openid notes:read keys:read keys:write" })).access;
    readers = (await server.tokens("web", { scope: "openid notes:read keys:read" })).access;
    const browser = server.browser();
    const done = await server.authorize(browser, { scope: "openid notes:read keys:read keys:write" }, bob);
    const answer = await server.token({
      grant_type: "authorization_code",
      code: done.params.get("code") ?? "",
      code_verifier: done.verifier,
      redirect_uri: done.redirectUri,
      client_id: client.id,
      client_secret: client.secret,
    });
    bobs = String(answer.body["access_token"]);
  });
  afterAll(async () => {
    await server.close();
    await stores.stop();
  });

  it("are shown once, listed without the key, and call with their owner's name and their own scopes", async () => {
    const made = await make(alices, { name: "ci", scopes: ["notes:read"] });
    expect(made.status).toBe(201);
    const { key, id, prefix } = made.body;
    expect(String(key)).toMatch(/^prj_live_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
    expect(await ask("GET", "/me", String(key))).toMatchObject({
      status: 200,
      body: { subject: server.alice, scopes: ["notes:read"] },
    });
    // Its use is noted beside the answer.
    const body = await vi.waitFor(async () => {
      const listed = (await ask("GET", "/keys", alices)).body;
      expect(listed["items"]).toEqual([
        expect.objectContaining({ id, prefix, name: "ci", scopes: ["notes:read"], lastUsedAt: expect.any(String) }),
      ]);
      return listed;
    });
    expect(JSON.stringify(body)).not.toContain(String(key));
    const tables = JSON.stringify(await storage.db.selectFrom("api_key").selectAll().execute());
    expect(tables).not.toContain(String(key).slice(-40));
    await ask("DELETE", `/keys/${String(id)}`, alices);
  });

  it("may do no more than whoever makes them", async () => {
    expect((await make(alices, { name: "x", scopes: ["notes:write"] })).status).toBe(403);
    expect((await make(alices, { name: "x", scopes: ["notes:read", "admin"] })).status).toBe(403);
    expect((await make(readers, { name: "x", scopes: ["notes:read"] })).status).toBe(403);
    expect((await make("", { name: "x", scopes: ["notes:read"] })).status).toBe(401);
  });

  it("belong to whoever calls, whatever the body says", async () => {
    for (const field of ["owner", "subject", "accountId", "tenant"]) {
      const victim = await server.identity.accounts.findByEmail(bob.email);
      const answer = await make(alices, { name: "x", scopes: ["notes:read"], [field]: victim?.id });
      expect(answer.status).toBe(400);
    }
  });

  it("make, rotate and revoke no keys themselves", async () => {
    const made = await make(alices, { name: "x", scopes: ["keys:read", "keys:write"] });
    const key = String(made.body["key"]);
    expect((await ask("GET", "/keys", key)).status).toBe(200);
    expect((await make(key, { name: "y", scopes: ["keys:read"] })).status).toBe(403);
    expect((await ask("POST", `/keys/${String(made.body["id"])}/rotate`, key, {})).status).toBe(403);
    expect((await ask("DELETE", `/keys/${String(made.body["id"])}`, key)).status).toBe(403);
    await ask("DELETE", `/keys/${String(made.body["id"])}`, alices);
    expect((await ask("GET", "/keys", key)).status).toBe(401);
  });

  it("of others look missing", async () => {
    const made = await make(alices, { name: "x", scopes: ["notes:read"] });
    const path = `/keys/${String(made.body["id"])}`;
    const missing = await ask("DELETE", "/keys/AAAAAAAAAAAAAAAA", bobs);
    for (const [method, target] of [
      ["DELETE", path],
      ["POST", `${path}/rotate`],
    ] as const) {
      const answer = await ask(method, target, bobs, method === "POST" ? {} : undefined);
      expect([answer.status, answer.body["code"]]).toEqual([404, missing.body["code"]]);
    }
    expect((await ask("GET", "/me", String(made.body["key"]))).status).toBe(200);
    expect((await ask("GET", "/keys", bobs)).body["items"]).toEqual([]);
    await ask("DELETE", path, alices);
  });

  it("rotate with an overlap, once; the old one ends with it", async () => {
    const made = await make(alices, { name: "x", scopes: ["notes:read"], rate: "3/h" });
    const rotate = () => ask("POST", `/keys/${String(made.body["id"])}/rotate`, alices, { overlapSeconds: 600 });
    const all = await Promise.all([rotate(), rotate(), rotate()]);
    expect(all.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
    const next = all.find(({ status }) => status === 201)?.body ?? {};
    expect(next).toMatchObject({ scopes: ["notes:read"], rate: "3/h", name: "x" });
    const [old, heir] = [String(made.body["key"]), String(next["key"])];
    expect([(await ask("GET", "/me", old)).status, (await ask("GET", "/me", heir)).status]).toEqual([200, 200]);
    expect((await server.identity.keys().list(server.alice)).map(({ replacedBy }) => replacedBy)).toContain(next["id"]);
    await revokeAll();
    expect([(await ask("GET", "/me", old)).status, (await ask("GET", "/me", heir)).status]).toEqual([401, 401]);
  });

  it("have limits of their own", async () => {
    const slow = String((await make(alices, { name: "x", scopes: ["notes:read"], rate: "3/h" })).body["key"]);
    const free = String((await make(alices, { name: "y", scopes: ["notes:read"] })).body["key"]);
    expect((await make(alices, { name: "z", scopes: ["notes:read"], rate: "9/s" })).status).toBe(400);
    const said = [];
    for (let n = 0; n < 5; n++) said.push((await ask("GET", "/me", slow)).status);
    expect(said).toEqual([200, 200, 200, 429, 429]);
    for (let n = 0; n < 5; n++) expect((await ask("GET", "/me", free)).status).toBe(200);
    await revokeAll();
  });

  it("are bounded in number, also when many are made at once", async () => {
    const made = await Promise.all(
      Array.from({ length: 8 }, () =>
        server.identity.keys().create({ owner: server.alice, name: "x", scopes: ["notes:read"] }),
      ),
    );
    expect(made.filter((one) => one !== undefined)).toHaveLength(4);
    expect((await make(alices, { name: "x", scopes: ["notes:read"] })).status).toBe(409);
    await revokeAll();
  });

  it("end with the account, and work again with it", async () => {
    const account = await server.identity.accounts.findByEmail(bob.email);
    const key = String((await make(bobs, { name: "x", scopes: ["notes:read"] })).body["key"]);
    expect((await ask("GET", "/me", key)).status).toBe(200);
    await server.identity.accounts.disable(account?.id ?? "");
    expect((await ask("GET", "/me", key)).status).toBe(401);
    await server.identity.accounts.enable(account?.id ?? "");
    expect((await ask("GET", "/me", key)).status).toBe(200);
    await server.identity.accounts.remove(account?.id ?? "");
    expect((await ask("GET", "/me", key)).status).toBe(401);
    await server.identity.accounts.signUp(bob.email, bob.password);
  });

  it("expire, and are told of", async () => {
    const made = await server.identity.keys().create({
      owner: server.alice,
      name: "x",
      scopes: ["notes:read"],
      expiresAt: Date.now() + 400,
    });
    expect((await ask("GET", "/me", made?.key ?? "")).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 450));
    expect((await ask("GET", "/me", made?.key ?? "")).status).toBe(401);
    expect(await server.identity.keys().list(server.alice)).toEqual([]);
    const before = events.length;
    const { body } = await make(alices, { name: "told", scopes: ["notes:read"] });
    await ask("DELETE", `/keys/${String(body["id"])}`, alices);
    await vi.waitFor(() =>
      expect(
        server
          .events()
          .filter((event) => event.type.startsWith("key-"))
          .at(-1),
      ).toMatchObject({
        type: "key-revoked",
        protection: "api-keys",
        reason: `key ${String(body["id"])}`,
      }),
    );
    expect(events.slice(before)).toEqual([
      { type: "key-created", subject: server.alice, key: body["id"], request: expect.anything() },
      { type: "key-revoked", subject: server.alice, key: body["id"], request: expect.anything() },
    ]);
  });

  it("are a scope of some resource, or the server does not start", async () => {
    await expect(startOAuthServer(storage, { clients: [], keys: { prefix: "No Prefix", most: 0 } })).rejects.toThrow(
      /prefix[\s\S]*most[\s\S]*keys:read/,
    );
  });

  const make = (as: string, body: Readonly<Record<string, unknown>>) => ask("POST", "/keys", as, body);

  async function ask(method: string, path: string, as: string, json?: unknown) {
    if (method !== "GET") server.forgiveLimits();
    const response = await fetch(`${server.issuer}${path}`, {
      method,
      headers: {
        ...(as === "" ? {} : { authorization: `Bearer ${as}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    const body: unknown = text === "" ? {} : JSON.parse(text);
    return { status: response.status, body: Object.fromEntries(Object.entries(body ?? {})) };
  }

  async function revokeAll(): Promise<void> {
    for (const { id } of await server.identity.keys().list(server.alice)) {
      await server.identity.keys().revoke(id, server.alice);
    }
  }
});
