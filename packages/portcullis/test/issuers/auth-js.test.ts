import { Auth, skipCSRFCheck, type AuthConfig } from "@auth/core";
import type { Adapter, AdapterSession, AdapterUser, VerificationToken } from "@auth/core/adapters";
import { encode } from "@auth/core/jwt";
import Credentials from "@auth/core/providers/credentials";
import { base64url, CompactEncrypt, type CompactJWEHeaderParameters } from "jose";
import { authJs, authJsDatabase, type AuthJsOptions } from "portcullis/issuers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDoor, type FrontDoor } from "../front-door.ts";
import { ask, cookies, whoApi } from "./who.ts";

const name = "__Secure-authjs.session-token";
const secret = "q3vVbL0l8mJpN1sXc7Tt2yWzR5kEaHdU9oGfI4uQx6M=";
const older = "Zx8Wc5Qn2Lk7Vb0Pm3Ta6Ry9Ud1Ge4Hj8Fi5Ox2Sq7M=";

const plainHeader = { alg: "dir", enc: "A256CBC-HS512" };

let door: FrontDoor;

beforeAll(async () => {
  door = await openDoor(whoApi([authJs({ secret: [secret, older], rolesFromToken: "roles" })]));
});

afterAll(() => door.close());

/** Signs alice in with the real library and returns the session cookies it sets. */
async function signIn(
  user: Readonly<Record<string, unknown>>,
  over: Partial<AuthConfig> = {},
): Promise<Record<string, string>> {
  const answer = await Auth(
    new Request("https://app.example.com/auth/callback/credentials", {
      method: "POST",
      body: new URLSearchParams({ password: "correct horse" }),
    }),
    {
      secret,
      trustHost: true,
      skipCSRFCheck,
      providers: [Credentials({ credentials: { password: {} }, authorize: () => ({ id: "alice", ...user }) })],
      callbacks: { jwt: ({ token, user: signedIn }) => ({ ...token, ...signedIn }) },
      ...over,
    },
  );
  return sessionCookies(answer);
}

function sessionCookies(answer: Response): Record<string, string> {
  const pairs = answer.headers.getSetCookie().map((line) => (line.split(";")[0] ?? "").split("="));
  return Object.fromEntries(
    pairs.filter(([key = ""]) => key.includes("session-token")).map(([key = "", ...rest]) => [key, rest.join("=")]),
  );
}

/** A cookie sealed by the real library, with whatever a test wants otherwise. */
function seal(
  token: Readonly<Record<string, unknown>>,
  over: { secret?: string; salt?: string; maxAge?: number } = {},
): Promise<string> {
  return encode({ token: { sub: "alice", ...token }, secret, salt: name, ...over });
}

