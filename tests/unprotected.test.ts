import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { createConnection, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import jwt from "jsonwebtoken";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startUnprotected, type Unprotected } from "../examples/projects-unprotected/server.ts";

const HOLES = [
  "api-keys",
  "audit",
  "authentication",
  "body-size",
  "canonical-request",
  "cors",
  "csrf",
  "errors",
  "exposure",
  "function-access",
  "host",
  "injection",
  "input",
  "jwt",
  "mass-assignment",
  "object-access",
  "output",
  "pagination",
  "rate-limit",
  "security-headers",
  "sessions",
  "transport",
  "versioning",
] as const;

const folder = new URL("../examples/projects-unprotected/", import.meta.url);
const NO_SUCH_ID = "00000000-0000-4000-8000-000000000000";

let api: Omit<Unprotected, "close">;

// In a process of its own, so that a request that ended it would be seen.
const server = spawn(process.execPath, [
  "--input-type=module",
  "--eval",
  `import { startUnprotected } from "${new URL("server.ts", folder).href}";
   const { close, ...api } = await startUnprotected({ announce() {} });
   process.once("SIGTERM", close);
   console.log(JSON.stringify(api));`,
]);
const serverEnded = once(server, "exit");

beforeAll(async () => {
  let failure = "";
  server.stderr.on("data", (chunk) => (failure += String(chunk)));
  const started = await Promise.race([once(server.stdout, "data"), serverEnded.then(() => undefined)]);
  if (!started) throw new Error(`The server ended: ${failure}`);
  api = JSON.parse(String(started[0]));
});
afterAll(async () => {
  server.kill("SIGTERM");
  expect(await serverEnded).toEqual([0, null]);
});

test("every hole is marked in the source with its protection id, and no other id is", () => {
  const sources = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const marked = sources.flatMap((name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    return [...text.matchAll(/hole: ([a-z-]+)/g)].map((match) => match[1]);
  });
  expect([...new Set(marked)].sort()).toEqual(HOLES);
});

