import { betterAuth as createBetterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { jwt as jwtPlugin } from "better-auth/plugins";
import { jwtVerify } from "jose";
import { betterAuth, betterAuthTokens } from "portcullis/issuers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDoor, type FrontDoor } from "../front-door.ts";
import { openIssuer, type Issuer } from "./issuer.ts";
import { ask, bearing, cookies, whoApi } from "./who.ts";

const name = "__Secure-better-auth.session_token";

function instance(baseURL: string, secret = "Jq7Xv2Lm9Tz4Rb6Wd1Kc8Pn3Fg5Hs0Ye") {
  const rows: Record<string, Record<string, unknown>[]> = {
    user: [],
    session: [],
    account: [],
    verification: [],
    jwks: [],
  };
  const auth = createBetterAuth({
    baseURL,
    secret,
    database: memoryAdapter(rows),
    emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: true, maxAge: 300 } },
    advanced: { useSecureCookies: true },
    plugins: [jwtPlugin()],
    telemetry: { enabled: false },
    logger: { disabled: true },
  });
  return { auth, rows };
}

type Instance = ReturnType<typeof instance>;

/** Signs somebody up with the real library; returns her id and the cookies it sets. */
async function signUp(
  { auth }: Instance,
  email = "alice@example.com",
): Promise<{ id: string; jar: Record<string, string> }> {
  const { headers, response } = await auth.api.signUpEmail({
    body: { email, password: "correct horse battery", name: "Alice" },
    returnHeaders: true,
  });
  const pairs = headers.getSetCookie().map((line) => (line.split(";")[0] ?? "").split("="));
  return { id: response.user.id, jar: Object.fromEntries(pairs.map(([key = "", ...rest]) => [key, rest.join("=")])) };
}