describe("issuers: Auth.js", () => {
  it("admits by the cookie the real library sets, marked as ambient, and lets the csrf gate judge", async () => {
    const jar = await signIn({ name: "Alice", roles: ["editor"] });
    expect(Object.keys(jar)).toEqual([name]);
    expect(await ask(door, cookies(jar))).toEqual({
      subject: "alice",
      tenant: "",
      scopes: [],
      roles: ["editor"],
      kind: "sessions",
      issuer: "authjs",
      ambient: true,
    });
    const cross = { ...cookies(jar), "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    expect(await ask(door, cross, "POST /v1/who")).toMatchObject({ code: expect.stringMatching(/csrf|cross/) });
  });

  it("puts a cookie together that the library cut into pieces, and refuses pieces that were touched", async () => {
    const jar = await signIn({ name: "A".repeat(4_000) });
    const names = Object.keys(jar);
    expect(names).toEqual([`${name}.0`, `${name}.1`]);
    expect(await ask(door, cookies(jar))).toMatchObject({ subject: "alice" });
    const [first = "", second = ""] = Object.values(jar);
    for (const bad of [
      { [`${name}.0`]: first },
      { [`${name}.1`]: second },
      { [`${name}.0`]: second, [`${name}.1`]: first },
      { [`${name}.0`]: first, [`${name}.1`]: `${second.slice(0, -1)}${second.endsWith("A") ? "B" : "A"}` },
      {
        [`${name}.0`]: `${first.slice(0, 900)}${first.at(900) === "A" ? "B" : "A"}${first.slice(901)}`,
        [`${name}.1`]: second,
      },
      { [name]: first, [`${name}.0`]: first, [`${name}.1`]: second },
      { [`${name}.0`]: first, [`${name}.2`]: second },
    ]) {
      expect(await ask(door, cookies(bad))).toMatchObject({ code: "no-credential" });
    }
  });

  it("knows one spelling of a cookie: a bit that decoding drops makes it another text and no other cookie", async () => {
    const sealed = await seal({});
    const last = sealed.charCodeAt(sealed.length - 1);
    // The tag's 32 bytes leave two bits of the last character unused, so the next one decodes to the same bytes.
    const respelled = `${sealed.slice(0, -1)}${sealed.endsWith("Z") ? "b" : String.fromCharCode(last + 1)}`;
    expect(base64url.decode(respelled.slice(-43))).toEqual(base64url.decode(sealed.slice(-43)));
    expect(await ask(door, cookies({ [name]: sealed }))).toMatchObject({ subject: "alice" });
    expect(await ask(door, cookies({ [name]: respelled }))).toMatchObject({ code: "no-credential" });
    expect(await ask(door, cookies({ [name]: `${sealed}=` }))).toMatchObject({ code: "no-credential" });
  });

  it("opens with the older secret while it rotates, and with no other", async () => {
    expect(await ask(door, cookies({ [name]: await seal({}, { secret: older }) }))).toMatchObject({ subject: "alice" });
    const foreign = await seal({}, { secret: "another secret of thirty-two bytes or more" });
    expect(await ask(door, cookies({ [name]: foreign }))).toMatchObject({ reason: "no secret opens the cookie" });
  });

  it.each(["authjs.session-token", "__Secure-authjs.csrf-token", "__Host-authjs.session-token", ""])(
    "refuses what was sealed for another cookie: salt %j",
    async (salt) => {
      expect(await ask(door, cookies({ [name]: await seal({}, { salt }) }))).toMatchObject({
        code: "no-credential",
        reason: "no secret opens the cookie",
      });
    },
  );

  it("refuses an expired one, one without a subject or times, and one too old although it has not expired", async () => {
    expect(await ask(door, cookies({ [name]: await seal({}, { maxAge: -60 }) }))).toMatchObject({ reason: "expired" });
    expect(await ask(door, cookies({ [name]: await seal({ sub: undefined }) }))).toMatchObject({
      reason: expect.stringMatching(/registered claim/),
    });
    const now = Math.floor(Date.now() / 1000);
    const key = await derived();
    const sealed = (payload: unknown, header: CompactJWEHeaderParameters = plainHeader): Promise<string> =>
      new CompactEncrypt(new TextEncoder().encode(JSON.stringify(payload))).setProtectedHeader(header).encrypt(key);
    const whole = { sub: "alice", iat: now, exp: now + 60 };
    expect(await ask(door, cookies({ [name]: await sealed(whole) }))).toMatchObject({ subject: "alice" });
    for (const [change, reason] of [
      [{ exp: undefined }, /registered claim/],
      [{ iat: undefined }, /registered claim/],
      [{ exp: "tomorrow" }, /registered claim/],
      [{ iat: now - 90_000, exp: now + 60 }, /too long ago/],
      [{ iat: now + 600, exp: now + 900 }, /in the future/],
    ] as const) {
      expect(await ask(door, cookies({ [name]: await sealed({ ...whole, ...change }) }))).toMatchObject({
        reason: expect.stringMatching(reason),
      });
    }
    // Auth.js compresses nothing, and what is compressed can be far more than it seems (RFC 8725 section 3.6).
    const compressed = await sealed(whole, { alg: "dir", enc: "A256CBC-HS512", zip: "DEF" });
    expect(await ask(door, cookies({ [name]: compressed }))).toMatchObject({ code: "no-credential" });
    for (const odd of [[whole], "alice", null]) {
      expect(await ask(door, cookies({ [name]: await sealed(odd) }))).toMatchObject({ code: "no-credential" });
    }
  });

  it("refuses what is not sealed the way Auth.js seals: signed, unsealed, or with an algorithm of its own choice", async () => {
    const parts = (await seal({})).split(".");
    const head = (fields: unknown): string => base64url.encode(JSON.stringify(fields));
    const plain = base64url.encode(JSON.stringify({ sub: "alice", iat: 1, exp: 4_000_000_000 }));
    for (const value of [
      `${head({ alg: "none" })}.${plain}.`,
      plain,
      "alice",
      [head({ alg: "dir", enc: "A256GCM" }), ...parts.slice(1)].join("."),
      [head({ alg: "PBES2-HS256+A128KW", enc: "A256CBC-HS512", p2c: 1, p2s: "eA" }), ...parts.slice(1)].join("."),
      [parts[0], "AAAA", ...parts.slice(2)].join("."),
      [...parts.slice(0, 4), "AAAA"].join("."),
    ]) {
      expect(await ask(door, cookies({ [name]: value }))).toMatchObject({ code: "no-credential" });
    }
  });

  it("believes no issuer a callback wrote into the cookie", async () => {
    const sealed = await seal({ iss: "https://id.example.com" });
    expect(await ask(door, cookies({ [name]: sealed }))).toMatchObject({ issuer: "authjs" });
  });

  it("leaves a bad cookie in the browser", async () => {
    const reply = await door.ask("GET /v1/who", { headers: cookies({ [name]: "x" }) });
    expect([reply.status, reply.headers.get("set-cookie")]).toEqual([401, undefined]);
  });

  it.each<[string, Partial<AuthJsOptions>]>([
    ["secret", { secret: "short" }],
    ["secret", { secret: [] }],
    ["secret", { secret: "a".repeat(64) }],
    ["secret", { secret: [secret, "short"] }],
    ["maxAgeSeconds", { maxAgeSeconds: 2_592_001 }],
    ["cookies", { cookie: "authjs.session-token" }],
  ])("stops the start on a nonsensical %s: %j", (field, over) => {
    expect(
      authJs({ secret, ...over })
        .problems()
        .map((one) => one.field),
    ).toContain(field);
  });
});

/** The key a cookie of this name is sealed with, derived as the library's documentation says. */
async function derived(): Promise<Uint8Array> {
  const utf8 = new TextEncoder();
  const material = await crypto.subtle.importKey("raw", utf8.encode(secret), "HKDF", false, ["deriveBits"]);
  const info = utf8.encode(`Auth.js Generated Encryption Key (${name})`);
  const bits = await crypto.subtle.deriveBits(
    { name: "HKDF", hash: "SHA-256", salt: utf8.encode(name), info },
    material,
    512,
  );
  return new Uint8Array(bits);
}

describe("issuers: Auth.js with sessions in a database", () => {
  const sessions = new Map<string, AdapterSession>();
  const users = new Map<string, AdapterUser>();
  const mails = new Map<string, VerificationToken>();
  const adapter: Adapter = {
    createUser: (user) => {
      users.set(user.id, user);
      return user;
    },
    getUser: (id) => users.get(id) ?? null,
    getUserByEmail: (email) => [...users.values()].find((user) => user.email === email) ?? null,
    updateUser: (user) => {
      const updated = { ...users.get(user.id), ...user };
      const whole: AdapterUser = { email: "", emailVerified: null, ...updated };
      users.set(user.id, whole);
      return whole;
    },
    createSession: (session) => {
      sessions.set(session.sessionToken, session);
      return session;
    },
    getSessionAndUser(token) {
      const session = sessions.get(token);
      const user = users.get(session?.userId ?? "");
      return session === undefined || user === undefined ? null : { session, user };
    },
    createVerificationToken: (mail) => {
      mails.set(mail.identifier, mail);
      return mail;
    },
    useVerificationToken({ identifier }) {
      const mail = mails.get(identifier) ?? null;
      mails.delete(identifier);
      return mail;
    },
  };

  it("asks the adapter on every request, so that a session that was deleted or ran out is over at once", async () => {
    let link = "";
    const config: AuthConfig = {
      secret,
      trustHost: true,
      skipCSRFCheck,
      adapter,
      session: { strategy: "database" },
      providers: [
        {
          id: "email",
          type: "email",
          name: "Email",
          from: "no-reply@example.com",
          maxAge: 600,
          options: {},
          sendVerificationRequest: ({ url }) => {
            link = url;
          },
        },
      ],
    };
    await Auth(
      new Request("https://app.example.com/auth/signin/email", {
        method: "POST",
        body: new URLSearchParams({ email: "alice@example.com" }),
      }),
      config,
    );
    const jar = sessionCookies(await Auth(new Request(link), config));
    expect(Object.keys(jar)).toEqual([name]);
    const [user] = [...users.values()];
    const door2 = await openDoor(whoApi([authJsDatabase({ adapter, tenant: () => "acme" })]));
    expect(await ask(door2, cookies(jar))).toMatchObject({ subject: user?.id, tenant: "acme", ambient: true });

    const [session] = [...sessions.values()];
    if (session === undefined) throw new Error("no session was stored");
    session.expires = new Date(Date.now() - 1_000);
    expect(await ask(door2, cookies(jar))).toMatchObject({ reason: "expired" });
    session.expires = new Date(Number.NaN);
    expect(await ask(door2, cookies(jar))).toMatchObject({ reason: "expired" });
    session.expires = new Date(Date.now() + 60_000);
    expect(await ask(door2, cookies(jar))).toMatchObject({ subject: user?.id });
    expect(await ask(door2, cookies({ [name]: "guess" }))).toMatchObject({ code: "no-credential" });
    sessions.clear();
    expect(await ask(door2, cookies(jar))).toMatchObject({ code: "no-credential" });
    await door2.close();
  });

  it("knows nobody where the adapter's users have no ids, whatever is made of them", async () => {
    // What an adapter finds whose columns are called otherwise; all its users would be one.
    const nobody: { id: string; userId: string } = JSON.parse("{}");
    const session = { userId: nobody.userId, expires: new Date(Date.now() + 60_000) };
    const unnamed = { getSessionAndUser: () => ({ session, user: { id: nobody.id } }) };
    for (const mapping of [{}, { subject: "iss-and-sub" }] as const) {
      const door2 = await openDoor(whoApi([authJsDatabase({ adapter: unnamed, ...mapping })]));
      expect(await ask(door2, cookies({ [name]: "a-session" }))).toMatchObject({ code: "no-credential" });
      await door2.close();
    }
  });

  it("stops the start where the adapter keeps no sessions", () => {
    expect(authJsDatabase({ adapter: {} }).problems()).toMatchObject([{ field: "adapter" }]);
  });
});
