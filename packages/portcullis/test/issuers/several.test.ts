import { jwt, jwksUrl, type Credential } from "portcullis";
import {
  auth0,
  authJs,
  authJsDatabase,
  betterAuth,
  clerk,
  keycloak,
  supabase,
  supabaseCookie,
} from "portcullis/issuers";
import { encode } from "@auth/core/jwt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDoor, type FrontDoor } from "../front-door.ts";
import { openIssuer, type Issuer } from "./issuer.ts";
import { ask, bearing, cookies, whoApi } from "./who.ts";

const api = "https://api.example.com";
const secret = "q3vVbL0l8mJpN1sXc7Tt2yWzR5kEaHdU9oGfI4uQx6M=";
/** The same person's id at every issuer: what an issuer of one's own can be made to write. */
const sub = "7b0c3a5e-6f1d-4a57-9d6a-0a4c9a0f5b11";

/** Four issuers, and what each writes besides `iss` and `sub`. */
let issuers: readonly { readonly iss: string; readonly by: Issuer; readonly claims: Record<string, unknown> }[];
let door: FrontDoor;

beforeAll(async () => {
  const [one, two, three, four] = await Promise.all([
    openIssuer("ES256"),
    openIssuer("RS256"),
    openIssuer("RS256"),
    openIssuer("RS256"),
  ]);
  issuers = [
    { iss: `${one.url}/auth/v1`, by: one, claims: { aud: "authenticated", role: "authenticated" } },
    { iss: two.url, by: two, claims: { azp: "https://app.example.com", sid: "sess_1" } },
    { iss: `${three.url}/`, by: three, claims: { aud: api } },
    { iss: `${four.url}/realms/shop`, by: four, claims: { aud: api, typ: "Bearer" } },
  ];
  const subject = "iss-and-sub";
  door = await openDoor(
    whoApi([
      supabase({ project: one.url, subject }),
      supabaseCookie({ project: one.url, subject, cookie: "__Host-session" }),
      clerk({ issuer: two.url, authorizedParties: ["https://app.example.com"], subject }),
      auth0({ issuer: three.url, audience: api, subject }),
      keycloak({ realm: `${four.url}/realms/shop`, audience: api, subject }),
      authJs({ secret, subject }),
    ]),
  );
});

afterAll(async () => {
  await door.close();
  await Promise.all(issuers.map(({ by }) => by.close()));
});

