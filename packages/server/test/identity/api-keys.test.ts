import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import { embeddedStores, postgresStores, type TestStores } from "../storage/open-stores.ts";
import type { Storage } from "@portcullis/server/storage";
import type { KeyEvent, NewKey } from "@portcullis/server/identity";
import { record } from "../../../portcullis/test/credentials/api-key-store.contract.ts";
import { apiKeyStore } from "../../src/storage/api-keys.ts";
import { grantStore } from "../../src/storage/grants.ts";
import type { Browser } from "./browser.ts";
import { alice, bob, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

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
    const port = await freePort();
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
    }, 10_000);
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

  it("are no more than the bound, however many are asked for at once", async () => {
    const made = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((one) => make(bobs, { name: `many ${one}`, scopes: ["notes:read"] })),
    );
    const statuses = made.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([201, 201, 201, 201, 409, 409, 409, 409]);
    for (const { body } of made) if ("id" in body) await ask("DELETE", `/keys/${String(body["id"])}`, bobs);
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
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 601_000 });
    expect([(await ask("GET", "/me", old)).status, (await ask("GET", "/me", heir)).status]).toEqual([401, 200]);
    vi.useRealTimers();
    await revokeAll();
    expect([(await ask("GET", "/me", old)).status, (await ask("GET", "/me", heir)).status]).toEqual([401, 401]);
  });

  it("rotate in a program as they do through the API: a successor lives as long as the one before, and counts for itself", async () => {
    const keys = server.identity.keys();
    const [owner, name] = [server.alice, "x"];
    const expiresAt = Date.now() + 3_600_000;
    const one = await keys.create({ owner, name, scopes: ["notes:read"], rate: "3/h", expiresAt });
    const use = async (key = "") => (await ask("GET", "/me", key)).status;
    expect([await use(one?.key), await use(one?.key), await use(one?.key)]).toEqual([200, 200, 200]);
    expect(await keys.rotate(one?.id ?? "", "somebody else")).toBeUndefined();
    const two = await keys.rotate(one?.id ?? "", owner, 0);
    expect(two?.expiresAt).toBeGreaterThanOrEqual(expiresAt);
    expect(two).toMatchObject({ owner, name, scopes: ["notes:read"], rate: "3/h", client: undefined });
    expect([
      await use(one?.key),
      await use(two?.key),
      await use(two?.key),
      await use(two?.key),
      await use(two?.key),
    ]).toEqual([401, 200, 200, 200, 429]);
    expect(await keys.rotate(one?.id ?? "", owner)).toBeUndefined();
    await expect(keys.create({ owner, name, scopes: ["admin"] })).rejects.toThrow("no resource has the scope admin");
    for (const rate of ["9/s", "0/h", "-3/h", "NaN/h", "3"])
      await expect(keys.create({ owner, name, scopes: [], rate })).rejects.toThrow(`the rate ${rate} is not offered`);
    await revokeAll();
  });

  it("end with the permission of the application that asked for them or rotated them, and no others do", async () => {
    const keys = server.identity.keys();
    const [owner, name] = [server.alice, "x"];
    const webs = await server.tokens("web", { scope: "openid notes:read keys:read keys:write" });
    const byWeb = await make(webs.access, { name, scopes: ["notes:read"] });
    expect(byWeb.body).toMatchObject({ client: "web" });
    const byAlice = await keys.create({ owner, name, scopes: ["notes:read"] });
    const hers = await keys.create({ owner, name, scopes: ["notes:read"] });
    const taken = await ask("POST", `/keys/${hers?.id}/rotate`, webs.access, { overlapSeconds: 600 });
    const use = async (key: unknown) => (await ask("GET", "/me", String(key))).status;
    const all = [byWeb.body["key"], taken.body["key"], byAlice?.key];
    expect(await Promise.all(all.map(use))).toEqual([200, 200, 200]);
    const before = events.length;
    await server.identity.withdraw(owner, "web");
    expect(await Promise.all(all.map(use))).toEqual([401, 401, 200]);
    expect(
      events
        .slice(before)
        .map(({ type, key, client: by }) => [type, key, by])
        .toSorted(),
    ).toEqual([byWeb.body["id"], taken.body["id"]].map((key) => ["key-revoked", key, "web"]).toSorted());
    alices = (await server.tokens("web", { scope: "openid notes:read keys:read keys:write" })).access;
    readers = (await server.tokens("web", { scope: "openid notes:read keys:read" })).access;
    await revokeAll();
  });

  it("are not made any more with a token that follows from what was withdrawn, though an instance still takes it", async () => {
    const store = apiKeyStore(storage, { revoked() {}, keepMs: 60_000, now: Date.now, generation: () => undefined });
    const grants = grantStore(storage, {
      revoked() {},
      keepMs: 60_000,
      now: Date.now,
      hashOf: (id) => id,
      nameInTokens: (id) => id,
    });
    const about = { subject: server.alice, clientId: "web" };
    const late = { grant: "late" };
    expect(await store.insertWithin(record({ id: "before", ...about }), 100, late)).toBe(true);
    await grants.end("late", "withdrawn");
    expect(await store.insertWithin(record({ id: "after", ...about }), 100, late)).toBe(false);
    expect(await store.rotate("before", record({ id: "next", ...about }), 9, late)).toBe(false);
    expect(await store.find("after")).toBeUndefined();
    const { epoch = 0 } = (await server.identity.accounts.find(server.alice)) ?? {};
    expect(await store.insertWithin(record({ id: "now", ...about }), 100, { epoch })).toBe(true);
    expect(await store.insertWithin(record({ id: "over", ...about }), 100, { epoch: epoch - 1 })).toBe(false);
    for (const id of ["before", "now"]) await store.revoke(id, Date.now());
  });

  it("end with an application that there is no more", async () => {
    const { key } = (await make(alices, { name: "x", scopes: ["notes:read"] })).body;
    const own = await server.identity.keys().create({ owner: server.alice, name: "y", scopes: ["notes:read"] });
    const port = await freePort();
    const resources = { [`http://localhost:${port}/api`]: scopes };
    const without = await startOAuthServer(storage, { port, clients: [], keys: { prefix: "prj" }, resources });
    try {
      const use = async (one: unknown) => (await without.call(String(one))).status;
      expect([await use(key), await use(own?.key)]).toEqual([401, 200]);
    } finally {
      await without.close();
    }
    await revokeAll();
  });

  it("stand on the account's page with who made them, and are revoked there by their owner alone", async () => {
    const made = await make(alices, { name: "night <job>", scopes: ["notes:read"] });
    const [key, id] = [String(made.body["key"]), String(made.body["id"])];
    const pageOf = async (browser: Browser, who: typeof bob) => {
      server.forgiveLimits();
      await browser.submit(await browser.open("/account/sign-in"), { ...who });
      return browser.open("/account");
    };
    const browser = server.browser();
    const page = await pageOf(browser, alice);
    expect(page.text).toContain(`night &#60;job&#62;<p class="hint">${String(made.body["prefix"])}…`);
    expect(page.text).toContain("with Web Notes, never used, expires ");
    expect(page.text).not.toContain(key.slice(-40));
    const revoke = (by: Browser, site: string) =>
      fetch(`${server.base}/account/revoke-key`, {
        method: "POST",
        redirect: "manual",
        headers: { cookie: [...by.cookies].map((one) => one.join("=")).join("; "), "sec-fetch-site": site },
        body: new URLSearchParams({ key: id }),
      });
    expect((await revoke(browser, "cross-site")).status).toBe(403);
    const others = server.browser();
    expect((await pageOf(others, bob)).text).not.toContain("API keys");
    expect((await revoke(others, "same-origin")).headers.get("location")).toBe("/account");
    expect((await revoke(server.browser(), "same-origin")).headers.get("location")).toBe("/account/sign-in");
    expect((await ask("GET", "/me", key)).status).toBe(200);
    expect((await revoke(browser, "same-origin")).headers.get("location")).toBe("/account");
    expect((await browser.open("/account")).text).not.toContain("API keys");
    expect((await ask("GET", "/me", key)).status).toBe(401);
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

  it("are no more for being rotated again and again with an overlap, and all that work are listed", async () => {
    const keys = server.identity.keys();
    const [owner, overlap] = [server.alice, 2_592_000];
    const first = await keys.create({ owner, name: "first", scopes: ["notes:read"] });
    let last: NewKey | undefined = first;
    const made = [first];
    for (let n = 0; n < 9; n++) {
      last = await keys.rotate(last?.id ?? "", owner, overlap);
      if (last === undefined) break;
      made.push(last);
    }
    // Each of four could have been rotated.
    expect(made).toHaveLength(8);
    // However many have ended since: whoever took a token would have hidden a key among them.
    await sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200)
      insert into api_key (id, hash, subject, scopes, name, environment, display_prefix, created_at, revoked_at)
      select 'ended' || i, '', ${owner}, '[]', 'x', 'live', '', 9e15, 0 from n`.execute(storage.db);
    expect((await keys.list(owner)).map(({ id }) => id).toSorted()).toEqual(made.map((one) => one?.id).toSorted());
    await sql`delete from api_key where id like 'ended%'`.execute(storage.db);
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
    await server.identity.keys().create({ owner: account?.id ?? "", name: "for ever", scopes: ["notes:read"] });
    expect(await server.identity.keys().list(account?.id ?? "")).toHaveLength(2);
    await server.identity.accounts.remove(account?.id ?? "");
    expect((await ask("GET", "/me", key)).status).toBe(401);
    const left = await storage.db
      .selectFrom("api_key")
      .select("id")
      .where("subject", "=", account?.id ?? "")
      .execute();
    expect(left).toEqual([]);
    // Nor does anybody make another that would stay for ever.
    expect(
      await server.identity.keys().create({ owner: account?.id ?? "", name: "late", scopes: ["notes:read"] }),
    ).toBeUndefined();
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
    await vi.waitFor(
      () =>
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
      10_000,
    );
    const about = { subject: server.alice, client: "web", key: body["id"], request: expect.anything() };
    expect(events.slice(before)).toEqual([
      { type: "key-created", ...about },
      { type: "key-revoked", ...about },
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
