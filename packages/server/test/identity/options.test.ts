import { openIdentity, type ClientOptions, type IdentityOptions } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";

let stores: TestStores;
let storage: Storage;
beforeAll(async () => {
  stores = await embeddedStores();
  storage = await stores.open();
});
afterAll(() => stores.stop());

const client: ClientOptions = {
  id: "app",
  name: "App",
  redirectUris: ["https://app.example.com/callback"],
  scopes: ["notes:read"],
};

async function start(over: Partial<IdentityOptions>): Promise<void> {
  const identity = await openIdentity({
    issuer: "https://id.example.com",
    serviceName: "Notes",
    storage,
    secret: "tests-only: 48 characters of nothing in particular",
    clients: [client],
    resources: { "https://api.example.com": ["notes:read"] },
    ...over,
  });
  await identity.close();
}

describe("oauth: options that make no sense stop the start, and say what to write instead", () => {
  it.each([
    [{ issuer: "https://id.example.com/" }, /issuer: .* no origin over https/],
    [{ issuer: "https://id.example.com/auth" }, /issuer/],
    [{ issuer: "http://id.example.com" }, /issuer/],
    [{ issuer: "https://id.example.com:443" }, /issuer/],
    [{ issuer: "HTTPS://ID.example.com" }, /issuer/],
    [{ issuer: "https://user@id.example.com" }, /issuer/],
    [{ issuer: "id.example.com" }, /issuer/],
    [{ serviceName: " " }, /serviceName/],
    [{ secret: "short" }, /secret: 5 bytes are too few/],
    [{ secret: "0123456789abcdef0123456789abcdef" }, /secret: 32 hexadecimal digits are 128 bits/],
    [{ secret: "xyz".repeat(16) }, /secret: it repeats/],
    [{ secret: new Uint8Array(16) }, /secret/],
    [{ push: { tell() {}, listen: () => () => {} } }, /push: the embedded store has one instance/],
    [{ resources: {} }, /resources: no API is named/],
    [{ resources: { api: ["notes:read"] } }, /api is no address/],
    [{ resources: { "https://api.example.com#x": ["notes:read"] } }, /no address/],
    [{ resources: { "https://api.example.com": ["notes:read", "open id"] } }, /"open id" is no scope/],
    [{ resources: { "https://api.example.com": ["notes:read", "openid"] } }, /means something else/],
    [{ clients: [client, client] }, /there are two of it/],
  ] satisfies [Partial<IdentityOptions>, RegExp][])("%j", async (over, message) => {
    await expect(start(over)).rejects.toThrow(message);
  });

  it.each([
    [{ id: "" }, /no plain name/],
    [{ id: "a b" }, /no plain name/],
    [{ id: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff" }, /looks like that of an account/],
    [{ name: "" }, /no name/],
    [{ secret: "short" }, /secret has 5 characters/],
    [{ callsAsItself: true }, /needs a secret/],
    [{ redirectUris: [] }, /no redirect URI/],
    [{ redirectUris: ["nowhere"] }, /is no address/],
    [{ redirectUris: ["https://*.example.com/callback"] }, /wildcard/],
    [{ redirectUris: ["https://app.example.com/callback#"] }, /fragment/],
    [{ redirectUris: ["https://u:p@app.example.com/callback"] }, /user name/],
    [{ redirectUris: ["http://app.example.com/callback"] }, /plain http/],
    [{ redirectUris: ["http://localhost.example.com/callback"] }, /plain http/],
    [{ redirectUris: ["javascript:alert(1)"] }, /anybody may claim/],
    [{ redirectUris: ["myapp://callback"] }, /anybody may claim/],
    [{ origins: ["https://app.example.com/"] }, /no origin/],
    [{ origins: ["*"] }, /no origin/],
    [{ origins: ["null"] }, /no origin/],
    [{ scopes: ["notes:all"] }, /no resource has notes:all/],
  ] satisfies [Partial<ClientOptions>, RegExp][])("client %j", async (over, message) => {
    await expect(start({ clients: [{ ...client, ...over }] })).rejects.toThrow(message);
  });

  it("says everything at once", async () => {
    await expect(start({ issuer: "x", secret: "x", resources: {} })).rejects.toThrow(
      /issuer:[\s\S]*secret:[\s\S]*resources:[\s\S]*no resource has notes:read/,
    );
  });

  it("starts with what makes sense", async () => {
    await start({});
    await start({ issuer: "http://localhost:8443" });
    const [own, secret] = [await stores.open(), crypto.getRandomValues(new Uint8Array(32))];
    await start({ issuer: "http://127.0.0.1:8443", storage: own, secret });
    await start({ clients: [] });
  });

  it("verifies tokens for no resource it does not have", async () => {
    const identity = await openIdentity({
      issuer: "https://id.example.com",
      serviceName: "Notes",
      storage,
      secret: "tests-only: 48 characters of nothing in particular",
      clients: [],
      resources: { "https://api.example.com": [] },
    });
    expect(() => identity.tokensFor("https://api.example.com/")).toThrow(/none of the resources/);
    await identity.close();
  });
});
