import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { readAuth } from "../src/auth-file.ts";
import { identityOf, type ScanOptions, type ScanResult, scan } from "../src/scan.ts";
import { bearer, type CredentialShape, type Shop, type ShopOptions, shopDescription, startShop } from "./shop.ts";

const folder = mkdtempSync(join(tmpdir(), "auth-"));
afterAll(() => rmSync(folder, { recursive: true }));
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function shop(options: ShopOptions = {}): Promise<Shop> {
  const started = await startShop({ open: true, ...options });
  closing.push(() => started.close());
  return started;
}

/** An authentication file with alice and bob, as the format's documentation writes it. */
function authFile(template: string): string {
  const path = join(folder, "auth.yaml");
  writeFileSync(
    path,
    `auth:
  - name: alice
    loginEndpointAuth:
      payloadUserPwd: { username: alice, password: wonderland-1, usernameField: username, passwordField: password }
  - name: bob
    loginEndpointAuth:
      payloadRaw: '{"username":"bob","password":"builder-22"}'
authTemplate:
  loginEndpointAuth:
    endpoint: /login
    verb: POST
    contentType: application/json
${template.replace(/^/gm, "    ")}
`,
  );
  return path;
}

function scanShop(url: string, more: Partial<ScanOptions>): Promise<ScanResult> {
  return scan({ url, openapi: shopDescription, identities: [], only: ["object-access"], seed: 7, ...more });
}

function found(result: ScanResult): string[] {
  return result.verdicts
    .filter(({ verdict }) => verdict === "broken")
    .map(({ check, operation }) => `${check} ${operation}`);
}

const header = (name: string) => (request: { headers: Readonly<Record<string, unknown>> }) => {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
};
const cookieNamed = (name: string) => (request: { headers: { cookie?: string | undefined } }) =>
  new RegExp(`(?:^|; )${name}=([^;]+)`).exec(request.headers.cookie ?? "")?.[1];

const shapes: Readonly<Record<string, readonly [shape: CredentialShape, template: string]>> = {
  "a token in the body, sent with Bearer": [
    bearer,
    `token: { extractFromField: /token, httpHeaderName: Authorization, headerPrefix: "Bearer " }`,
  ],
  "a token deep in an envelope, by the newer members": [
    { issue: (token) => ({ body: { data: { session: [{ authToken: token }] } } }), read: bearer.read },
    `token: { extractFrom: body, extractSelector: /data/session/0/authToken, sendIn: header, sendName: Authorization, sendTemplate: "Bearer {token}" }`,
  ],
  "a token in a header of the answer": [
    { issue: (token) => ({ body: {}, headers: { "x-auth-token": token } }), read: header("x-auth-token") },
    `token: { extractFromHeader: X-Auth-Token, httpHeaderName: X-Auth-Token }`,
  ],
  "a token with another scheme": [
    { issue: bearer.issue, read: (request) => /^Token (.+)$/.exec(request.headers.authorization ?? "")?.[1] },
    `token: { extractFromField: /token, httpHeaderName: Authorization, headerPrefix: "Token " }`,
  ],
  "a token without a scheme": [
    { issue: bearer.issue, read: header("authorization") },
    `token: { extractFromField: /token, httpHeaderName: Authorization }`,
  ],
  "a cookie": [
    {
      issue: (token) => ({ headers: { "set-cookie": [`theme=dark; Path=/`, `sid=${token}; HttpOnly`] } }),
      read: cookieNamed("sid"),
    },
    "expectCookies: true",
  ],
  "a token that is sent as a cookie": [
    { issue: bearer.issue, read: cookieNamed("auth") },
    `token: { extractFrom: body, extractSelector: /token, sendIn: cookie, sendName: auth, sendTemplate: "{token}" }`,
  ],
  "nothing said, a cookie": [
    { issue: (token) => ({ headers: { "set-cookie": `sid=${token}; HttpOnly` } }), read: cookieNamed("sid") },
    "",
  ],
  "nothing said, a cookie beside one whose value is no percent encoding": [
    {
      issue: (token) => ({ headers: { "set-cookie": ["csrf=100%; Path=/", `sid=${token}; HttpOnly`] } }),
      read: cookieNamed("sid"),
    },
    "",
  ],
  "nothing said, a token deep inside that a header of the API's own carries": [
    {
      issue: (token) => ({ body: { result: { credentials: { accessToken: token } } } }),
      read: header("x-access-token"),
    },
    "",
  ],
};

