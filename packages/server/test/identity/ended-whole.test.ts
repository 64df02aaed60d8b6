import type { Storage } from "@portcullis/server/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { embeddedStores, failing, postgresStores, type TestStores } from "../storage/open-stores.ts";
import { alice, clients, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("oauth: what ends where the store fails half-way, %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  beforeAll(async () => {
    stores = await start();
  });
  afterAll(() => stores.stop());
  beforeEach(async () => {
    storage = await stores.open();
    server = await startOAuthServer(storage, { onError: () => {} });
  });
  afterEach(() => server.close());

  it("an account is not deleted where its tokens cannot be taken back, and who deletes it is told", async () => {
    const { access } = await server.tokens();
    const mended = await failing(storage, "revocation");
    const { accounts } = server.identity;
    await expect(accounts.remove(server.alice)).rejects.toThrow(/no room/);
    await expect(accounts.disable(server.alice)).rejects.toThrow(/no room/);
    expect((await server.call(access)).status).toBe(200);
    expect(await accounts.authenticate(alice.email, alice.password)).toMatchObject({ isDisabled: false, epoch: 0 });
    await mended();
    expect(await accounts.remove(server.alice)).toBe(true);
    expect((await server.call(access)).status).toBe(401);
  });

  it("an account is deleted with its tokens, whatever fails after it", async () => {
    const { access, refresh } = await server.tokens();
    await failing(storage, "refresh_family", "update");
    await failing(storage, "oidc_payload", "delete");
    await expect(server.identity.accounts.remove(server.alice)).rejects.toThrow(/no room/);
    expect(await server.identity.accounts.find(server.alice)).toBeUndefined();
    expect((await server.call(access)).status).toBe(401);
    expect((await server.refresh(refresh)).status).not.toBe(200);
  });

  it.each([
    ["the refused use of a refresh token", "revocation", "insert"],
    ["the refused use of a refresh token", "oidc_payload", "delete"],
  ] as const)("%s ends the whole grant or says that it cannot now: %s", async (_what, table, change) => {
    const { access, refresh } = await server.tokens();
    const next = String((await server.refresh(refresh)).body["refresh_token"]);
    const last = String((await server.refresh(next)).body["refresh_token"]);
    const mended = await failing(storage, table, change);
    expect((await server.refresh(refresh)).status).toBe(503);
    expect((await server.call(access)).status).toBe(200);
    await mended();
    expect((await server.refresh(refresh)).status).toBe(400);
    expect((await server.call(access)).status).toBe(401);
    expect((await server.refresh(last)).status).toBe(400);
  });

  it("an application that hands in its refresh token can do it again where it was told that it cannot now", async () => {
    const { access, refresh } = await server.tokens();
    const { id, secret } = clients.web;
    const handIn = async () => (await server.revoke({ token: refresh, client_id: id, client_secret: secret })).status;
    const mended = await failing(storage, "revocation");
    expect([await handIn(), (await server.call(access)).status]).toEqual([503, 200]);
    await mended();
    expect([await handIn(), (await server.call(access)).status]).toEqual([200, 401]);
    expect((await server.refresh(refresh)).status).toBe(400);
  });

  it("a browser that signs out at the server ends what applications were given in it, all or nothing; another stays", async () => {
    const [one, other] = [server.browser(), server.browser()];
    const given = [await server.tokens("web", {}, one), await server.tokens("web", {}, other)];
    const calls = () => Promise.all(given.map(async ({ access }) => (await server.call(access)).status));
    const signOut = async () => {
      const cookie = [...one.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const headers = { cookie, "sec-fetch-site": "same-origin" };
      return (await fetch(`${server.base}/account/sign-out`, { method: "POST", headers })).status;
    };
    const mended = await failing(storage, "revocation");
    expect(await signOut()).toBe(500);
    expect(await calls()).toEqual([200, 200]);
    expect((await one.open("/account")).url.pathname).toBe("/account");
    await mended();
    expect(await signOut()).toBe(200);
    expect(await calls()).toEqual([401, 200]);
    expect((await one.open("/account")).url.pathname).toBe("/account/sign-in");
    const refreshed = await Promise.all(given.map(async ({ refresh }) => (await server.refresh(refresh)).status));
    expect(refreshed).toEqual([400, 200]);
  });

  it("everything of everybody: tokens, what renews them, sessions, permissions; and half a minute later people are back", async () => {
    const browser = server.browser();
    const web = await server.tokens("web", {}, browser);
    const spa = await server.tokens("spa", { scope: "openid notes:read" }, browser);
    const { id, secret } = clients.machine;
    const machine = () => server.token({ grant_type: "client_credentials", client_id: id, client_secret: secret });
    const all = [web.access, spa.access, String((await machine()).body["access_token"])];
    const calls = () => Promise.all(all.map(async (access) => (await server.call(access)).status));
    expect(await calls()).toEqual([200, 200, 200]);
    const mended = await failing(storage, "oidc_payload", "delete");
    await expect(server.identity.endEverything()).rejects.toThrow(/no room/);
    expect(await calls()).toEqual([401, 401, 401]);
    await mended();
    await server.identity.endEverything();
    expect((await server.refresh(web.refresh)).status).toBe(400);
    expect((await server.refresh(spa.refresh, { client_id: "spa", client_secret: undefined })).status).toBe(400);
    expect((await browser.open("/account")).url.pathname).toBe("/account/sign-in");
    expect((await server.authorize(browser)).asked).toEqual(["Sign in to Notes", expect.stringContaining("Web Notes")]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
    try {
      const back = await server.tokens("web", {}, browser);
      expect((await server.call(back.access)).status).toBe(200);
      expect((await server.call(String((await machine()).body["access_token"]))).status).toBe(200);
      expect(await calls()).toEqual([401, 401, 401]);
    } finally {
      vi.useRealTimers();
    }
  });
});
