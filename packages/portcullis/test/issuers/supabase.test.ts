import { createServerClient } from "@supabase/ssr";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supabase, supabaseCookie, type SupabaseOptions } from "portcullis/issuers";
import { openDoor, type FrontDoor } from "../front-door.ts";
import { openIssuer, type Issuer } from "./issuer.ts";
import { ask, bearing, cookies, whoApi } from "./who.ts";

const alice = "7b0c3a5e-6f1d-4a57-9d6a-0a4c9a0f5b11";
const unprefixed = { dangerouslyUnprefixedCookie: "what @supabase/ssr names it" };

let project: Issuer;
let other: Issuer;
let door: FrontDoor;

beforeAll(async () => {
  [project, other] = await Promise.all([openIssuer("ES256"), openIssuer("ES256")]);
  door = await openDoor(
    whoApi([supabase({ project: project.url }), supabaseCookie({ project: project.url, ...unprefixed })]),
  );
});

afterAll(async () => {
  await door.close();
  await Promise.all([project.close(), other.close()]);
});

/** The claims Supabase Auth writes for a user who signed in. */
function claims(change: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    iss: `${project.url}/auth/v1`,
    aud: "authenticated",
    sub: alice,
    role: "authenticated",
    aal: "aal1",
    amr: [{ method: "password", timestamp: 1_735_815_600 }],
    session_id: "0d2a1c1e-6f2b-4e38-b8d3-4b6ddc7e2b3c",
    email: "alice@example.com",
    phone: "",
    app_metadata: { provider: "email", providers: ["email"] },
    user_metadata: { name: "Alice" },
    is_anonymous: false,
    ...change,
  };
}

/** Signs alice in with the real library against the project, and says which cookies it set. */
async function signIn(token: string, metadata: Readonly<Record<string, unknown>> = {}): Promise<Map<string, string>> {
  const jar = new Map<string, string>();
  project.answer = (_, response) => {
    const user = {
      id: alice,
      aud: "authenticated",
      role: "authenticated",
      email: "a@example.com",
      user_metadata: metadata,
    };
    const session = { access_token: token, token_type: "bearer", expires_in: 3600, refresh_token: "r1", user };
    response.setHeader("content-type", "application/json").end(JSON.stringify(session));
  };
  const client = createServerClient(project.url, "sb_publishable_tests", {
    cookies: {
      getAll: () => [...jar].map(([name, value]) => ({ name, value })),
      setAll: (all) => {
        for (const { name, value } of all) {
          if (value === "") jar.delete(name);
          else jar.set(name, value);
        }
      },
    },
  });
  const { error } = await client.auth.signInWithPassword({ email: "alice@example.com", password: "correct horse" });
  if (error !== null) throw error;
  await new Promise((resolve) => setTimeout(resolve, 50));
  return jar;
}

const asAlice = {
  subject: alice,
  tenant: "",
  scopes: [],
  roles: [],
};

