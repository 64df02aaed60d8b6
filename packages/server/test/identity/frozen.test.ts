import { openStorage, type Storage } from "@portcullis/server/storage";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import { accountsOf, type PostgresStores, postgresStores } from "../storage/open-stores.ts";
import { alice, bob, files, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

/** Given as options here; 5 s each by themselves. */
const waits = { connectionTimeoutMillis: 2_000, query_timeout: 1_000 };
/** What one request or call may take then: a statement, a connection, another of each, and a processor that is busy. */
const boundMs = 8_000;

describe("oauth: while PostgreSQL stands still", () => {
  let stores: PostgresStores;
  let storage: Storage;
  let elsewhere: Storage;
  let server: OAuthServer;
  beforeAll(async () => {
    stores = await postgresStores();
    const { postgres } = await stores.place();
    storage = await openStorage({ postgres: { ...postgres, ...waits } });
    elsewhere = await openStorage({ postgres });
    const port = await freePort();
    const resources = {
      [`http://localhost:${port}/api`]: ["notes:read", "notes:write", "keys:read", "keys:write"],
      [files]: ["files:read"],
    };
    server = await startOAuthServer(storage, { port, resources, keys: { prefix: "prj" }, onError: () => {} });
  });
  afterAll(async () => {
    stores.server.resume();
    await server.close();
    await storage.close();
    await elsewhere.close();
    await stores.stop();
  });

  it("nobody waits for ever and nobody is let in who could not be judged; when it goes on, all is as it was", async () => {
    const browser = server.browser();
    const { access, refresh } = await server.tokens("web", {}, browser);
    const { accounts } = server.identity;
    const owner = server.alice;
    const key = await server.identity.keys().create({ owner, name: "one", scopes: ["notes:read"] });
    const bobs = (await accounts.findByEmail(bob.email))?.id ?? "";
    const signIn = async () => {
      const form = new URLSearchParams({ ...alice });
      const headers = { "sec-fetch-site": "same-origin" };
      return (await fetch(`${server.base}/account/sign-in`, { method: "POST", body: form, headers })).status;
    };
    const ask = {
      token: async () => (await server.call(access)).status,
      key: async () => (await server.call(key?.key ?? "")).status,
      refresh: async () => (await server.refresh(refresh)).status,
      signIn,
      authorize: async () => (await server.authorize(browser)).page.status,
    };
    expect([await ask.token(), await ask.key(), await signIn()]).toEqual([200, 200, 200]);

    await stores.server.stall();
    // What was read a moment ago is known for 0.8 s.
    await wait(1_000);
    const begun = performance.now();
    const disabled = accounts.disable(bobs).then(String, String);
    const answers = await Promise.all(
      Object.entries(ask).map(async ([what, how]) => [what, await how(), performance.now() - begun] as const),
    );
    for (const [what, status, tookMs] of answers) {
      expect([what, status]).toEqual([what, expect.toBeOneOf([500, 503])]);
      expect(tookMs).toBeLessThan(boundMs);
    }
    expect(Object.fromEntries(answers)).toMatchObject({ token: 503, key: 503, refresh: 503 });
    expect(await disabled).toMatch(/^Error/);
    expect(performance.now() - begun).toBeLessThan(boundMs);

    stores.server.resume();
    expect(await until(ask.token)).toBe(200);
    expect([await ask.key(), await signIn(), await ask.refresh()]).toEqual([200, 200, 200]);
    // What was given up is done whole or not at all, and later work is everybody's.
    expect(await accounts.find(bobs)).toMatchObject({ isDisabled: false, epoch: 0 });
    expect(await accounts.disable(bobs)).toBe(true);
    expect(await accountsOf(elsewhere).find(bobs)).toMatchObject({ epoch: 1 });
  });

  it("closing is not kept waiting by it either", async () => {
    const { postgres } = await stores.place();
    const other = await openStorage({ postgres: { ...postgres, ...waits } });
    const closing = await startOAuthServer(other, { onError: () => {} });
    await stores.server.stall();
    const begun = performance.now();
    await closing.close();
    await other.close();
    expect(performance.now() - begun).toBeLessThan(boundMs);
  });
});

/** Asks until it is let in: connections that were given up are made anew. */
async function until(ask: () => Promise<number>): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const status = await ask();
    if (status === 200) return status;
    await wait(20);
  }
  return 0;
}