describe("honest use", () => {
  test("answers the whole surface with the status codes of the protected example", async () => {
    const as = api.tokens.alice;
    const { alice, bob } = api.accounts;
    const signIn = await call("POST", "/v1/sign-in", { json: { email: alice.email, password: alice.password } });
    expect(signIn).toMatchObject({ status: 200, json: { token: expect.any(String), expiresIn: expect.any(Number) } });
    expect(await call("GET", "/v1/me", { as: field(signIn, "token") })).toMatchObject({
      status: 200,
      json: { id: alice.id, name: "alice", email: "alice@acme.example", tenantId: "acme" },
    });
    expect(await call("GET", "/v1/session", { as })).toMatchObject({ status: 200, json: { id: alice.id } });
    expect(await call("PATCH", "/v1/me", { as, json: { name: "alice" } })).toMatchObject({ status: 200 });

    const body = { name: "O'Brien", url: "https://o.example", backendType: "none" };
    const created = await call("POST", "/v1/projects", { as, json: body });
    const createdAt = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(created).toMatchObject({ status: 201, json: { ...body, ownerId: alice.id, createdAt } });
    const project = `/v1/projects/${field(created, "id")}`;
    expect(await call("GET", project, { as })).toMatchObject({ status: 200, json: body });
    expect(await call("PATCH", project, { as, json: { name: "New" } })).toMatchObject({
      status: 200,
      json: { ...body, name: "New" },
    });
    const list = await call("GET", "/v1/projects?limit=2", { as });
    expect(list).toMatchObject({ status: 200, json: { items: [{ name: "New" }, {}], next: expect.any(String) } });
    const second = await call("GET", `/v1/projects?limit=2&cursor=${field(list, "next")}`, { as });
    expect(second).toMatchObject({ status: 200, json: { items: [{}, {}] } });
    expect(second.text).not.toContain(field(created, "id"));
    expect(await call("GET", "/v1/project-pages?limit=2&page=2", { as })).toMatchObject({
      status: 200,
      json: { items: [{}, {}], page: 2, limit: 2, total: expect.any(Number), pages: expect.any(Number) },
    });
    expect(await call("GET", "/v1/search?q=New", { as })).toMatchObject({ json: { items: [{ name: "New" }] } });

    const member = `${project}/members/${bob.id}`;
    const grant = await call("PUT", member, { as, json: { role: "viewer" } });
    expect(grant).toMatchObject({ status: 200, json: { userId: bob.id, role: "viewer" } });
    expect(await call("GET", `${project}/members`, { as })).toMatchObject({
      status: 200,
      json: { items: [{ userId: alice.id, role: "owner" }, { userId: bob.id }], next: null },
    });
    expect(await call("DELETE", member, { as })).toMatchObject({ status: 204 });

    const comment = await call("POST", `${project}/comments`, { as, json: { body: "Well done" } });
    expect(comment).toMatchObject({ status: 201, json: { authorId: alice.id, body: "Well done", createdAt } });
    expect(await call("GET", `${project}/comments`, { as })).toMatchObject({ json: { items: [{}], next: null } });
    const commentPath = `${project}/comments/${field(comment, "id")}`;
    expect(await call("GET", commentPath, { as })).toMatchObject({ status: 200 });
    expect(await call("DELETE", commentPath, { as })).toMatchObject({ status: 204 });
    expect(await call("GET", commentPath, { as })).toMatchObject({ status: 404 });

    const key = await call("POST", "/v1/keys", { as, json: { name: "ci", scopes: ["projects:read"] } });
    expect(key).toMatchObject({ status: 201, json: { name: "ci", scopes: ["projects:read"] } });
    expect(field(key, "key")).toMatch(/^prj_test_[a-z0-9]+_[a-z0-9]+$/);
    expect(await call("GET", "/v1/me", { as: field(key, "key") })).toMatchObject({ json: { id: alice.id } });
    expect(await call("GET", "/v1/keys", { as })).toMatchObject({ status: 200, json: { next: null } });
    expect(await call("DELETE", `/v1/keys/${field(key, "id")}`, { as })).toMatchObject({ status: 204 });

    const asAdmin = { as: api.tokens.admin };
    expect(await call("GET", "/v1/admin/users?limit=1", asAdmin)).toMatchObject({
      status: 200,
      json: { items: [{ id: alice.id, tenantId: "acme", role: "member" }], next: "1" },
    });
    const disable = `/v1/admin/users/${NO_SUCH_ID}/disable`;
    expect(await call("POST", disable, asAdmin)).toMatchObject({ status: 204 });
    expect(await call("GET", "/v1/reports/slow-export", { as })).toMatchObject({ status: 200, json: { createdAt } });
    expect(await call("GET", "/health")).toMatchObject({ status: 200 });
    expect(await call("DELETE", project, { as })).toMatchObject({ status: 204 });
    expect(await call("GET", project, { as })).toMatchObject({ status: 404 });
  });

  test("a caller who is nobody is refused where authentication was not forgotten", async () => {
    for (const path of ["/v1/me", "/v1/session", "/v1/projects", "/v1/keys", "/v1/search", "/v1/admin/users"]) {
      expect(await call("GET", path)).toMatchObject({ status: 401 });
      expect(await call("GET", path, { as: "garbage" })).toMatchObject({ status: 401 });
    }
  });
});

describe("authentication", () => {
  test("a stranger reads the comments of a project and deletes one", async () => {
    const { project, comment } = await aliceComment();
    expect(await call("GET", `/v1/projects/${project}/comments`)).toMatchObject({
      status: 200,
      json: { items: [{ id: comment }] },
    });
    expect(await call("DELETE", `/v1/projects/${project}/comments/${comment}`)).toMatchObject({ status: 204 });
    expect(await call("GET", `/v1/projects/${project}/comments`)).toMatchObject({ json: { items: [] } });
  });
});

describe("jwt", () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const sub = "11111111-1111-4111-8111-111111111111"; // alice
  const forgeries: [string, () => string][] = [
    ["with alg none", () => `${part({ alg: "none", typ: "JWT" })}.${part({ sub, tid: "acme" })}.`],
    ["signed by a stranger", () => jwt.sign({ sub, tid: "acme" }, "somebody else's secret")],
    ["that expired long ago", () => jwt.sign({ sub, tid: "acme", exp: 1 }, api.jwtSecret)],
    ["of another issuer", () => jwt.sign({ sub, iss: "https://evil.example", aud: "other" }, api.jwtSecret)],
  ];
  for (const [what, forge] of forgeries) {
    test(`a token ${what} is alice`, async () => {
      expect(await call("GET", "/v1/me", { as: forge() })).toMatchObject({ status: 200, json: { name: "alice" } });
    });
  }

  test("a bare token passes without its scheme", async () => {
    const headers = { authorization: api.tokens.alice };
    expect(await call("GET", "/v1/me", { headers })).toMatchObject({ status: 200, json: { name: "alice" } });
  });

  test("the secret is found in a list of common ones, and its tokens live for a month", () => {
    const [guessed] = ["password", "changeme", "secret"].filter((secret) => isSignedWith(api.tokens.alice, secret));
    expect(guessed).toBe("secret");
    const payload = jwt.decode(api.tokens.alice, { json: true });
    expect(Number(payload?.exp) - Number(payload?.iat)).toBe(30 * 24 * 3600);
  });
});

