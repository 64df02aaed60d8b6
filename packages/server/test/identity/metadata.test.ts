import { createHash } from "node:crypto";
import { openStorage, type Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAdapter } from "../../src/identity/oauth/adapter.ts";
import { ask } from "../../src/identity/oauth/bridge.ts";
import { createConsents } from "../../src/identity/oauth/consents.ts";
import { createProvider } from "../../src/identity/oauth/provider.ts";
import { openSigningKeys } from "../../src/identity/oauth/signing-keys.ts";
import { oidcPayloadStore } from "../../src/storage/oidc-payloads.ts";
import { refreshTokenStore } from "../../src/storage/refresh-tokens.ts";
import { signingKeyStore } from "../../src/storage/signing-keys.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import { clients, files, type OAuthServer, secret, startOAuthServer } from "./oauth-server.ts";

let stores: TestStores;
let storage: Storage;
let server: OAuthServer;
beforeAll(async () => {
  stores = await embeddedStores();
  storage = await openStorage(await stores.place());
  server = await startOAuthServer(storage);
});
afterAll(async () => {
  await server.close();
  await storage.close();
  await stores.stop();
});

const read = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
  const response = await fetch(`${server.issuer}${path}`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, expect.stringMatching(/json/)]);
  const body: object = JSON.parse(await response.text());
  return Object.fromEntries(Object.entries(body));
};

describe("oauth: what the server says of itself", () => {
  it("says the same at both addresses, and nothing that oidc-provider beneath does not do", async () => {
    const own = await read("/.well-known/openid-configuration");
    expect(await read("/.well-known/oauth-authorization-server")).toEqual(own);
    const beneath = await discoveryBeneath();
    const sorted = (value: unknown) => (Array.isArray(value) ? value.toSorted() : value);
    const differing = Object.entries(own).filter(
      ([name, value]) => JSON.stringify(sorted(value)) !== JSON.stringify(sorted(beneath[name])),
    );
    // Where ours is narrower: modes are refused at the door, claims of the protocol itself are not listed.
    expect(differing.map(([name]) => name).toSorted()).toEqual([
      "claims_supported",
      "response_modes_supported",
      "revocation_endpoint_auth_methods_supported",
    ]);
    for (const name of ["claims_supported", "response_modes_supported"]) {
      expect(beneath[name]).toEqual(expect.arrayContaining(Object.values(own[name] ?? {})));
    }
  });

  it("publishes the keys that oidc-provider signs with, public halves alone", async () => {
    const { keys } = await read("/oauth/jwks.json");
    const beneath = await askBeneath("/oauth/jwks.json");
    const names = (set: unknown) => JSON.stringify(set, ["kty", "crv", "x", "y", "kid", "alg", "use"]);
    expect(names(keys)).toBe(names(beneath["keys"]));
    expect(JSON.stringify(keys)).not.toMatch(/"d":/);
  });

  it("has no endpoint that it does not name", async () => {
    const paths = ["/oauth/userinfo", "/oauth/introspect", "/oauth/register", "/oauth/par", "/oauth/device", "/me2"];
    for (const path of [...paths, "/oauth/session/end", "/oauth/logout", "/reg", "/token", "/auth", "/session/end"]) {
      expect([path, (await fetch(`${server.issuer}${path}`)).status]).toEqual([path, 404]);
    }
  });
});

describe("oauth: pages of clients that ask for tokens in the browser", () => {
  it("may from the origin a client named, from no other, and never with cookies", async () => {
    expect(server.identity.origins).toEqual(["https://spa.example.com"]);
    for (const [origin, allowed] of [
      ["https://spa.example.com", true],
      ["https://web.example.com", false],
      ["https://spa.example.com.evil.example", false],
      ["null", false],
    ] as const) {
      const preflight = await fetch(`${server.issuer}/oauth/token`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
      });
      expect([origin, preflight.status]).toEqual([origin, allowed ? 204 : 403]);
      const asked = await fetch(`${server.issuer}/oauth/token`, {
        method: "POST",
        headers: { origin },
        body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "x", client_id: "spa" }),
      });
      const { headers } = asked;
      expect([origin, headers.get("access-control-allow-origin")]).toEqual([origin, allowed ? origin : null]);
      expect([headers.get("access-control-allow-credentials"), headers.get("cache-control")]).toEqual([
        null,
        expect.stringContaining("no-store"),
      ]);
    }
  });
});

async function discoveryBeneath() {
  return askBeneath("/.well-known/openid-configuration");
}

/** What oidc-provider itself would say, were it asked directly; nobody can. */
async function askBeneath(path: string): Promise<Readonly<Record<string, unknown>>> {
  const now = () => Date.now();
  const payloads = oidcPayloadStore(storage);
  const provider = createProvider({
    issuer: server.issuer,
    adapter: createAdapter({
      payloads,
      refreshTokens: refreshTokenStore(storage),
      grantEnded: () => Promise.resolve(),
      now,
      nameInTokens: (id) => id,
      needsConsent: () => false,
      refreshIdleMs: 1000,
      refreshAbsoluteMs: 1000,
    }),
    keys: await openSigningKeys({
      store: signingKeyStore(storage.db),
      secret,
      algorithm: "EdDSA",
      lifetimes: { signsMs: 86_400_000, announcedMs: 1000, keptMs: 1000 },
      now,
    }),
    clients: Object.values(clients),
    resources: { [server.resource]: ["notes:read", "notes:write"], [files]: ["files:read"] },
    account: () => Promise.resolve(undefined),
    consents: createConsents(payloads, () => provider, now),
    lifetimes: { accessToken: 900, sessionIdle: 1000, sessionAbsolute: 1000, refreshAbsolute: 1000 },
    grantClaim: (id) => createHash("sha256").update(id).digest("base64url"),
    sessionClaim: (id) => id,
    onError: (error) => expect(error).toBeUndefined(),
  });
  const { json: asked } = await ask(provider, server.issuer, { method: "GET", path });
  // Beneath our gates every address is one of https.
  const json: object = JSON.parse(JSON.stringify(asked).replaceAll("https://localhost", "http://localhost"));
  return Object.fromEntries(Object.entries(json));
}
