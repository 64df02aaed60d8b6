import { signJwt, verifyJwt } from "@clerk/backend/jwt";
import { clerk, clerkCookie, type ClerkOptions } from "portcullis/issuers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDoor, type FrontDoor } from "../front-door.ts";
import { openIssuer, type Issuer } from "./issuer.ts";
import { ask, bearing, cookies, whoApi } from "./who.ts";

const app = "https://app.example.com";
let instance: Issuer;
let other: Issuer;
let door: FrontDoor;

beforeAll(async () => {
  [instance, other] = await Promise.all([openIssuer("RS256"), openIssuer("RS256")]);
  const options = { issuer: instance.url, authorizedParties: [app] };
  door = await openDoor(
    whoApi([clerk(options), clerkCookie({ ...options, dangerouslyUnprefixedCookie: "Clerk's own name for it" })]),
  );
});

afterAll(async () => {
  await door.close();
  await Promise.all([instance.close(), other.close()]);
});

/** A session token as Clerk's version 2 has it, signed by Clerk's own code; claims that are undefined are left out. */
async function token(
  change: Readonly<Record<string, unknown>> = {},
  { by = instance, header = {} }: { by?: Issuer; header?: Readonly<Record<string, unknown>> } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    azp: app,
    exp: now + 60,
    fva: [7, -1],
    iat: now,
    iss: instance.url,
    jti: "a1b2c3d4e5f6",
    nbf: now - 10,
    pla: "u:free",
    sid: "sess_2yXq4nT5bW3v1z8k0fQe7Lm9Rcp",
    sts: "active",
    sub: "user_2yXq4mQkLnF0d7Zt1cVb8sWj3Hg",
    v: 2,
    ...change,
  };
  return signJwt(claims, by.privateJwk, {
    algorithm: "RS256",
    header: { cat: "cl_B7d4PD111AAA", kid: by.publicJwk.kid, typ: "JWT", ...header },
  });
}

describe("issuers: clerk", () => {
  it("admits a session token that Clerk's own code accepts, without an organization and in one of either version", async () => {
    const mine = await token();
    await expect(verifyJwt(mine, { key: instance.publicJwk, authorizedParties: [app] })).resolves.toBeDefined();
    expect(await ask(door, bearing(mine))).toEqual({
      subject: "user_2yXq4mQkLnF0d7Zt1cVb8sWj3Hg",
      tenant: "",
      scopes: [],
      roles: [],
      kind: "jwt",
      issuer: instance.url,
      ambient: false,
    });
    const o = { id: "org_2", rol: "admin", slg: "acme", per: "create" };
    expect(await ask(door, bearing(await token({ o })))).toMatchObject({ tenant: "org_2", roles: [] });
    const first = { v: undefined, sts: undefined, org_id: "org_1", org_role: "org:admin" };
    expect(await ask(door, bearing(await token(first)))).toMatchObject({ tenant: "org_1", roles: [] });
  });

  it("takes the same token from the cookie, where the csrf gate applies", async () => {
    const sent = cookies({ __session: await token(), __client_uat: "1700000000" });
    expect(await ask(door, sent)).toMatchObject({ subject: expect.stringMatching(/^user_/), ambient: true });
    const cross = { ...sent, "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    expect(await ask(door, cross, "POST /v1/who")).toMatchObject({ code: expect.stringMatching(/csrf|cross/) });
    const bad = await door.ask("GET /v1/who", {
      headers: cookies({ __session: await token({ azp: "https://x.example" }) }),
    });
    expect([bad.status, bad.headers.get("set-cookie")]).toEqual([401, undefined]);
  });

  it.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ["a token made on a sibling site", { azp: "https://blog.example.com" }, /authorized party/],
    ["a token made on a site whose name begins alike", { azp: `${app}.evil.example` }, /authorized party/],
    ["a token of no origin", { azp: undefined }, /authorized party/],
    ["a session with a task still to do", { sts: "pending" }, /not active/],
    ["a status nobody knows", { sts: true }, /not active/],
    ["a token of a JWT template, which has no session", { sid: undefined }, /no session token/],
    ["a machine's token", { sub: "mch_1", sid: undefined }, /no session token/],
    ["an expired one", { iat: 1_700_000_000, exp: 1_700_000_060 }, /expired/],
    ["one that is not valid yet", { nbf: 4_000_000_000 }, /not valid yet/],
    ["one without a subject", { sub: undefined }, /registered claim.*: sub$/],
  ])("refuses %s", async (_, change, reason) => {
    expect(await ask(door, bearing(await token(change)))).toMatchObject({
      code: "bad-token",
      reason: expect.stringMatching(reason),
    });
    expect(await ask(door, cookies({ __session: await token(change) }))).toMatchObject({
      code: "no-credential",
      reason: expect.stringMatching(reason),
    });
  });

  it("refuses another instance's tokens, whoever they say they are from", async () => {
    expect(await ask(door, bearing(await token({ iss: other.url }, { by: other })))).toMatchObject({
      code: "bad-credential",
    });
    expect(await ask(door, bearing(await token({}, { by: other })))).toMatchObject({ code: "bad-token" });
    expect(await ask(door, cookies({ __session: await token({ iss: other.url }, { by: other }) }))).toMatchObject({
      code: "no-credential",
    });
  });

  it("refuses an OAuth access token, which names another type", async () => {
    expect(await ask(door, bearing(await token({}, { header: { typ: "at+jwt" } })))).toMatchObject({
      reason: "typ is not accepted",
    });
  });

  it("leaves the tenant to the application where it says so", async () => {
    const own = await openDoor(
      whoApi([clerk({ issuer: instance.url, authorizedParties: [app], tenant: () => undefined })]),
    );
    expect(await ask(own, bearing(await token({ o: { id: "org_2" } })))).toMatchObject({ tenant: "" });
    await own.close();
  });

  it.each<[string, Partial<ClerkOptions>]>([
    ["issuer", { issuer: "clerk.example.com" }],
    ["issuer", { issuer: "http://clerk.example.com" }],
    ["authorizedParties", { authorizedParties: [] }],
    ["authorizedParties", { authorizedParties: [""] }],
  ])("stops the start on a nonsensical %s: %j", (field, over) => {
    const problems = clerk({ issuer: "https://clerk.example.com", authorizedParties: [app], ...over }).problems();
    expect(problems.map((one) => one.field)).toContain(field);
  });

  it("wants a reason for the cookie's name", () => {
    const options = { issuer: "https://clerk.example.com", authorizedParties: [app] };
    expect(clerkCookie(options).problems()).toMatchObject([{ field: "cookies" }]);
  });
});