describe("api-keys", () => {
  test("a key works in the query", async () => {
    const path = `/v1/me?api_key=${api.keys.alice}`;
    expect(await call("GET", path)).toMatchObject({ status: 200, json: { name: "alice" } });
  });

  test("a key that was issued for reading writes", async () => {
    const renamed = await call("PATCH", "/v1/me", { as: api.keys.carol, json: { name: "carol" } });
    expect(renamed).toMatchObject({ status: 200 });
  });

  test("a revoked key goes on working, and the list shows every key in full", async () => {
    const as = api.tokens.alice;
    const key = await call("POST", "/v1/keys", { as, json: { name: "leaked", scopes: [] } });
    expect((await call("GET", "/v1/keys", { as })).text).toContain(field(key, "key"));
    expect(await call("DELETE", `/v1/keys/${field(key, "id")}`, { as })).toMatchObject({ status: 204 });
    expect(await call("GET", "/v1/me", { as: field(key, "key") })).toMatchObject({ status: 200 });
  });

  test("an unknown key is 403 instead of 401", async () => {
    expect(await call("GET", "/v1/me", { as: "prj_test_nobody_nothing" })).toMatchObject({ status: 403 });
  });
});

describe("sessions", () => {
  test("the cookie has none of its flags", async () => {
    const { setCookie } = await startSession();
    expect(setCookie).toMatch(/^session=/);
    expect(setCookie).not.toMatch(/HttpOnly|Secure|SameSite/i);
  });

  test("the session lives on after signing out", async () => {
    const { cookie } = await startSession();
    expect(await call("DELETE", "/v1/session", { headers: { cookie } })).toMatchObject({ status: 204 });
    expect(await call("GET", "/v1/me", { headers: { cookie } })).toMatchObject({ status: 200 });
  });

  test("a session id that was planted in the browser is the one alice is signed in with", async () => {
    const planted = { cookie: "session=planted-by-mallory" };
    expect(await call("GET", "/v1/me", { headers: planted })).toMatchObject({ status: 401 });
    await startSession(planted);
    expect(await call("GET", "/v1/me", { headers: planted })).toMatchObject({ status: 200, json: { name: "alice" } });
  });

  test("sign-in tells an unknown user from a wrong password", async () => {
    const password = "wrong";
    const unknown = await call("POST", "/v1/sign-in", { json: { email: "nobody@acme.example", password } });
    const wrong = await call("POST", "/v1/sign-in", { json: { email: api.accounts.alice.email, password } });
    expect(unknown).toMatchObject({ status: 404, json: { error: "There is no account for nobody@acme.example" } });
    expect(wrong).toMatchObject({ status: 401, json: { error: "Wrong password for alice" } });
  });
});

describe("function-access", () => {
  test("a member lists every user of every tenant and disables one", async () => {
    const as = api.tokens.bob;
    const users = await call("GET", "/v1/admin/users", { as });
    expect(users.status).toBe(200);
    expect(users.text).toContain("carol@globex.example");
    const disabled = await call("POST", `/v1/admin/users/${api.accounts.carol.id}/disable`, { as });
    expect(disabled).toMatchObject({ status: 204 });
    const after = await call("GET", "/v1/admin/users", { as: api.tokens.admin });
    expect(after.text).toMatch(/"name":"carol"[^}]*"disabled":1/);
  });
});