describe("issuers: several at once", () => {
  it("tells the same subject of two issuers apart, and knows one issuer's subject in header and cookie", async () => {
    const subjects: string[] = [];
    for (const { iss, by, claims } of issuers) {
      expect(await ask(door, bearing(await by.sign({ iss, sub, ...claims })))).toMatchObject({
        subject: `${iss} ${sub}`,
        issuer: iss,
      });
      subjects.push(`${iss} ${sub}`);
    }
    const sealed = await encode({ token: { sub }, secret, salt: "__Secure-authjs.session-token" });
    expect(await ask(door, cookies({ "__Secure-authjs.session-token": sealed }))).toMatchObject({
      subject: `authjs ${sub}`,
    });
    expect(new Set([...subjects, `authjs ${sub}`]).size).toBe(5);

    const [first] = issuers;
    const token = await first?.by.sign({ iss: first.iss, sub, ...first.claims });
    const session = Buffer.from(JSON.stringify({ access_token: token })).toString("base64url");
    expect(await ask(door, cookies({ "__Host-session": `base64-${session}` }))).toMatchObject({
      subject: `${first?.iss} ${sub}`,
      kind: "sessions",
    });
  });

  it("takes no token of one for one of another: not by its keys, not by its name, not by its claims", async () => {
    for (const mine of issuers) {
      for (const { iss, claims } of issuers) {
        if (iss === mine.iss) continue;
        // Signed by one, in the name of another, with everything either of them would write.
        for (const change of [claims, mine.claims, { ...mine.claims, ...claims }]) {
          const forged = await mine.by.sign({ iss, sub, ...change });
          expect(await ask(door, bearing(forged))).toMatchObject({ reason: "no key verifies the signature" });
        }
      }
      const [stranger] = issuers.filter(({ iss }) => iss !== mine.iss);
      const wrong = await mine.by.sign({ iss: mine.iss, sub, ...stranger?.claims, azp: "x", aud: "y" });
      expect(await ask(door, bearing(wrong))).toMatchObject({ code: "bad-token" });
    }
  });

  it("takes no token of one in the cookie of another, and refuses two credentials in one request", async () => {
    for (const { iss, by, claims } of issuers.slice(1)) {
      const token = await by.sign({ iss, sub, ...claims });
      const session = Buffer.from(JSON.stringify({ access_token: token })).toString("base64url");
      expect(await ask(door, cookies({ "__Host-session": `base64-${session}` }))).toMatchObject({
        reason: expect.stringMatching(/signature|issuer/),
      });
      expect(await ask(door, cookies({ "__Secure-authjs.session-token": token }))).toMatchObject({
        code: "no-credential",
      });
      const both = { ...bearing(token), ...cookies({ "__Secure-authjs.session-token": "x" }) };
      expect(await ask(door, both)).toMatchObject({ code: "several-credentials" });
    }
  });

  it("tells a found session's user apart by the credential's name, or as the application maps", async () => {
    const found = { session: { id: "s", userId: sub, expiresAt: new Date(Date.now() + 60_000) }, user: { id: sub } };
    const auth = { api: { getSession: async () => found } };
    const name = "__Secure-better-auth.session_token";
    for (const [subject, expected] of [
      ["iss-and-sub", `better-auth ${sub}`],
      [({ user }: { user: { id: string } }) => `own:${user.id}`, `own:${sub}`],
    ] as const) {
      const one = await openDoor(
        whoApi([betterAuth({ auth, subject }), supabase({ project: api, subject: "iss-and-sub" })]),
      );
      expect(await ask(one, cookies({ [name]: "x.y" }))).toMatchObject({ subject: expected });
      await one.close();
    }
    const nobody = await openDoor(whoApi([betterAuth({ auth, subject: () => undefined })]));
    expect(await ask(nobody, cookies({ [name]: "x.y" }))).toMatchObject({ reason: "no subject" });
    await nobody.close();

    const expires = new Date(Date.now() + 60_000);
    const adapter = { getSessionAndUser: async () => ({ session: { userId: sub, expires }, user: { id: sub } }) };
    const stored = await openDoor(whoApi([authJsDatabase({ adapter, subject: "iss-and-sub", name: "shop" })]));
    const sent = cookies({ "__Secure-authjs.session-token": "t" });
    expect(await ask(stored, sent)).toMatchObject({ subject: `shop ${sub}`, issuer: "shop" });
    await stored.close();
    for (const credential of [
      betterAuth({ auth, name: "a b" }),
      authJsDatabase({ adapter, name: "a b" }),
      authJs({ secret, name: "a b" }),
    ]) {
      expect(credential.problems()).toMatchObject([{ field: "name" }]);
    }
  });

  it("stops the start where several issuers' subjects would count as one", () => {
    const project = "https://abcdefghijklmnopqrst.supabase.co";
    const own = jwt({ issuer: "https://id.example.com", audience: api, keys: jwksUrl("https://id.example.com/jwks") });
    const problemsOf = (...credentials: readonly Credential[]): readonly string[] =>
      whoApi(credentials)
        .api.problems()
        .map((one) => one.field);
    expect(problemsOf(supabase({ project }), own)).toEqual(["credentials.supabase", "credentials.jwt"]);
    expect(problemsOf(supabase({ project }), authJs({ secret }))).toEqual([
      "credentials.supabase",
      "credentials.authjs",
    ]);
    // One issuer in a header and in a cookie is one issuer.
    expect(problemsOf(supabase({ project }), supabaseCookie({ project, cookie: "__Host-session" }))).toEqual([]);
  });
});
