import { createServer } from "node:http";
import { type IdentityEvent, openIdentity } from "@portcullis/server/identity";
import { openStorage, type Storage } from "@portcullis/server/storage";
import { anyCaller, createApi, jwt, nothing, secret } from "portcullis";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { freePort } from "../../../scripts/free-ports.ts";
import { embeddedStores, postgresStores } from "../../server/test/storage/open-stores.ts";
import { portcullis, type Ran } from "./command.ts";

const email = "alice@example.com";
const scopes = ["notes:read", "keys:read", "keys:write"];
const aSecret = "tests-only: 48 characters of nothing in particular";

const keys = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  portcullis(["keys", ...args], { env: { ...env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning" } });

/** An API that takes keys of this store and tells which. */
async function serve(storage: Storage, port: number, pepper?: string, onEvent?: (event: IdentityEvent) => void) {
  const issuer = `http://localhost:${port}`;
  const identity = await openIdentity({
    issuer,
    serviceName: "Notes",
    storage,
    secret: aSecret,
    clients: [],
    resources: { [`${issuer}/api`]: scopes },
    keys: { prefix: "prj", rates: ["60/min"], ...(pepper === undefined ? {} : { pepper }) },
    sendMail: () => {},
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  const test = jwt({ issuer: "https://tests.example", audience: "tests", keys: secret(aSecret) });
  const api = createApi({
    name: "notes",
    hosts: [`localhost:${port}`],
    credentials: [identity.keys().credential, test],
    version: { none: "deployed with what calls it" },
    audit: { sinks: [{ name: "nowhere", write: () => {} }] },
  });
  api.route({ path: "GET /me", access: anyCaller, output: nothing, limit: "1000/s" }, () => undefined);
  identity.mount(api);
  const listening = await api.listen({ port, handleSignals: false });
  await identity.accounts.signUp(email, "correct horse battery");
  const id = (await identity.accounts.findByEmail(email))?.id ?? "";
  const seconds = Math.floor(Date.now() / 1000);
  const token = await new SignJWT({ scope: [...scopes, "elsewhere"].join(" ") })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .setIssuer("https://tests.example")
    .setAudience("tests")
    .setSubject(id)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + 600)
    .setJti("t")
    .sign(new TextEncoder().encode(aSecret));
  return {
    issuer,
    token,
    upkeep: () => identity.upkeep(),
    subject: async () => (await identity.accounts.findByEmail(email))?.id,
    async me(key: string): Promise<number> {
      const response = await fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${key}` } });
      return response.status;
    },
    async close() {
      await listening.close();
      await identity.close();
    },
  };
}

const direct = ["--owner", email];
const made = (ran: Ran): { id: string; key: string; prefix: string } => {
  expect(ran).toMatchObject({ code: 0, err: "" });
  const [one] = JSON.parse(ran.out);
  return one;
};

// Each command is a process of its own.
vi.setConfig({ testTimeout: 240_000 });

describe("portcullis keys", () => {
  describe("on the embedded store", () => {
    let stores: Awaited<ReturnType<typeof embeddedStores>>;
    let folder = "";
    let port = 0;
    beforeAll(async () => {
      stores = await embeddedStores();
      const place = await stores.place();
      folder = "folder" in place ? place.folder : "";
      port = await freePort();
    });
    afterAll(() => stores.stop());

    it("makes, lists, rotates and revokes keys that the server takes when it runs again, and says when the server has the folder", async () => {
      const storage = await openStorage({ folder });
      const server = await serve(storage, port);
      const held = await keys(["list", "--folder", folder, ...direct]);
      expect([held.code, held.err]).toEqual([3, expect.stringContaining(`the server has ${folder} open`)]);
      await server.close();
      await storage.close();

      const args = ["--folder", folder, ...direct, "--json"];
      const first = made(await keys(["create", "--name", "ci", "--scopes", "notes:read,keys:read", ...args]));
      const listed = await keys(["list", ...args]);
      expect(JSON.parse(listed.out)).toMatchObject([{ id: first.id, scopes: ["notes:read", "keys:read"], name: "ci" }]);
      expect(listed.out).not.toContain(first.key);
      const second = made(await keys(["rotate", first.id, "--overlap", "0", ...args]));
      expect((await keys(["rotate", first.id, ...args])).code).toBe(1);
      const third = made(await keys(["create", "--name", "x\n\u001b[2J\u202e", "--scopes", "notes:read", ...args]));
      // Whoever made the key named it, an application for one: no name draws on the operator's screen.
      const both = await keys(["list", "--folder", folder, ...direct]);
      expect([both.out.trim().split("\n").length, both.out.includes("x\\n\\u{1b}[2J\\u{202e} · ")]).toEqual([2, true]);
      expect((await keys(["list", ...args])).out).not.toMatch(/[\u001b\u202e]/);
      expect((await keys(["revoke", third.id, ...args])).code).toBe(0);
      expect((await keys(["revoke", "AAAAAAAAAAAAAAAA", ...args])).code).toBe(1);
      const table = await keys(["list", "--folder", folder, ...direct]);
      expect(table.out.trim().split("\n")).toHaveLength(1);
      expect(table.out).toContain("last used never");

      const again = await openStorage({ folder });
      const told: IdentityEvent[] = [];
      const back = await serve(again, port, undefined, (event) => void told.push(event));
      await back.upkeep();
      const by = expect.stringMatching(/^portcullis keys, by \S+, \d{4}-\d\d-\d\dT/);
      const subject = await back.subject();
      expect(told.filter(({ type }) => type.startsWith("key-"))).toEqual([
        { type: "key-created", subject, key: first.id, why: by },
        { type: "key-rotated", subject, key: second.id, why: by },
        { type: "key-created", subject, key: third.id, why: by },
        { type: "key-revoked", subject, key: third.id, why: by },
      ]);
      const once = told.length;
      await back.upkeep();
      expect(told).toHaveLength(once);
      expect([await back.me(first.key), await back.me(second.key), await back.me(third.key)]).toEqual([401, 204, 401]);
      await back.close();
      await again.close();
    });

    it("makes keys that a server with a pepper takes, where it is told the pepper", async () => {
      const pepper = "a pepper of the tests that is long enough";
      const place = { folder: `${folder}-pepper` };
      const storage = await openStorage(place);
      await (await serve(storage, port, pepper)).close();
      await storage.close();

      const args = ["create", "--name", "ci", "--scopes", "notes:read", "--folder", place.folder, ...direct, "--json"];
      const plain = await keys(args);
      expect([plain.code, plain.err]).toEqual([3, expect.stringContaining("have a pepper")]);
      const peppered = made(await keys(args, { PORTCULLIS_PEPPER: pepper }));

      const again = await openStorage(place);
      const back = await serve(again, port, pepper);
      expect(await back.me(peppered.key)).toBe(204);
      await back.close();
      await again.close();
    });

    it("makes no store where there is none, and says what is missing", async () => {
      const empty = `${folder}-empty`;
      await (await openStorage({ folder: empty })).close();
      const create = ["create", "--folder", folder, "--name", "x"];
      for (const [args, said] of [
        [["list", "--folder", `${folder}-nowhere`, ...direct], "there is no store in"],
        [["list", "--folder", folder], "--owner"],
        [["list", "--folder", empty, ...direct], "no server that takes API keys has run on this store"],
        [["list", "--folder", folder, "--owner", "nobody@example.com"], "there is no account"],
        [[...create, "--scopes", "notes:read", "--owner", "nobody"], "there is no account or application nobody"],
        [[...create, "--scopes", "notes:reed", ...direct], "no resource has the scope notes:reed"],
        [[...create, "--scopes", "notes:read", "--rate", "0/min", ...direct], "the rate 0/min is not offered"],
        [["list"], "say where the keys are"],
        [["list", "--url", "https://api.example.com"], "PORTCULLIS_TOKEN"],
      ] as const) {
        const ran = await keys(args, { PORTCULLIS_POSTGRES_URL: "", PORTCULLIS_TOKEN: "" });
        expect([ran.code, ran.err]).toEqual([3, expect.stringContaining(said)]);
      }
      const plain = await keys(["list", "--url", "http://api.example.com"], { PORTCULLIS_TOKEN: "t" });
      expect([plain.code, plain.err]).toEqual([3, expect.stringContaining("write https")]);
    });
  });

  it("does it on PostgreSQL while the server runs, which then refuses the key", async () => {
    const stores = await postgresStores();
    const place = await stores.place();
    const storage = await openStorage(place);
    const port = await freePort();
    const server = await serve(storage, port);
    const config = "postgres" in place ? place.postgres : {};
    const url = `postgres://${config.user}@/${config.database}?host=${encodeURIComponent(config.host ?? "")}`;
    const env = { PORTCULLIS_POSTGRES_URL: url };
    try {
      const one = made(await keys(["create", "--name", "ci", "--scopes", "notes:read", ...direct, "--json"], env));
      expect(await server.me(one.key)).toBe(204);
      expect((await keys(["revoke", one.id, ...direct], env)).code).toBe(0);
      // It is told on another connection than the one that asks.
      await expect.poll(() => server.me(one.key)).toBe(401);
    } finally {
      await server.close();
      await storage.close();
      await stores.stop();
    }
  });

  it("says in one line what an API answers that is none", async () => {
    let status = 502;
    const page = createServer((_request, response) => response.writeHead(status).end("<html>\u001b[2JBad gateway\nno"));
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    const address = page.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const list = () => keys(["list", "--url", url], { PORTCULLIS_TOKEN: "t" });
    expect(await list()).toMatchObject({ code: 3, err: "portcullis keys: the API answered 502\n" });
    status = 200;
    expect((await list()).err).toBe(
      `portcullis keys: what ${url} answers is nothing of keys: is it the API's address?\n`,
    );
    page.close();
  });

  it("does it through a running API, as whoever the token proves", async () => {
    const stores = await embeddedStores();
    const storage = await stores.open();
    const port = await freePort();
    const server = await serve(storage, port);
    const env = { PORTCULLIS_TOKEN: server.token };
    const at = ["--url", server.issuer];
    try {
      const one = made(
        await keys(["create", "--name", "ci", "--scopes", "notes:read", "--rate", "60/min", ...at, "--json"], env),
      );
      expect(await server.me(one.key)).toBe(204);
      const text = await keys(["list", ...at], env);
      expect(text).toMatchObject({ code: 0, err: "" });
      expect(text.out).toMatch(new RegExp(`^${one.id} · ${one.prefix}… · ci · notes:read · 60/min · expires `));
      const next = made(await keys(["rotate", one.id, "--overlap", "0", ...at, "--json"], env));
      expect([await server.me(one.key), await server.me(next.key)]).toEqual([401, 204]);
      expect((await keys(["revoke", next.id, ...at], env)).code).toBe(0);
      expect((await keys(["revoke", next.id, ...at], env)).code).toBe(1);
      expect(await server.me(next.key)).toBe(401);
      // The second is in the token, which is another issuer's, and of no resource here.
      for (const scope of ["admin", "elsewhere"]) {
        const more = await keys(["create", "--name", "x", "--scopes", scope, ...at], env);
        expect([more.code, more.err]).toEqual([3, expect.stringContaining("403")]);
      }
    } finally {
      await server.close();
      await stores.stop();
    }
  });
});