describe("object-access", () => {
  test("another tenant reads, changes and deletes alice's project", async () => {
    const as = api.tokens.carol;
    const path = `/v1/projects/${await aliceProject("canary-7f3a")}`;
    expect((await call("GET", path, { as })).text).toContain("canary-7f3a");
    await call("PATCH", path, { as, json: { name: "carol was here" } });
    expect((await call("GET", path, { as: api.tokens.alice })).text).toContain("carol was here");
    expect(await call("DELETE", path, { as })).toMatchObject({ status: 204 });
    expect(await call("GET", path, { as: api.tokens.alice })).toMatchObject({ status: 404 });
  });

  test("a comment is read through a project that it does not belong to", async () => {
    const { comment } = await aliceComment();
    const read = await call("GET", `/v1/projects/${NO_SUCH_ID}/comments/${comment}`, { as: api.tokens.carol });
    expect(read).toMatchObject({ status: 200, json: { id: comment } });
  });

  test("anybody becomes the owner of any project", async () => {
    const path = `/v1/projects/${await aliceProject()}/members/${api.accounts.carol.id}`;
    expect(await call("PUT", path, { as: api.tokens.carol, json: { role: "owner" } })).toMatchObject({ status: 200 });
  });

  test("a list shows a colleague's projects, and another tenant's for the asking", async () => {
    const id = await aliceProject();
    expect((await call("GET", "/v1/projects", { as: api.tokens.bob })).text).toContain(id);
    expect((await call("GET", "/v1/projects", { as: api.tokens.carol })).text).not.toContain(id);
    expect((await call("GET", "/v1/projects?tenantId=acme", { as: api.tokens.carol })).text).toContain(id);
  });

  test("anybody revokes anybody's key", async () => {
    const key = await call("POST", "/v1/keys", { as: api.tokens.alice, json: { name: "hers", scopes: [] } });
    const path = `/v1/keys/${field(key, "id")}`;
    expect(await call("DELETE", path, { as: api.tokens.carol })).toMatchObject({ status: 204 });
    expect((await call("GET", "/v1/keys", { as: api.tokens.alice })).text).not.toContain(field(key, "id"));
  });
});

describe("input", () => {
  test("missing, unknown and wrongly typed fields are accepted", async () => {
    const json = { name: { $ne: null }, backendType: "mainframe", surprise: ["anything"] };
    const created = await call("POST", "/v1/projects", { as: api.tokens.alice, json });
    expect(created).toMatchObject({ status: 201, json });
  });

  test("a body that is no JSON at all creates a project", async () => {
    const xml = { headers: { "content-type": "application/xml" }, body: "<project/>" };
    expect(await call("POST", "/v1/projects", { as: api.tokens.alice, ...xml })).toMatchObject({ status: 201 });
  });

  test("a role nobody has heard of is granted", async () => {
    const path = `/v1/projects/${await aliceProject()}/members/not-even-an-id`;
    const granted = await call("PUT", path, { as: api.tokens.alice, json: { role: "emperor" } });
    expect(granted).toMatchObject({ status: 200, json: { role: "emperor" } });
  });
});

describe("mass-assignment", () => {
  test("a user becomes an administrator by saying so, and two values both stick", async () => {
    const as = api.tokens.bob;
    for (const role of ["admin", "member"]) {
      await call("PATCH", "/v1/me", { as, json: { role } });
      expect(await call("GET", "/v1/me", { as })).toMatchObject({ json: { role } });
    }
  });

  test("a project is created in the name of somebody else and given away later", async () => {
    const as = api.tokens.alice;
    const { bob, carol } = api.accounts;
    const json = { name: "yours", ownerId: bob.id, createdAt: "1999-01-01T00:00:00.000Z" };
    const path = `/v1/projects/${field(await call("POST", "/v1/projects", { as, json }), "id")}`;
    expect(await call("GET", path, { as })).toMatchObject({ json });
    await call("PATCH", path, { as, json: { ownerId: carol.id, tenantId: "globex" } });
    expect(await call("GET", path, { as })).toMatchObject({ json: { ownerId: carol.id, tenantId: "globex" } });
  });
});

describe("output", () => {
  test("private columns leave: secrets, notes, password hashes", async () => {
    const as = api.tokens.alice;
    const project = /"backendSecret":"service_role_[0-9a-f]{32}","internalNotes"/;
    for (const path of [`/v1/projects/${await aliceProject()}`, "/v1/projects", "/v1/search?q=", "/v1/project-pages"]) {
      expect((await call("GET", path, { as })).text).toMatch(project);
    }
    for (const path of ["/v1/me", "/v1/session", "/v1/admin/users"]) {
      expect((await call("GET", path, { as })).text).toMatch(/"passwordHash":"[0-9a-f]{32}"/);
    }
  });
});

describe("injection", () => {
  const search = (q: string) => call("GET", `/v1/search?q=${encodeURIComponent(q)}`, { as: api.tokens.carol });

  test("a condition in the search decides what is found", async () => {
    expect((await search("nothing has this name' AND 2=2 --")).json).toEqual({ items: [], next: null });
    expect((await search("nothing has this name' OR 2=3 --")).json).toEqual({ items: [], next: null });
    expect((await search("nothing has this name' OR 2=2 --")).text).toContain("alice's project 1");
  });

  test("a union in the search reads another table", async () => {
    const stolen = await search("no' UNION SELECT id,email,passwordHash,4,5,6,7,8,9 FROM users --");
    expect(stolen.text).toContain("alice@acme.example");
  });

  test("sign-in is opened by an e-mail address that brings its own row", async () => {
    const hash = "900150983cd24fb0d6963f7d28e17f72"; // MD5 of "abc", RFC 1321 appendix A.5
    const email = `x' UNION SELECT id,email,name,tenantId,role,'${hash}',0 FROM users WHERE name='admin' --`;
    expect(await call("POST", "/v1/sign-in", { json: { email, password: "abc" } })).toMatchObject({ status: 200 });
  });
});