describe("issuers: supabase tokens", () => {
  it("admits a user who signed in, and takes no role of the database for one of the application", async () => {
    expect(await ask(door, bearing(await project.sign(claims())))).toEqual({
      ...asAlice,
      kind: "jwt",
      issuer: `${project.url}/auth/v1`,
      ambient: false,
    });
  });

  it.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ["the anon key", { sub: undefined, aud: undefined, role: "anon", session_id: undefined }, /registered claim/],
    ["a service_role token, even one with a subject and an audience", { role: "service_role" }, /role/],
    ["an anon token, even one with a subject and an audience", { role: "anon" }, /role/],
    ["a role of the application's own making", { role: "admin" }, /role/],
    ["several roles", { role: ["authenticated", "service_role"] }, /role/],
    ["no role", { role: undefined }, /role/],
    ["an anonymous user", { is_anonymous: true }, /anonymous/],
    ["a user whose anonymity is no boolean", { is_anonymous: "false" }, /anonymous/],
    ["a token given to an OAuth client", { client_id: "9a8b7c6d" }, /OAuth client/],
    ["another audience", { aud: "anon" }, /audience/],
    ["no audience", { aud: undefined }, /audience/],
    ["an expired one", { iat: 1_000_000_000, exp: 1_000_003_600 }, /expired/],
    ["a key that lives for ten years", { iat: 1_700_000_000, exp: 2_015_000_000 }, /too long ago/],
    ["an ID token", { nonce: "n" }, /nonce/],
  ])("refuses %s", async (_, change, reason) => {
    const refused = await ask(door, bearing(await project.sign(claims(change))));
    expect(refused).toMatchObject({ code: "bad-token", reason: expect.stringMatching(reason) });
  });

  it("refuses another project's token, whoever it says it is from", async () => {
    expect(await ask(door, bearing(await other.sign(claims({ iss: `${other.url}/auth/v1` }))))).toMatchObject({
      code: "bad-credential",
    });
    expect(await ask(door, bearing(await other.sign(claims())))).toMatchObject({ code: "bad-token" });
  });

  it("refuses an issuer that merely begins alike", async () => {
    for (const iss of ["supabase", project.url, `${project.url}/auth/v1/`, `${project.url}.evil.example/auth/v1`]) {
      expect(await ask(door, bearing(await project.sign(claims({ iss }))))).toMatchObject({ code: "bad-credential" });
    }
  });

  it("refuses a token without a type and one signed with the public key as a secret", async () => {
    const untyped = await project.sign(claims(), { typ: undefined });
    expect(await ask(door, bearing(untyped))).toMatchObject({ reason: "typ is not accepted" });
    const confused = await new SignJWT({ ...claims() })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setIssuedAt()
      .setExpirationTime("10m")
      .sign(new TextEncoder().encode(JSON.stringify(project.publicJwk)));
    expect(await ask(door, bearing(confused))).toMatchObject({ reason: "alg is not allowed" });
  });

  describe("legacy secret", () => {
    const legacySecret = "super-secret-jwt-token-with-at-least-32-characters-long";
    const hs256 = (payload: Readonly<Record<string, unknown>>, key = legacySecret): Promise<string> =>
      new SignJWT({ ...payload }).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(new TextEncoder().encode(key));

    it("admits users by the secret, and neither the anon nor the service_role key it signed", async () => {
      const legacy = await openDoor(whoApi([supabase({ project: project.url, legacySecret })]));
      const now = Math.floor(Date.now() / 1000);
      const times = { iat: now, exp: now + 3600 };
      expect(await ask(legacy, bearing(await hs256({ ...claims(), ...times })))).toMatchObject(asAlice);
      // As the dashboard shows them: another issuer, no subject, no audience, ten years.
      for (const role of ["anon", "service_role"]) {
        const key = { iss: "supabase", ref: "abcdefghijklmnopqrst", role, iat: now - 86_400, exp: now + 315_360_000 };
        expect(await ask(legacy, bearing(await hs256(key)))).toMatchObject({ code: "bad-credential" });
        expect(await ask(legacy, bearing(await hs256({ ...key, iss: `${project.url}/auth/v1` })))).toMatchObject({
          code: "bad-token",
        });
      }
      expect(await ask(legacy, bearing(await project.sign(claims())))).toMatchObject({ reason: "alg is not allowed" });
      expect(
        await ask(
          legacy,
          bearing(await hs256({ ...claims(), ...times }, "another-secret-of-at-least-32-characters-x")),
        ),
      ).toMatchObject({ code: "bad-token" });
      await legacy.close();
    });
  });

  it("lets anonymous users and listed OAuth clients in only where the options say so, and the manifest tells", async () => {
    const options = {
      project: project.url,
      dangerouslyAnonymousUsers: "carts before sign-up",
      oauthClients: ["cli-1"],
    };
    const credential = supabase(options);
    const lenient = await openDoor(whoApi([credential]));
    for (const change of [{ is_anonymous: true }, { client_id: "cli-1" }]) {
      expect(await ask(lenient, bearing(await project.sign(claims(change))))).toMatchObject(asAlice);
    }
    expect(await ask(lenient, bearing(await project.sign(claims({ client_id: "cli-2" }))))).toMatchObject({
      code: "bad-token",
    });
    expect(credential.describe()).toMatchObject({
      dangerouslyAnonymousUsers: "carts before sign-up",
      oauthClients: ["cli-1"],
    });
    await lenient.close();
  });

  it("asks the application's own question after its own", async () => {
    const refuses: SupabaseOptions["refuses"] = ({ aal }) => (aal === "aal2" ? undefined : "no second factor");
    const strict = await openDoor(whoApi([supabase({ project: project.url, refuses })]));
    expect(await ask(strict, bearing(await project.sign(claims({ aal: "aal2" }))))).toMatchObject(asAlice);
    expect(await ask(strict, bearing(await project.sign(claims())))).toMatchObject({ reason: "no second factor" });
    expect(await ask(strict, bearing(await project.sign(claims({ aal: "aal2", role: "anon" }))))).toMatchObject({
      reason: expect.stringMatching(/role/),
    });
    await strict.close();
  });

  it.each<[string, Partial<SupabaseOptions>]>([
    ["project", { project: "abcdefghijklmnopqrst" }],
    ["project", { project: "http://abcdefghijklmnopqrst.supabase.co" }],
    ["project", { project: "https://abc.supabase.co?x=1" }],
    ["keys", { legacySecret: "short" }],
    ["dangerouslyAnonymousUsers", { dangerouslyAnonymousUsers: " " }],
    ["oauthClients", { oauthClients: [] }],
  ])("stops the start on a nonsensical %s: %j", (field, over) => {
    const problems = supabase({ project: "https://abc.supabase.co", ...over }).problems();
    expect(problems.map((one) => one.field)).toContain(field);
  });
});

