import { keycloak, type KeycloakOptions } from "portcullis/issuers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDoor, type FrontDoor } from "../front-door.ts";
import { openIssuer, type Issuer } from "./issuer.ts";
import { ask, bearing, whoApi } from "./who.ts";

let server: Issuer;
let door: FrontDoor;
let byClient: FrontDoor;

beforeAll(async () => {
  server = await openIssuer("RS256");
  const realm = `${server.url}/realms/shop`;
  door = await openDoor(whoApi([keycloak({ realm, audience: "projects-api", rolesFromToken: "realm" })]));
  byClient = await openDoor(
    whoApi([keycloak({ realm, clients: ["web"], rolesFromToken: { client: "projects-api" } })]),
  );
});

afterAll(async () => {
  await Promise.all([door.close(), byClient.close()]);
  await server.close();
});

/** The claims of an access token as Keycloak 26 writes them. */
function claims(change: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    jti: "onrtac:2b6a2c0e-6f0c-4a0e-9a3c-0f3b9b1d6c11",
    iss: `${server.url}/realms/shop`,
    aud: ["projects-api", "account"],
    sub: "f1c9a1de-5c1f-4b0a-8f0b-2f7a3f7f2a10",
    typ: "Bearer",
    azp: "web",
    sid: "0d2a1c1e-6f2b-4e38-b8d3-4b6ddc7e2b3c",
    acr: "1",
    "allowed-origins": ["https://app.example.com"],
    realm_access: { roles: ["offline_access", "uma_authorization", "clerk"] },
    resource_access: { "projects-api": { roles: ["editor"] }, account: { roles: ["view-profile"] } },
    scope: "openid email profile",
    preferred_username: "alice",
    ...change,
  };
}

describe("issuers: keycloak", () => {
  it("admits an access token by audience or by client, with the roles the options name and no others", async () => {
    expect(await ask(door, bearing(await server.sign(claims())))).toEqual({
      subject: "f1c9a1de-5c1f-4b0a-8f0b-2f7a3f7f2a10",
      tenant: "",
      scopes: ["openid", "email", "profile"],
      roles: ["offline_access", "uma_authorization", "clerk"],
      kind: "jwt",
      issuer: `${server.url}/realms/shop`,
      ambient: false,
    });
    const audience = { aud: "account" };
    expect(await ask(byClient, bearing(await server.sign(claims(audience), { typ: "at+jwt" })))).toMatchObject({
      roles: ["editor"],
    });
    const silent = keycloak({ realm: `${server.url}/realms/shop`, audience: "projects-api" });
    const quiet = await openDoor(whoApi([silent]));
    expect(await ask(quiet, bearing(await server.sign(claims())))).toMatchObject({ roles: [] });
    await quiet.close();
  });

  it("reads no roles where there are none, and refuses those that are no list of texts", async () => {
    for (const change of [{ resource_access: undefined }, { resource_access: {} }, { resource_access: "x" }]) {
      expect(await ask(byClient, bearing(await server.sign(claims(change))))).toMatchObject({ roles: [] });
    }
    const odd = { resource_access: { "projects-api": { roles: ["editor", { admin: true }] } } };
    expect(await ask(byClient, bearing(await server.sign(claims(odd))))).toMatchObject({ code: "bad-token" });
  });

  it.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ["an ID token", { typ: "ID", aud: "web", nonce: undefined }, /audience/],
    ["an ID token that names the API", { typ: "ID" }, /no access token/],
    ["a refresh token", { typ: "Refresh" }, /no access token/],
    ["an offline token", { typ: "Offline" }, /no access token/],
    ["a logout token", { typ: "Logout", events: {} }, /events/],
    ["a token that says nothing of its kind", { typ: undefined }, /no access token/],
    ["a token with a proof-of-possession key", { typ: "DPoP", cnf: { jkt: "x" } }, /bound/],
    ["a token for the account console", { aud: "account" }, /audience/],
    ["a lightweight token without a subject", { sub: undefined }, /registered claim/],
  ])("refuses %s", async (_, change, reason) => {
    expect(await ask(door, bearing(await server.sign(claims(change))))).toMatchObject({
      code: "bad-token",
      reason: expect.stringMatching(reason),
    });
  });

  it("refuses another client's token, and the ID token of its own client", async () => {
    expect(await ask(byClient, bearing(await server.sign(claims({ azp: "partner" }))))).toMatchObject({
      reason: "authorized party is not allowed",
    });
    expect(await ask(byClient, bearing(await server.sign(claims({ typ: "ID", aud: "web" }))))).toMatchObject({
      reason: "it is no access token",
    });
  });

  it("refuses another realm of the same server, which is another issuer", async () => {
    for (const iss of [`${server.url}/realms/master`, `${server.url}/realms/shop/`, `${server.url}/realms/Shop`]) {
      expect(await ask(door, bearing(await server.sign(claims({ iss }))))).toMatchObject({ code: "bad-credential" });
    }
  });

  it.each<[string, Partial<KeycloakOptions>]>([
    ["realm", { realm: "shop" }],
    ["realm", { realm: "http://id.example.com/realms/shop" }],
    ["audience", { audience: "account" }],
    ["audience", { audience: ["projects-api", "account"] }],
    ["authorizedParties", { clients: [] }],
  ])("stops the start on a nonsensical %s: %j", (field, over) => {
    const options = { realm: "https://id.example.com/realms/shop", audience: "projects-api", ...over };
    expect(
      keycloak(options)
        .problems()
        .map((one) => one.field),
    ).toContain(field);
  });

  it("stops the start where neither audience nor client is named", () => {
    expect(keycloak({ realm: "https://id.example.com/realms/shop" }).problems()).toMatchObject([{ field: "audience" }]);
  });
});