describe("rate-limit", () => {
  test("the most expensive route answers as often as it is asked", async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => call("GET", "/v1/reports/slow-export", { as: api.tokens.alice })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  test("the sign-in limit is passed by writing another X-Forwarded-For", async () => {
    const guess = (address: string) =>
      call("POST", "/v1/sign-in", {
        headers: { "x-forwarded-for": address },
        json: { email: api.accounts.bob.email, password: "guess" },
      });
    for (let n = 0; n < 300; n++) await guess("198.51.100.7");
    expect(await guess("198.51.100.7")).toMatchObject({ status: 429 });
    expect(await guess("198.51.100.8")).toMatchObject({ status: 401 });
    expect(await guess("198.51.100.7")).toMatchObject({ status: 429 });
  });
});

describe("body-size", () => {
  test("ten megabytes are read and stored", async () => {
    const json = { name: "big", url: "x".repeat(10 * 1024 * 1024) };
    const created = await call("POST", "/v1/projects", { as: api.tokens.carol, json });
    expect(created.status).toBe(201);
    const path = `/v1/projects/${field(created, "id")}`;
    expect((await call("GET", path, { as: api.tokens.carol })).text.length).toBeGreaterThan(10 * 1024 * 1024);
    await call("DELETE", path, { as: api.tokens.carol });
  });

  test("the body is parsed before the caller is asked who it is", async () => {
    const json = { headers: { "content-type": "application/json" } };
    expect(await call("POST", "/v1/projects", { ...json, body: "{" })).toMatchObject({ status: 400 });
    expect(await call("POST", "/v1/projects", { ...json, body: "{}" })).toMatchObject({ status: 401 });
  });
});

describe("pagination", () => {
  test("a limit of a million, or of -1, is everything", async () => {
    for (const limit of [1_000_000, -1]) {
      const answer = await call("GET", `/v1/projects?limit=${limit}`, { as: api.tokens.alice });
      expect(items(answer).length).toBeGreaterThan(100);
    }
    const page = await call("GET", "/v1/project-pages?limit=1000", { as: api.tokens.alice });
    expect(items(page).length).toBeGreaterThan(100);
  });

  test("the cursor is a number anybody can write", async () => {
    const answer = await call("GET", "/v1/projects?limit=1&cursor=5", { as: api.tokens.alice });
    expect(answer).toMatchObject({ status: 200, json: { next: "6" } });
  });
});

describe("transport", () => {
  test("a password travels over plain http, and no answer asks for https", async () => {
    expect(api.url).toMatch(/^http:/);
    const { email, password } = api.accounts.alice;
    const answer = await call("POST", "/v1/sign-in", { json: { email, password } });
    expect(answer.status).toBe(200);
    expect(answer.headers).not.toHaveProperty("strict-transport-security");
  });
});

describe("host", () => {
  test("any Host is served and becomes a link", async () => {
    const path = `/v1/projects/${await aliceProject()}`;
    const answer = await call("GET", path, { as: api.tokens.alice, headers: { host: "evil.example" } });
    expect(answer).toMatchObject({ status: 200, json: { links: { self: `http://evil.example${path}` } } });
  });

  test("a forwarded host and protocol are believed from anybody", async () => {
    const headers = { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" };
    const created = await call("POST", "/v1/projects", { as: api.tokens.alice, headers, json: { name: "linked" } });
    expect(created.headers.location).toMatch(/^https:\/\/evil\.example\/v1\/projects\//);
  });
});

describe("cors", () => {
  test("every origin, null too, may read with credentials", async () => {
    for (const origin of ["https://evil.example", "null"]) {
      const answer = await call("GET", "/v1/me", { as: api.tokens.alice, headers: { origin } });
      expect(answer.headers["access-control-allow-origin"]).toBe(origin);
      expect(answer.headers["access-control-allow-credentials"]).toBe("true");
    }
  });

  test("a preflight allows methods that the route does not have", async () => {
    const headers = { origin: "https://evil.example", "access-control-request-method": "DELETE" };
    const answer = await call("OPTIONS", "/v1/search", { headers });
    expect(answer.headers["access-control-allow-methods"]).toContain("DELETE");
  });
});

describe("csrf", () => {
  const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };

  for (const [type, body] of [
    ["text/plain", '{"name":"pwned"}'],
    ["application/x-www-form-urlencoded", "name=pwned"],
  ]) {
    test(`a page of another site writes with the cookie and ${type}`, async () => {
      const { cookie } = await startSession();
      const headers = { cookie, "content-type": String(type), ...foreign };
      expect(await call("POST", "/v1/projects", { headers, body: String(body) })).toMatchObject({
        status: 201,
        json: { name: "pwned", ownerId: api.accounts.alice.id },
      });
    });
  }

  test("an image on another site deletes a project", async () => {
    const { cookie } = await startSession();
    const path = `/v1/projects/${await aliceProject()}`;
    const image = await call("GET", `${path}?_method=DELETE`, { headers: { cookie, ...foreign } });
    expect(image.status).toBe(204);
    expect(await call("GET", path, { as: api.tokens.alice })).toMatchObject({ status: 404 });
  });

  test("another site signs a visitor in to its own account", async () => {
    expect((await startSession(foreign)).status).toBe(201);
  });
});

describe("security-headers", () => {
  test("no protective header on any status, and a banner on all", async () => {
    const answers = [
      await call("GET", "/v1/me", { as: api.tokens.alice }),
      await call("GET", "/v1/me"),
      await call("GET", `/v1/projects/${NO_SUCH_ID}`, { as: api.tokens.alice }),
      await call("GET", "/v1/search?q='", { as: api.tokens.alice }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 404, 500]);
    for (const { headers } of answers) {
      expect(headers["x-powered-by"]).toBe("Express");
      for (const name of ["x-content-type-options", "content-security-policy", "x-frame-options", "cache-control"]) {
        expect(headers).not.toHaveProperty(name);
      }
    }
  });
});

describe("canonical-request", () => {
  test("paths match in any case, with a slash at the end and with two in a row", async () => {
    for (const path of ["/V1/Me", "/v1/me/", "/v1//me", "//v1/me"]) {
      const answer = await call("GET", path, { as: api.tokens.alice });
      expect(answer).toMatchObject({ status: 200, json: { name: "alice" } });
    }
  });

  test("the last of two equal keys wins, and __proto__ is just another one", async () => {
    const twice = { headers: { "content-type": "application/json" }, body: '{"name":"a","__proto__":{},"name":"b"}' };
    const created = await call("POST", "/v1/projects", { as: api.tokens.alice, ...twice });
    expect(created).toMatchObject({ status: 201, json: { name: "b" } });
  });

  test("a query value is repeated, made an object, or a number in hexadecimal", async () => {
    for (const query of ["limit=1&limit=2", "limit[$gt]=1", "limit=0x10"]) {
      expect(await call("GET", `/v1/projects?${query}`, { as: api.tokens.alice })).toMatchObject({ status: 200 });
    }
  });

  test("a header changes the method", async () => {
    const path = `/v1/projects/${await aliceProject()}`;
    const headers = { "x-http-method-override": "DELETE" };
    expect(await call("POST", path, { as: api.tokens.alice, headers })).toMatchObject({ status: 204 });
  });

  test("a cookie and a bearer token stand in one request, and the cookie wins", async () => {
    const { cookie } = await startSession();
    const answer = await call("GET", "/v1/me", { as: api.tokens.bob, headers: { cookie } });
    expect(answer).toMatchObject({ status: 200, json: { name: "alice" } });
  });
});

describe("errors", () => {
  test("a quote brings out the SQL and the stack", async () => {
    const answer = await call("GET", "/v1/search?q='", { as: api.tokens.alice });
    expect(answer).toMatchObject({ status: 500, json: { sql: expect.stringContaining("SELECT * FROM projects") } });
    expect(field(answer, "stack")).toMatch(/at .*projects-unprotected\/projects\.ts:\d+:\d+/);
  });

  test("bad JSON brings out a stack as well, and an unknown route is HTML", async () => {
    const bad = { headers: { "content-type": "application/json" }, body: "{" };
    const answer = await call("POST", "/v1/sign-in", bad);
    expect(answer.status).toBe(400);
    expect(field(answer, "stack")).toContain("node_modules/body-parser");
    expect((await call("GET", "/nowhere")).headers["content-type"]).toMatch(/^text\/html/);
  });
});

describe("audit", () => {
  test("failed sign-ins, refusals and administration leave no trace: all it ever prints is the warning", async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL("server.ts", folder))], {
      env: { ...process.env, PORT: "0", HOST: "127.0.0.1" },
    });
    const ended = once(child, "exit");
    let printed = "";
    const url = await new Promise<string>((found, failed) => {
      child.once("exit", () => failed(new Error(`The server ended: ${printed}`)));
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk) => {
          printed += chunk;
          const match = printed.match(/http:\/\/127\.0\.0\.1:\d+\n/);
          if (match) found(match[0].trim());
        });
      }
    });
    const warning = printed.trim();
    try {
      const wrong = { email: api.accounts.alice.email, password: "wrong" };
      expect(await call("POST", "/v1/sign-in", { url, json: wrong })).toMatchObject({ status: 401 });
      expect(await call("GET", "/v1/me", { url })).toMatchObject({ status: 401 });
      const disable = `/v1/admin/users/${api.accounts.bob.id}/disable`;
      expect(await call("POST", disable, { url, as: api.tokens.bob })).toMatchObject({ status: 204 });
    } finally {
      child.kill("SIGTERM");
    }
    expect(await ended).toEqual([0, null]);
    expect(warning).toContain("UNPROTECTED ON PURPOSE");
    expect(printed.trim()).toBe(warning);
  });
});

