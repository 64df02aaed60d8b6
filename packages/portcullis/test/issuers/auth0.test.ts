import { auth0, type Auth0Options } from "portcullis/issuers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDoor, type FrontDoor } from "../front-door.ts";
import { openIssuer, type Issuer } from "./issuer.ts";
import { ask, bearing, whoApi } from "./who.ts";

const api = "https://api.example.com";
const spa = "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja";
let tenant: Issuer;
let other: Issuer;
let door: FrontDoor;
let narrow: FrontDoor;

beforeAll(async () => {
  [tenant, other] = await Promise.all([openIssuer("RS256"), openIssuer("RS256")]);
  door = await openDoor(whoApi([auth0({ issuer: tenant.url, audience: api })]));
  narrow = await openDoor(
    whoApi([auth0({ issuer: tenant.url, audience: api, clients: [spa], scopes: "permissions" })]),
  );
});

afterAll(async () => {
  await Promise.all([door.close(), narrow.close()]);
  await Promise.all([tenant.close(), other.close()]);
});

/** The claims of Auth0's own profile. @see https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles */
function claims(change: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    iss: `${tenant.url}/`,
    sub: "auth0|6553da60a54af58e29493993",
    aud: [api, `${tenant.url}/userinfo`],
    azp: spa,
    scope: "openid profile read:projects",
    gty: "password",
    permissions: ["write:projects"],
    ...change,
  };
}

const rfc9068 = { azp: undefined, gty: undefined, client_id: spa, jti: "73WakrfVbNJBaAmhQtEeDv" };

describe("issuers: auth0", () => {
  it("admits access tokens of both profiles", async () => {
    expect(await ask(door, bearing(await tenant.sign(claims())))).toEqual({
      subject: "auth0|6553da60a54af58e29493993",
      tenant: "",
      scopes: ["openid", "profile", "read:projects"],
      roles: [],
      kind: "jwt",
      issuer: `${tenant.url}/`,
      ambient: false,
    });
    expect(await ask(door, bearing(await tenant.sign(claims(rfc9068), { typ: "at+jwt" })))).toMatchObject({
      subject: "auth0|6553da60a54af58e29493993",
    });
  });

  it("takes what role-based access control granted where the options say so", async () => {
    expect(await ask(narrow, bearing(await tenant.sign(claims())))).toMatchObject({ scopes: ["write:projects"] });
  });

  it.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ["an ID token", { aud: spa, azp: undefined, nonce: "n", scope: undefined }, /audience/],
    ["an ID token whose client is called like the API", { nonce: "n" }, /nonce/],
    ["a token for /userinfo alone", { aud: "https://example.eu.auth0.com/userinfo" }, /audience/],
    ["a token for the Management API", { aud: "https://example.eu.auth0.com/api/v2/" }, /audience/],
    ["a token for another API", { aud: "https://billing.example.com" }, /audience/],
    ["a token older than an hour, although Auth0 lets it live for a day", { iat: 0, exp: 4_000_000_000 }, /too long/],
    ["one bound to a key", { cnf: { jkt: "x" } }, /bound/],
  ])("refuses %s", async (_, change, reason) => {
    const refused = await ask(door, bearing(await tenant.sign(claims(change))));
    expect(refused).toMatchObject({ code: "bad-token", reason: expect.stringMatching(reason) });
  });

  it("refuses clients that are not listed, whichever claim names them, and tokens that name two", async () => {
    for (const change of [
      { azp: "another" },
      { azp: undefined },
      { azp: undefined, client_id: "another" },
      { client_id: "another" },
    ]) {
      expect(await ask(narrow, bearing(await tenant.sign(claims(change))))).toMatchObject({
        reason: "its client is not listed",
      });
    }
    for (const change of [{}, rfc9068, { client_id: spa }]) {
      expect(await ask(narrow, bearing(await tenant.sign(claims(change))))).toMatchObject({ kind: "jwt" });
    }
  });

  it("refuses another tenant's tokens, an issuer without its slash, and opaque and encrypted tokens", async () => {
    expect(await ask(door, bearing(await other.sign(claims({ iss: `${other.url}/` }))))).toMatchObject({
      code: "bad-credential",
    });
    expect(await ask(door, bearing(await other.sign(claims())))).toMatchObject({ code: "bad-token" });
    expect(await ask(door, bearing(await tenant.sign(claims({ iss: tenant.url }))))).toMatchObject({
      code: "bad-credential",
    });
    // What Auth0 gives out where no audience was asked for.
    const opaque = ["Ry6a_LCcJzZYz5W7q1oWkZtV3qkQkZ2n", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y3Q.dGFn"];
    for (const one of opaque) expect(await ask(door, bearing(one))).toMatchObject({ code: "bad-credential" });
  });

  it("takes the issuer with or without its slash", () => {
    expect(auth0({ issuer: "https://a.eu.auth0.com", audience: api }).issuer).toBe("https://a.eu.auth0.com/");
    expect(auth0({ issuer: "https://a.eu.auth0.com/", audience: api }).issuer).toBe("https://a.eu.auth0.com/");
  });

  it.each<[string, Partial<Auth0Options>]>([
    ["issuer", { issuer: "a.eu.auth0.com" }],
    ["audience", { audience: spa }],
    ["audience", { audience: [api, spa] }],
    ["audience", { audience: "https://a.eu.auth0.com/userinfo" }],
    ["audience", { audience: "https://a.eu.auth0.com/api/v2/" }],
    ["audience", { audience: [] }],
    ["clients", { clients: [] }],
    ["maxAgeSeconds", { maxAgeSeconds: 604_800 }],
  ])("stops the start on a nonsensical %s: %j", (field, over) => {
    const problems = auth0({ issuer: "https://a.eu.auth0.com", audience: api, ...over }).problems();
    expect(problems.map((one) => one.field)).toContain(field);
  });
});