describe("issuers: Better Auth's sessions", () => {
  let ours: Instance;
  let door: FrontDoor;

  beforeAll(async () => {
    ours = instance("https://app.example.com");
    door = await openDoor(whoApi([betterAuth({ auth: ours.auth })]));
  });

  afterAll(() => door.close());

  it("admits by the cookie the real library sets, marked as ambient, and lets the csrf gate judge", async () => {
    const { id, jar } = await signUp(ours);
    expect(Object.keys(jar)).toContain(name);
    expect(await ask(door, cookies(jar))).toEqual({
      subject: id,
      tenant: "",
      scopes: [],
      roles: [],
      kind: "sessions",
      issuer: "better-auth",
      ambient: true,
    });
    const cross = { ...cookies(jar), "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    expect(await ask(door, cross, "POST /v1/who")).toMatchObject({ code: expect.stringMatching(/csrf|cross/) });
  });

  it("ends with the session, although the library's own cookie cache would carry it on for minutes", async () => {
    const { id, jar } = await signUp(ours, "bob@example.com");
    expect(Object.keys(jar)).toContain("__Secure-better-auth.session_data");
    const headers = new Headers(cookies(jar));
    ours.rows["session"] = (ours.rows["session"] ?? []).filter((row) => row["userId"] !== id);
    expect((await ours.auth.api.getSession({ headers }))?.user.id).toBe(id);
    expect(await ask(door, cookies(jar))).toMatchObject({ code: "no-credential" });
  });

  it("refuses a cookie without its signature, with a foreign one, with another's, and an expired session", async () => {
    const { jar, id } = await signUp(ours, "carol@example.com");
    const other = instance("https://app.example.com", "another secret of thirty-two bytes");
    const [token = "", signature = ""] = (jar[name] ?? "").split(".");
    const [, foreign = ""] = ((await signUp(other)).jar[name] ?? "").split(".");
    const [, bobs = ""] = ((await signUp(ours, "dave@example.com")).jar[name] ?? "").split(".");
    for (const value of [
      token,
      `${token}.`,
      `${token}.${foreign}`,
      `${token}.${bobs}`,
      `x${token}.${signature}`,
      "x",
    ]) {
      expect(await ask(door, cookies({ [name]: value }))).toMatchObject({ code: "no-credential" });
    }
    expect(await ask(door, cookies({ [name]: `${token}.${signature}` }))).toMatchObject({ subject: id });
    for (const row of ours.rows["session"] ?? []) row["expiresAt"] = new Date(Date.now() - 1_000);
    expect(await ask(door, cookies({ [name]: `${token}.${signature}` }))).toMatchObject({ code: "no-credential" });
  });

  it("cannot decide where the instance fails", async () => {
    const failing = { api: { getSession: () => Promise.reject(new Error("database is gone")) } };
    const closed = await openDoor(whoApi([betterAuth({ auth: failing })]));
    expect(await ask(closed, cookies({ [name]: "x.y" }))).toMatchObject({ code: "verifier-unavailable" });
    await closed.close();
  });

  it("gives handlers no session token, and the tenant the options name", async () => {
    const { jar } = await signUp(ours, "erin@example.com");
    const credential = betterAuth({ auth: ours.auth, tenant: ({ user }) => user.email.split("@")[1] });
    const test = whoApi([credential]);
    const { testWorld } = await import("../credentials/environment.ts");
    const world = testWorld();
    world.stepWallClock(Date.now() / 1000 - world.seconds());
    const caller = await credential.build(world.environment).verify(`${name}=${jar[name]}`);
    expect(caller).toMatchObject({ tenant: "example.com", proof: { claims: { session: { id: expect.any(String) } } } });
    expect(JSON.stringify(caller)).not.toContain((jar[name] ?? "").split(".")[0]);
    expect(test.api.problems()).toEqual([]);
  });
});

describe("issuers: Better Auth's tokens", () => {
  let app: Issuer;
  let ours: Instance;
  let door: FrontDoor;

  beforeAll(async () => {
    // The socket the library's own key set is served from.
    app = await openIssuer("EdDSA", []);
    ours = instance(app.url);
    app.answer = (request, response) => {
      void ours.auth.handler(new Request(`${app.url}${request.url}`)).then(async (answer) => {
        response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
      });
    };
    door = await openDoor(whoApi([betterAuthTokens({ baseUrl: app.url })]));
  });

  afterAll(async () => {
    await door.close();
    await app.close();
  });

  it("admits the token the real library signs, by the keys the real library serves", async () => {
    const { id, jar } = await signUp(ours);
    const { token } = await ours.auth.api.getToken({ headers: new Headers(cookies(jar)) });
    expect(await ask(door, bearing(token))).toMatchObject({
      subject: id,
      kind: "jwt",
      roles: [],
      issuer: app.url,
      ambient: false,
    });
  });

  it("refuses what the same keys signed for somebody else", async () => {
    const now = Math.floor(Date.now() / 1000);
    const sign = async (change: Readonly<Record<string, unknown>>): Promise<string> => {
      const payload = { sub: "alice", iat: now, exp: now + 600, ...change };
      return (await ours.auth.api.signJWT({ body: { payload } })).token;
    };
    expect(await ask(door, bearing(await sign({})))).toMatchObject({ subject: "alice" });
    for (const [change, reason] of [
      [{ aud: "another-client" }, /audience/],
      [{ nonce: "n" }, /nonce/],
      [{ at_hash: "h" }, /at_hash/],
      [{ iat: 1_700_000_000, exp: 1_700_000_600 }, /expired/],
      [{ sub: "" }, /registered claim/],
    ] as const) {
      expect(await ask(door, bearing(await sign(change)))).toMatchObject({ reason: expect.stringMatching(reason) });
    }
    expect(await ask(door, bearing(await sign({ iss: "https://evil.example" })))).toMatchObject({
      code: "bad-credential",
    });
  });

  it("refuses another instance's keys, another type, and says in the manifest that types are not required", async () => {
    const claims = { iss: app.url, aud: app.url, sub: "alice" };
    expect(await ask(door, bearing(await app.sign(claims)))).toMatchObject({ code: "bad-token" });
    expect(await ask(door, bearing(await app.sign(claims, { typ: "at+jwt" })))).toMatchObject({
      reason: "typ is not accepted",
    });
    expect(betterAuthTokens({ baseUrl: "https://app.example.com" }).describe()).toMatchObject({
      typ: ["jwt"],
      dangerouslyUntypedTokens: expect.stringMatching(/Better Auth/),
    });
  });

  it("is needed: the library's token has no type", async () => {
    const { jar } = await signUp(ours, "frank@example.com");
    const { token } = await ours.auth.api.getToken({ headers: new Headers(cookies(jar)) });
    const { keys } = await ours.auth.api.getJwks();
    const [key] = keys;
    if (key === undefined) throw new Error("no key");
    expect(
      (await jwtVerify(token, await crypto.subtle.importKey("jwk", key, "Ed25519", true, ["verify"]))).protectedHeader
        .typ,
    ).toBeUndefined();
  });

  it.each(["app.example.com", "http://app.example.com"])("stops the start on a nonsensical baseUrl: %s", (baseUrl) => {
    expect(
      betterAuthTokens({ baseUrl })
        .problems()
        .map((one) => one.field),
    ).toContain("baseUrl");
  });
});