describe("versioning", () => {
  test("the old version is served, says nothing about its age and shows every tenant", async () => {
    const answer = await call("GET", "/v0/projects", { as: api.tokens.bob });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain("carol's project 0");
    expect(answer.headers).not.toHaveProperty("sunset");
    expect(answer.headers).not.toHaveProperty("deprecation");
  });

  test("methods nobody declared are answered", async () => {
    for (const method of ["PUT", "DELETE", "PROPFIND"]) {
      expect(await call(method, "/v1/me", { as: api.tokens.alice })).toMatchObject({ status: 200 });
    }
  });

  test("TRACE reads the credential back", async () => {
    const answer = await call("TRACE", "/v1/me", { as: api.tokens.alice });
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining(api.tokens.alice) });
  });
});

describe("exposure", () => {
  test("strangers read the environment, the dot file, the description and the metrics", async () => {
    expect((await call("GET", "/debug")).text).toContain('"JWT_SECRET":"secret"');
    expect((await call("GET", "/.env")).text).toMatch(/^JWT_SECRET=secret$/m);
    expect(await call("GET", "/openapi.json")).toMatchObject({ status: 200, json: { openapi: "3.1.0" } });
    expect((await call("GET", "/metrics")).text).toContain("process_uptime_seconds");
  });

  test("what is exposed is made up: nothing of the real environment leaves", async () => {
    const { text } = await call("GET", "/debug");
    for (const name of ["PATH", "HOME"]) expect(text).not.toContain(`"${name}"`);
  });

  test("a bearer token works in the URL", async () => {
    expect(await call("GET", `/v1/me?token=${api.tokens.alice}`)).toMatchObject({ status: 200 });
  });
});