describe("issuers: supabase cookies", () => {
  it("admits by the cookies the real library sets, marks them as ambient and lets the csrf gate judge", async () => {
    const jar = await signIn(await project.sign(claims()));
    expect([...jar.keys()]).toEqual(["sb-127-auth-token"]);
    const sent = cookies(Object.fromEntries(jar));
    expect(await ask(door, sent)).toEqual({
      ...asAlice,
      kind: "sessions",
      issuer: `${project.url}/auth/v1`,
      ambient: true,
    });
    const same = { ...sent, "sec-fetch-site": "same-origin" };
    expect(await ask(door, same, "POST /v1/who")).toMatchObject(asAlice);
    const cross = { ...sent, "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    expect(await ask(door, cross, "POST /v1/who")).toMatchObject({ code: expect.stringMatching(/csrf|cross/) });
  });

  it("puts a session together that the library cut into pieces, in whatever order they are sent", async () => {
    const jar = await signIn(await project.sign(claims()), { bio: "é".repeat(2_000) });
    expect(jar.size).toBeGreaterThan(2);
    const pieces = [...jar];
    expect(await ask(door, cookies(Object.fromEntries(pieces)))).toMatchObject(asAlice);
    expect(await ask(door, cookies(Object.fromEntries(pieces.toReversed())))).toMatchObject(asAlice);
  });

  it("refuses pieces that were tampered with, left out, swapped or left from another sign-in", async () => {
    const jar = Object.fromEntries(await signIn(await project.sign(claims()), { bio: "é".repeat(2_000) }));
    const names = Object.keys(jar);
    const [first = "", second = ""] = names;
    const { [first]: one = "", [second]: two = "" } = jar;
    const { [first]: _, ...withoutFirst } = jar;
    const { [second]: __, ...withoutSecond } = jar;
    for (const bad of [
      withoutFirst,
      withoutSecond,
      { ...jar, [first]: two, [second]: one },
      { ...jar, "sb-127-auth-token": one },
      { ...jar, [first]: one.slice(0, -4) },
      { ...jar, [first]: one.replace("base64-", "") },
    ]) {
      expect(await ask(door, cookies(bad))).toMatchObject({ code: "no-credential" });
    }
  });

  it("checks the token in the cookie as in a header: nobody gets in by a session that merely says who he is", async () => {
    const encode = (session: unknown): string => `base64-${Buffer.from(JSON.stringify(session)).toString("base64url")}`;
    const user = { id: alice, role: "authenticated" };
    for (const session of [
      { user },
      { access_token: "", user },
      { access_token: await other.sign(claims()), user },
      { access_token: await project.sign(claims({ role: "service_role" })), user },
      { access_token: await project.sign(claims({ iat: 1_000_000_000, exp: 1_000_003_600 })), user },
      [await project.sign(claims())],
      "text",
    ]) {
      expect(await ask(door, cookies({ "sb-127-auth-token": encode(session) }))).toMatchObject({
        code: "no-credential",
      });
    }
  });

  it("leaves the cookie of an expired token where it is: its refresh token would be lost with it", async () => {
    const jar = await signIn(await project.sign(claims({ iat: 1_000_000_000, exp: 1_000_003_600 })));
    const reply = await door.ask("GET /v1/who", { headers: cookies(Object.fromEntries(jar)) });
    expect(reply.status).toBe(401);
    expect(reply.headers.get("set-cookie")).toBeUndefined();
    const open = await door.ask("GET /v1/open", { headers: cookies(Object.fromEntries(jar)) });
    expect(open.status).toBe(200);
    expect(open.headers.get("set-cookie")).toBeUndefined();
  });

  it("wants a reason for the name without a prefix, and none for a name with one", () => {
    const where = { project: "https://abcdefghijklmnopqrst.supabase.co" };
    expect(supabaseCookie(where).problems()).toMatchObject([
      { field: "cookies", problem: expect.stringContaining("sb-abcdefghijklmnopqrst-auth-token") },
    ]);
    expect(supabaseCookie({ ...where, ...unprefixed }).problems()).toEqual([]);
    expect(supabaseCookie({ ...where, cookie: "__Host-session" }).problems()).toEqual([]);
  });
});