describe("a user of an authentication file", () => {
  it.each(Object.keys(shapes))("signs in and is proved by %s", async (name) => {
    const [shape, template] = shapes[name] ?? [bearer, ""];
    const { url } = await shop({ shape });
    const result = await scanShop(url, { auth: authFile(template) });
    expect(result.identities).toEqual(["alice", "bob"]);
    expect(found(result)).toEqual(expect.arrayContaining(["foreign-read GET /orders/:id"]));
    expect(JSON.stringify(result)).not.toMatch(/tok-|wonderland|builder/);
  });

  it("signs in again by itself when a token lives for two seconds", async () => {
    const { url, signIns } = await shop({ lifetimeMs: 2000 });
    const result = await scanShop(url, {
      auth: authFile(""),
      only: ["object-access", "authentication", "input", "output"],
      // Slow enough to outlive a token.
      rate: 60,
    });
    expect(signIns()).toBeGreaterThan(2);
    expect(found(result)).toEqual(expect.arrayContaining(["foreign-read GET /orders/:id"]));
    expect(result.verdicts.filter(({ why }) => /credential stopped working/.test(why))).toEqual([]);
  });

  it("signs in again when every token is taken back in the middle", async () => {
    const started = await shop();
    let checks = 0;
    const result = await scanShop(started.url, {
      auth: authFile(""),
      only: ["object-access", "input", "output", "errors"],
      onProgress: () => {
        checks += 1;
        if (checks === 8) started.expireAll();
      },
    });
    expect(started.signIns()).toBeGreaterThanOrEqual(4);
    expect(result.verdicts.filter(({ why }) => /credential stopped working/.test(why))).toEqual([]);
    expect(result.leftovers).toEqual([]);
  });

  it("may sign in at another server of this machine, and at no other host", async () => {
    const started = await shop();
    const away = createServer((request, response) => {
      void fetch(`${started.url}/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"username":"alice","password":"wonderland-1"}',
      })
        .then((answer) => answer.text())
        .then((text) => response.writeHead(200, { "content-type": "application/json" }).end(text));
      request.resume();
    });
    await new Promise<void>((resolve) => away.listen(0, "127.0.0.1", resolve));
    closing.push(() => new Promise((resolve) => away.close(() => resolve())));
    const address = away.address();
    const port = typeof address === "object" ? address?.port : 0;
    const fileOf = (endpoint: string) => {
      const path = join(folder, "external.json");
      const login = { externalEndpointURL: endpoint, verb: "POST", payloadRaw: "{}", contentType: "application/json" };
      writeFileSync(path, JSON.stringify({ auth: [{ name: "alice", loginEndpointAuth: login }] }));
      return path;
    };
    const result = await scanShop(started.url, {
      auth: fileOf(`http://127.0.0.1:${port}/token`),
      only: ["authentication"],
      register: false,
    });
    expect(result.identities).toEqual(["alice"]);
    await expect(scanShop(started.url, { auth: fileOf("https://id.example.com/token") })).rejects.toThrow(
      /id\.example\.com\/token is on another host.*--consent id\.example\.com/,
    );
  });

  it("whose sign-in is refused ends the scan with the reason, and shows no password", async () => {
    const { url } = await shop();
    const path = join(folder, "wrong.json");
    const login = { endpoint: "/login", verb: "POST", payloadRaw: '{"username":"alice","password":"guess-me"}' };
    writeFileSync(path, JSON.stringify({ auth: [{ name: "alice", loginEndpointAuth: login }] }));
    const failed = scanShop(url, { auth: path });
    await expect(failed).rejects.toThrow(/alice could not sign in: POST \/login answered 401/);
    await failed.catch((error: unknown) => expect(String(error)).not.toContain("guess-me"));
  });

  it("whose password stands in the address of a sign-in is shown no more of it than that it was refused", async () => {
    const { url } = await shop();
    const path = join(folder, "in-address.json");
    const login = { endpoint: "/login-by-get?user=alice&pass=guess-m3", verb: "GET" };
    writeFileSync(path, JSON.stringify({ auth: [{ name: "alice", loginEndpointAuth: login }] }));
    const error: unknown = await scanShop(url, { auth: path }).catch((caught: unknown) => caught);
    expect(String(error)).toMatch(/alice could not sign in: GET \/login-by-get\?user=alice&pass=<alice> answered 404/);
    expect(inspect(error, { depth: 9 })).not.toContain("guess-m3");
  });

  it("has the headers it was given, and what goes with them", () => {
    const [foo] = readAuth(
      {
        auth: [
          {
            name: "foo",
            roles: ["admin"],
            fixedHeaders: [
              { name: "Authorization", value: " some static token" },
              { name: "X-Tenant", value: "acme" },
            ],
          },
        ],
      },
      "auth.yaml",
    );
    expect(foo).toEqual({
      name: "foo",
      roles: ["admin"],
      headers: [
        ["authorization", "some static token"],
        ["x-tenant", "acme"],
      ],
      login: undefined,
    });
  });

  it.each([
    [{}, /has no "auth" list of users/],
    [{ auth: [{}] }, /every user under "auth" needs a name/],
    [{ auth: [{ name: "a" }] }, /a: neither fixedHeaders nor loginEndpointAuth/],
    [{ auth: [{ name: "a", loginEndpointAuth: { verb: "POST" } }] }, /needs an endpoint such as \/login/],
    [{ auth: [{ name: "a", loginEndpointAuth: { endpoint: "/l", verb: "BREW" } }] }, /BREW is no verb/],
    [
      { auth: [{ name: "a", loginEndpointAuth: { endpoint: "/l", payloadUserPwd: { username: "a" } } }] },
      /payloadUserPwd needs/,
    ],
    [
      { auth: [{ name: "a", loginEndpointAuth: { endpoint: "/l", token: { extractFromField: "token" } } }] },
      /no JSON Pointer/,
    ],
    [
      {
        auth: [
          { name: "a", loginEndpointAuth: { endpoint: "/l", token: { extractFromField: "/t", sendIn: "query" } } },
        ],
      },
      /in the query is not supported/,
    ],
    [{ auth: [{ name: "a", fixedHeaders: [{ name: "X Y", value: "1" }] }] }, /a header needs a name/],
  ])("that is written wrongly is named: %j", (document, message) => {
    expect(() => readAuth(document, "auth.yaml")).toThrow(message);
  });
});

describe("where too few callers are given", () => {
  it("throwaway users register, sign in and find what needs two", async () => {
    const { url } = await shop({ registration: true });
    const result = await scanShop(url, {});
    expect(result.identities).toEqual(["user1", "user2"]);
    expect(found(result)).toEqual(expect.arrayContaining(["foreign-read GET /orders/:id"]));
    expect(result.assumptions.join(" ")).toContain("user1 and user2 registered by POST /register");
    expect(JSON.stringify(result)).not.toMatch(/tok-|-9aZ!/);
  });

  it("an account that is nobody else's is registered for the probes of sign-in, unless one was given", async () => {
    const { url } = await shop({ registration: true });
    const scanned = async (more: Parameters<typeof scanShop>[1]) => {
      const { verdicts, assumptions } = await scanShop(url, { only: ["sessions"], ...more });
      const words = verdicts.find(({ check, operation }) => check === "one-answer" && operation === "POST /login");
      return { verdict: words?.verdict, isSaid: assumptions.join(" ").includes("an account that is nobody else's") };
    };
    expect(await scanned({})).toEqual({ verdict: "held", isSaid: true });
    const alice = { user: "alice", password: "wonderland-1" };
    expect(await scanned({ accounts: [alice] })).toEqual({ verdict: "held", isSaid: false });
    expect(await scanned({ register: false })).toEqual({ verdict: undefined, isSaid: false });
  });

  it("one joins the one that was given, and nobody where that is not wanted", async () => {
    const { url } = await shop({ registration: true });
    const alice = authFile("").replace("auth.yaml", "auth.yaml");
    expect((await scanShop(url, { auth: alice, only: ["errors"] })).identities).toEqual(["alice", "bob"]);
    expect((await scanShop(url, { register: false, only: ["errors"] })).identities).toEqual([]);
  });

  it("says why nobody could register", async () => {
    const { url } = await shop();
    const result = await scanShop(url, { only: ["errors"] });
    expect(result.assumptions.join(" ")).toMatch(/No user could be registered: POST \/register answered 404/);
  });

  it("accounts sign in", async () => {
    const { url } = await shop();
    const accounts = [
      { user: "alice", password: "wonderland-1" },
      { user: "bob", password: "builder-22" },
    ];
    const result = await scanShop(url, { accounts });
    expect(result.identities).toEqual(["account1", "account2"]);
    expect(found(result)).toEqual(expect.arrayContaining(["foreign-read GET /orders/:id"]));
  });
});

describe("a credential as a person writes it", () => {
  it.each([
    ["Bearer abc", { header: ["authorization", "Bearer abc"], scheme: "Bearer", secret: "abc" }],
    ["Token abc", { header: ["authorization", "Token abc"], scheme: "Token", secret: "abc" }],
    ["Authorization: abc", { header: ["authorization", "abc"], scheme: "", secret: "abc" }],
    ["Authorization: Basic YWJj", { header: ["authorization", "Basic YWJj"], scheme: "Basic", secret: "YWJj" }],
    ["X-Shop-Key: abc", { kind: "header", header: ["x-shop-key", "abc"], secret: "abc" }],
    [
      "Cookie: theme=dark; sid=abc",
      { kind: "cookie", cookie: "sid", secret: "abc", header: ["cookie", "theme=dark; sid=abc"] },
    ],
    ["cookie:a=1", { kind: "cookie", cookie: "a", secret: "1" }],
  ])("%s is understood", (credential, expected) => {
    expect(identityOf("alice", credential)).toMatchObject(expected);
  });
});