describe("the demonstration itself", () => {
  test("says what it is, and listens on the loopback address only", async () => {
    let announced = "";
    const other = await startUnprotected({ announce: (warning) => (announced += warning) });
    await other.close();
    expect(announced).toContain("Never deploy it");
    expect(announced).toContain(other.url);
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "localhost"]) {
      await expect(startUnprotected({ host })).rejects.toThrow("127.0.0.1 only");
    }
  });

  test("refuses a port that is taken", async () => {
    await expect(startUnprotected({ port: api.port })).rejects.toThrow("EADDRINUSE");
  });

  test("outlives whatever is thrown at it", async () => {
    const as = api.tokens.alice;
    const json = { "content-type": "application/json" };
    const search = (q: string): [string, string, Options] => ["GET", `/v1/search?q=${encodeURIComponent(q)}`, { as }];
    const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x,2,3,4,5,6,7,8,9 FROM c";
    const hostile: [string, string, Options][] = [
      ["POST", "/v1/sign-in", {}],
      ["POST", "/v1/sign-in", { json: { email: { toString: 1 }, password: [] } }],
      ["POST", "/v1/projects", { as, json: { name: { toString: 1 }, toJSON: 1, id: null } }],
      ["PATCH", "/v1/me", { as: api.tokens.bob, headers: json, body: '{"toString":null,"__proto__":null}' }],
      ["POST", "/v1/projects", { as, headers: json, body: "[".repeat(1_000_000) }],
      ["POST", "/v1/projects", { as, headers: json, body: `{"name":${"[".repeat(99_999)}${"]".repeat(99_999)}}` }],
      ["POST", "/v1/projects", { as, json: { name: "\0'; DROP TABLE projects; --" } }],
      ["GET", "/v1/search?q[toString]=x", { as }],
      search("'; DROP TABLE projects; --"),
      search(`' UNION SELECT * FROM (${endless}) --`),
      search("' OR hex(randomblob(500000000)) --"),
      ["GET", "/v1/projects?limit=1e999&cursor=NaN", { as }],
      ["GET", "/v1/projects/%zz", { as }],
      ["GET", "/v1/me?_method=__proto__", { as }],
      ["GET", "/v1/me", { headers: { cookie: 'session=j:{"a":1}' } }],
      ["GET", "/v1/me", { as: "a.b.c" }],
    ];
    for (const [method, path, options] of hostile) {
      const { status } = await call(method, path, options);
      expect(status, `${method} ${path}`).toBeGreaterThanOrEqual(200);
    }
    for (const line of [
      "CONNECT evil.example:443 HTTP/1.1\r\nHost: a",
      "GARBAGE",
      "GET / HTTP/1.1",
      "GET * HTTP/1.0",
    ]) {
      await sendRaw(`${line}\r\n\r\n`);
    }
    expect(await call("GET", "/v1/search?q=project", { as })).toMatchObject({ status: 200 });
    expect(await call("GET", "/v1/me", { as })).toMatchObject({ status: 200, json: { name: "alice" } });
    expect(server.exitCode).toBeNull();
  });

  test("closes while a request is under way, frees its port, and may be closed twice", async () => {
    const other = await startUnprotected({ announce: () => {} });
    const socket = createConnection(other.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write("POST /v1/projects HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n{");
    const broken = hungUp(socket);
    await Promise.all([other.close(), other.close()]);
    await other.close();
    await broken;
    const again = await startUnprotected({ port: other.port, announce: () => {} });
    await again.close();
  });
});

