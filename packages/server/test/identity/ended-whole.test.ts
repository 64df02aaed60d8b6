import type { Storage } from "@portcullis/server/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { embeddedStores, failing, postgresStores, type TestStores } from "../storage/open-stores.ts";
import { alice, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("oauth: what ends where the store fails half-way, %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  beforeAll(async () => {
    stores = await start();
  }, 60_000);
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
});
