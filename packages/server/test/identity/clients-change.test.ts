import { openStorage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import { claimsOf, clients, files, startOAuthServer } from "./oauth-server.ts";

let stores: TestStores;
beforeAll(async () => {
  stores = await embeddedStores();
});
afterAll(() => stores.stop());

describe("oauth: what an operator takes out of the configuration", () => {
  it("is gone with the next refresh: a scope of a client, a scope of a resource, the resource, the client", async () => {
    const storage = await openStorage(await stores.place());
    const first = await startOAuthServer(storage);
    const { issuer, resource } = first;
    const { refresh: given } = await first.tokens("web", { scope: "openid notes:read notes:write" });
    let refresh = given;
    await first.close();

    const { web } = clients;
    const all = { [resource]: ["notes:read", "notes:write"], [files]: ["files:read"] };
    const less = { ...web, scopes: ["notes:write"] };
    for (const [changed, scope, error] of [
      [{ clients: [web], resources: all }, "notes:read notes:write", undefined],
      [{ clients: [less], resources: all }, "notes:write", undefined],
      [{ clients: [less], resources: { [resource]: ["notes:write"] } }, "notes:write", undefined],
      [{ clients: [{ ...less, scopes: [] }], resources: { [resource]: ["notes:read"] } }, "", undefined],
      [{ clients: [{ ...less, scopes: [] }], resources: { [files]: ["files:read"] } }, undefined, "invalid_target"],
      [{ clients: [], resources: all }, undefined, "invalid_client"],
      // What was granted is remembered, should it have been a mistake.
      [{ clients: [web], resources: all }, "notes:read notes:write", undefined],
    ] as const) {
      const tokensFor = changed.resources === all ? resource : Object.keys(changed.resources)[0];
      const server = await startOAuthServer(storage, {
        issuer,
        ...changed,
        ...(tokensFor === undefined ? {} : { tokensFor }),
      });
      const { body } = await server.refresh(refresh);
      expect([changed, body["scope"], body["error"]]).toEqual([changed, scope, error]);
      if (typeof body["refresh_token"] === "string") {
        refresh = body["refresh_token"];
        expect(claimsOf(String(body["access_token"]))["scope"]).toBe(scope);
      }
      await server.close();
    }
    await storage.close();
  });
});