interface Options {
  /** Another server than the one of this file. */
  url?: string;
  /** A bearer token or an API key. */
  as?: string;
  headers?: Record<string, string>;
  json?: unknown;
  body?: string;
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: unknown;
}

/** One call over a real connection; node:http because fetch forbids TRACE and a Host of one's own. */
function call(method: string, path: string, { url = api.url, as, headers, json, body }: Options = {}): Promise<Answer> {
  const content = json === undefined ? body : JSON.stringify(json);
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({
      hostname,
      port,
      method,
      path,
      agent: false,
      headers: {
        ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...(content === undefined ? {} : { "content-length": Buffer.byteLength(content) }),
        ...headers,
      },
    });
    sent.on("error", reject);
    sent.on("response", (received) => {
      const chunks: Buffer[] = [];
      received.on("data", (chunk: Buffer) => chunks.push(chunk));
      received.on("error", reject);
      received.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = received.headers["content-type"]?.startsWith("application/json") && text !== "";
        const status = received.statusCode ?? 0;
        resolve({ status, headers: received.headers, text, json: isJson ? JSON.parse(text) : undefined });
      });
    });
    sent.end(content);
  });
}

/** Bytes that no client would send; resolves when the server has closed the connection. */
async function sendRaw(bytes: string): Promise<void> {
  const socket = createConnection(api.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  socket.end(bytes);
  await hungUp(socket);
}

/** Resolves when the connection is gone, by an error too. */
function hungUp(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
  });
}

/** A text field of an answer. */
function field({ json, text }: Answer, name: string): string {
  const value = isRecord(json) ? json[name] : undefined;
  if (typeof value !== "string") throw new Error(`No text "${name}" in ${text.slice(0, 200)}`);
  return value;
}

function items({ json }: Answer): unknown[] {
  return isRecord(json) && Array.isArray(json.items) ? json.items : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

async function aliceProject(name = "hers"): Promise<string> {
  const json = { name, url: "https://hers.example", backendType: "none" };
  return field(await call("POST", "/v1/projects", { as: api.tokens.alice, json }), "id");
}

async function aliceComment(): Promise<{ project: string; comment: string }> {
  const project = await aliceProject();
  const path = `/v1/projects/${project}/comments`;
  const comment = await call("POST", path, { as: api.tokens.alice, json: { body: "between us" } });
  return { project, comment: field(comment, "id") };
}

/** Alice's cookie session. */
async function startSession(headers: Record<string, string> = {}) {
  const { email, password } = api.accounts.alice;
  const answer = await call("POST", "/v1/session", { headers, json: { email, password } });
  const setCookie = answer.headers["set-cookie"]?.[0] ?? "";
  return { status: answer.status, setCookie, cookie: setCookie.split(";")[0] ?? "" };
}

function isSignedWith(token: string, secret: string): boolean {
  try {
    jwt.verify(token, secret);
    return true;
  } catch {
    return false;
  }
}
