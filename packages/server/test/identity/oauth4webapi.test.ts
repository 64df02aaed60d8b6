import { openStorage, type Storage } from "@portcullis/server/storage";
import * as oauth from "oauth4webapi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";
import { claimsOf, clients, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

// oxlint-disable-next-line typescript/no-deprecated -- the server of the test is on loopback
const options = { [oauth.allowInsecureRequests]: true } as const;

describe("oauth: oauth4webapi as an independent client", () => {
  let stores: TestStores;
  let storage: Storage;
  let server: OAuthServer;
  let as: oauth.AuthorizationServer;
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

  it.each(["oidc", "oauth2"] as const)("finds the metadata where the standard for %s says", async (algorithm) => {
    const issuer = new URL(server.issuer);
    const response = await oauth.discoveryRequest(issuer, { algorithm, ...options });
    as = await oauth.processDiscoveryResponse(issuer, response);
    expect(as.code_challenge_methods_supported).toEqual(["S256"]);
  });

  it.each([
    ["a public client in the browser", "spa", oauth.None()],
    ["a confidential client", "web", oauth.ClientSecretPost(clients.web.secret)],
    ["a confidential client with Basic", "web", oauth.ClientSecretBasic(clients.web.secret)],
  ] as const)("takes %s through code, ID token, refresh and revocation", async (_who, id, authentication) => {
    const client: oauth.Client = { client_id: id };
    const { redirectUris, scopes } = clients[id];
    const redirectUri = redirectUris[0];
    const verifier = oauth.generateRandomCodeVerifier();
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
    const { page } = await server.authorize(server.browser(), {
      client_id: id,
      redirect_uri: redirectUri,
      scope: `openid email ${scopes[0]}`,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      state,
      nonce,
      max_age: "600",
    });
    // Checks state, iss (RFC 9207) and that it is no error.
    const params = oauth.validateAuthResponse(as, client, page.url, state);
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      authentication,
      params,
      redirectUri,
      verifier,
      options,
    );
    const result = await oauth.processAuthorizationCodeResponse(as, client, response, {
      expectedNonce: nonce,
      maxAge: 600,
      requireIdToken: true,
    });
    // The signature too, which the specification leaves to who wants it.
    await oauth.validateApplicationLevelSignature(as, response, options);
    expect(oauth.getValidatedIdTokenClaims(result)).toMatchObject({ sub: server.alice, email: "alice@example.com" });
    expect((await server.call(result.access_token)).status).toBe(200);

    const refreshed = await oauth.processRefreshTokenResponse(
      as,
      client,
      await oauth.refreshTokenGrantRequest(as, client, authentication, result.refresh_token ?? "", options),
    );
    expect(refreshed.refresh_token).not.toBe(result.refresh_token);
    expect((await server.call(refreshed.access_token)).status).toBe(200);

    const revoke = async (token: string | undefined) =>
      oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, token ?? "", options));
    await revoke(refreshed.access_token);
    expect((await server.call(refreshed.access_token)).status).toBe(401);
    await revoke(refreshed.refresh_token);
    const late = await oauth.refreshTokenGrantRequest(
      as,
      client,
      authentication,
      refreshed.refresh_token ?? "",
      options,
    );
    await expect(oauth.processRefreshTokenResponse(as, client, late)).rejects.toMatchObject({ error: "invalid_grant" });
    expect((await server.call(result.access_token)).status).toBe(401);
  });

  it("asks for Basic whom it refuses by it, and refuses two ways at once", async () => {
    const client: oauth.Client = { client_id: "machine" };
    expect(as.token_endpoint_auth_methods_supported).toEqual(["none", "client_secret_basic", "client_secret_post"]);
    const parameters = new URLSearchParams({ scope: "notes:read" });
    const ask = (proof: oauth.ClientAuth, more = {}) =>
      oauth.clientCredentialsGrantRequest(
        as,
        client,
        proof,
        new URLSearchParams({ ...Object.fromEntries(parameters), ...more }),
        options,
      );
    const wrong = await ask(oauth.ClientSecretBasic("x".repeat(40)));
    expect([wrong.status, wrong.headers.get("www-authenticate")]).toEqual([
      401,
      'Basic realm="notes", charset="UTF-8"',
    ]);
    const both = await ask(oauth.ClientSecretBasic(clients.machine.secret), { client_secret: clients.machine.secret });
    expect(both.status).toBe(400);
    const another = await ask(oauth.ClientSecretBasic(clients.machine.secret), { client_id: "web" });
    expect(another.status).toBe(400);
    const revocation = oauth.revocationRequest(as, client, oauth.ClientSecretBasic("x".repeat(40)), "a token", options);
    expect((await revocation).status).toBe(401);
  });

  it.each([
    ["in the body", oauth.ClientSecretPost],
    ["with Basic", oauth.ClientSecretBasic],
  ])("takes a client that calls as itself %s, and the API reads its token as RFC 9068 says", async (_how, proof) => {
    const client: oauth.Client = { client_id: "machine" };
    const authentication = proof(clients.machine.secret);
    const parameters = new URLSearchParams({ scope: "notes:read", resource: server.resource });
    const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters, options);
    const result = await oauth.processClientCredentialsResponse(as, client, response);
    expect(result.refresh_token).toBeUndefined();
    const request = new Request(`${server.issuer}/me`, {
      headers: { authorization: `Bearer ${result.access_token}` },
    });
    const claims = await oauth.validateJwtAccessToken(as, request, server.resource, options);
    expect(claims).toMatchObject({ sub: "machine", client_id: "machine", scope: "notes:read" });
    await expect(oauth.validateJwtAccessToken(as, request, "https://elsewhere.example", options)).rejects.toThrow();
  });

  it("reads an error of the authorization as one, with its issuer", async () => {
    const client: oauth.Client = { client_id: "web" };
    const { page, state } = await server.authorize(server.browser(), { prompt: "none" });
    expect(() => oauth.validateAuthResponse(as, client, page.url, state)).toThrow(
      expect.objectContaining({ error: "login_required" }),
    );
    const forged = new URL(page.url);
    forged.searchParams.set("iss", "https://evil.example");
    expect(() => oauth.validateAuthResponse(as, client, forged, state)).toThrow(/unexpected "iss"/);
  });

  it("holds the access token of the code flow to RFC 9068 as well", async () => {
    const { access } = await server.tokens();
    const request = new Request(`${server.issuer}/me`, { headers: { authorization: `Bearer ${access}` } });
    const claims = await oauth.validateJwtAccessToken(as, request, server.resource, options);
    expect(claims.exp - claims.iat).toBe(900);
    expect(claims.jti).toBe(claimsOf(access)["jti"]);
  });
});
