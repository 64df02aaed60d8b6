import { openStorage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAdapter } from "../../src/identity/oauth/adapter.ts";
import { oidcPayloadStore } from "../../src/storage/oidc-payloads.ts";
import { refreshTokenStore } from "../../src/storage/refresh-tokens.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import { clients, startOAuthServer } from "./oauth-server.ts";

let stores: TestStores;
beforeAll(async () => {
  stores = await embeddedStores();
});
afterAll(() => stores.stop());

describe("oauth: when the store is gone", () => {
  it("decides nothing, says that it cannot now, and so that nobody throws away what still counts", async () => {
    const place = await stores.place();
    const storage = await openStorage(place);
    const told: unknown[] = [];
    const server = await startOAuthServer(storage, { onError: (error) => told.push(error) });
    const browser = server.browser();
    const { access, refresh } = await server.tokens("web", {}, browser);
    await storage.close();
    const machine = { client_id: "machine", client_secret: clients.machine.secret };
    const answers = {
      refresh: (await server.refresh(refresh)).status,
      revocation: (await server.revoke({ token: refresh, client_id: "web", client_secret: clients.web.secret })).status,
      authorization: (await server.authorize(browser)).page.status,
      wrongSecret: (await server.token({ grant_type: "client_credentials", ...machine, client_secret: "x" })).status,
    };
    expect(answers).toEqual({ refresh: 503, revocation: 503, authorization: 503, wrongSecret: 401 });
    expect(told.length).toBeGreaterThan(0);
    // What was taken back is in memory, where this process is the only one.
    expect((await server.call(access)).status).toBe(200);
    await expect(server.identity.upkeep()).rejects.toThrow();
    await server.close();

    // The same folder, started again: nobody was signed out by it.
    const again = await openStorage(place);
    const restarted = await startOAuthServer(again, { issuer: server.issuer });
    expect((await restarted.refresh(refresh)).status).toBe(200);
    await restarted.close();
    await again.close();
  });
});

describe("oauth: a code that two requests use at the same moment", () => {
  it("is one's alone, and what it gets is taken back", async () => {
    const storage = await stores.open();
    const ended: string[] = [];
    const now = Date.UTC(2030, 0, 1);
    const codes = createAdapter({
      payloads: oidcPayloadStore(storage),
      refreshTokens: refreshTokenStore(storage),
      grantEnded: async (grantId) => void ended.push(grantId),
      now: () => now,
      nameInTokens: (id) => id,
      needsConsent: () => false,
      refreshIdleMs: 1000,
      refreshAbsoluteMs: 1000,
    })("AuthorizationCode");
    await codes.upsert("code", { grantId: "grant", kind: "AuthorizationCode" }, 86_400);
    // Both have found it unused by then.
    expect([(await codes.find("code")) !== undefined, (await codes.find("code")) !== undefined]).toEqual([true, true]);
    await codes.consume("code");
    expect(ended).toEqual([]);
    await expect(codes.consume("code")).rejects.toThrow("invalid_grant");
    expect(ended).toEqual(["grant"]);
  });
});
