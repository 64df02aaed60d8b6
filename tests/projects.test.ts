import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { SignJWT } from "jose";
import { memorySink } from "portcullis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildProjectsApi } from "../examples/projects/api.ts";
import { openData } from "../examples/projects/data/data.ts";
import { hashOfNobody, hashPassword, isPassword } from "../examples/projects/passwords.ts";
import { accounts, seed } from "../examples/projects/seeds.ts";
import { type Protected, startProtected } from "../examples/projects/server.ts";
import { absoluteMs, createSessions, idleMs, sessionCookie } from "../examples/projects/sessions.ts";
import { audience, issuer } from "../examples/projects/tokens.ts";
import { developmentCertificate } from "../packages/portcullis/src/adapters/development-certificate.ts";

const NO_SUCH_ID = "00000000-0000-4000-8000-000000000000";
const { alice, bob, carol, admin } = accounts;

const folder = mkdtempSync(join(tmpdir(), "projects-"));
const certificate = developmentCertificate({ folder: join(folder, "certificate") });
const audit = memorySink(100_000);
const errors: unknown[] = [];
const quiet = { sinks: [audit], onError: (error: unknown) => void errors.push(error) };

let plain: Protected;
let secure: Protected;
beforeAll(async () => {
  plain = await startProtected({ audit: quiet });
  secure = await startProtected({ audit: quiet, tls: { cert: certificate.cert, key: certificate.key } });
});
afterAll(async () => {
  await Promise.all([plain.close(), secure.close()]);
  rmSync(folder, { recursive: true });
  expect(errors).toEqual([]);
});

test("signs in everybody whom a scan of it is told to be", async () => {
  const users = readFileSync(join(import.meta.dirname, "../examples/projects/users.yaml"), "utf8");
  const found = [...users.matchAll(/username: (\S+), password: ([\w ]+),/g)];
  expect(found.map(([, email]) => email)).toEqual([alice.email, bob.email, admin.email]);
  for (const [, email, password] of found) {
    expect(await call("POST", "/v1/sign-in", { at: plain, json: { email, password } })).toMatchObject({ status: 200 });
  }
});

test("leaves nothing undecided, and building it opens no file and needs no server", () => {
  expect(buildProjectsApi().api.problems()).toEqual([]);
});

describe.each(["http", "https"] as const)("honest use over %s", (scheme) => {
  const on = (options: Options = {}): Options => ({ at: scheme === "http" ? plain : secure, ...options });
  const as = (name: keyof typeof accounts) => on({ as: (scheme === "http" ? plain : secure).tokens[name] });

  test("a bearer token, from sign-in to the last route", async () => {
    const signIn = await call("POST", "/v1/sign-in", on({ json: { email: alice.email, password: alice.password } }));
    expect(signIn).toMatchObject({ status: 200, json: { token: expect.any(String), expiresIn: 900 } });
    const mine = on({ as: field(signIn, "token") });

    const me = { id: alice.id, email: alice.email, name: "alice", tenantId: "acme", role: "member" };
    expect((await call("GET", "/v1/me", mine)).json).toEqual(me);
    expect((await call("GET", "/v1/session", mine)).json).toEqual(me);
    expect((await call("PATCH", "/v1/me", { ...mine, json: { name: "Alice" } })).json).toEqual({
      ...me,
      name: "Alice",
    });
    expect(await call("PATCH", "/v1/me", { ...mine, json: { name: "alice" } })).toMatchObject({ status: 200 });
    expect(await call("GET", "/v1/reports/slow-export", mine)).toMatchObject({
      status: 200,
      json: { id: expect.any(String), createdAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
  });

  test("projects are created, read, listed by cursor and by page, found, changed and deleted", async () => {
    const mine = as("alice");
    const json = { name: "O'Brien 100%", url: "https://o.example/", backendType: "none" };
    const created = await call("POST", "/v1/projects", { ...mine, json });
    const id = field(created, "id");
    const project = { ...json, id, ownerId: alice.id, tenantId: "acme", createdAt: field(created, "createdAt") };
    expect(created).toMatchObject({ status: 201, json: project, headers: { location: `/v1/projects/${id}` } });
    expect((await call("GET", `/v1/projects/${id}`, mine)).json).toEqual(project);

    const first = await call("GET", "/v1/projects?limit=2", mine);
    expect(first).toMatchObject({ status: 200, json: { items: [project, {}], next: expect.any(String) } });
    const second = await call("GET", `/v1/projects?limit=2&cursor=${field(first, "next")}`, mine);
    expect(second).toMatchObject({ status: 200, json: { items: [{}, {}] } });
    const seen = [...items(first), ...items(second)].map((item) => fieldOf(item, "id"));
    expect(new Set(seen).size).toBe(4);

    const pages = await call("GET", "/v1/project-pages?limit=2&page=51", mine);
    expect(pages).toMatchObject({ status: 200, json: { items: [{}], page: 51, limit: 2, total: 101, pages: 51 } });

    for (const [q, found] of [
      ["O'Brien", [project]],
      ["100%", [project]],
      ["%", [project]],
      ["' OR 1=1 --", []],
      ["_'Brien", []],
    ] as const) {
      const search = await call("GET", `/v1/search?q=${encodeURIComponent(q)}`, mine);
      expect(search, q).toMatchObject({ status: 200, json: { items: found, next: null } });
    }

    const renamed = await call("PATCH", `/v1/projects/${id}`, { ...mine, json: { name: "New" } });
    expect(renamed).toMatchObject({ status: 200, json: { ...project, name: "New" } });
    expect(await call("DELETE", `/v1/projects/${id}`, mine)).toMatchObject({ status: 204, text: "" });
    expect(await call("GET", `/v1/projects/${id}`, mine)).toMatchObject({ status: 404 });
  });

  test("members are let in, change their role and are let out, and the owner alone sees addresses", async () => {
    const mine = as("alice");
    const project = `/v1/projects/${await createProject(mine)}`;
    const member = `${project}/members/${bob.id}`;
    expect(await call("GET", project, as("bob"))).toMatchObject({ status: 404 });
    expect(await call("PUT", member, { ...mine, json: { role: "viewer" } })).toMatchObject({
      status: 200,
      json: { userId: bob.id, name: "bob", role: "viewer" },
    });
    expect(await call("GET", project, as("bob"))).toMatchObject({ status: 200 });

    const owner = { userId: alice.id, name: "alice", role: "owner" };
    const viewer = { userId: bob.id, name: "bob", role: "viewer" };
    expect((await call("GET", `${project}/members`, mine)).json).toEqual({
      items: [
        { ...owner, email: alice.email },
        { ...viewer, email: bob.email },
      ],
      next: null,
    });
    expect((await call("GET", `${project}/members`, as("bob"))).json).toEqual({ items: [owner, viewer], next: null });

    expect(await call("PUT", member, { ...mine, json: { role: "editor" } })).toMatchObject({ status: 200 });
    expect(await call("PATCH", project, { ...as("bob"), json: { name: "by bob" } })).toMatchObject({ status: 200 });
    expect(await call("DELETE", member, mine)).toMatchObject({ status: 204 });
    expect(await call("GET", project, as("bob"))).toMatchObject({ status: 404 });
    for (const [method, json] of [
      ["PUT", { role: "viewer" }],
      ["DELETE", undefined],
    ] as const) {
      const own = await call(method, `${project}/members/${alice.id}`, { ...mine, json });
      expect(own).toMatchObject({ status: 409, json: { code: "conflict" } });
    }
  });

  test("comments are written, answered, read in order and deleted", async () => {
    const mine = as("alice");
    const comments = `/v1/projects/${await createProject({ ...mine, json: { viewerIds: [bob.id] } })}/comments`;
    const first = await call("POST", comments, { ...mine, json: { body: "Well done" } });
    const comment = { id: field(first, "id"), authorId: alice.id, body: "Well done", replyToId: null };
    expect(first).toMatchObject({ status: 201, json: comment, headers: { location: `${comments}/${comment.id}` } });
    const reply = await call("POST", comments, { ...mine, json: { body: "Thanks", replyToId: comment.id } });
    expect(reply).toMatchObject({ status: 201, json: { replyToId: comment.id } });
    expect(await call("GET", comments, as("bob"))).toMatchObject({
      status: 200,
      json: { items: [comment, { body: "Thanks" }], next: null },
    });
    expect(await call("GET", `${comments}/${comment.id}`, as("bob"))).toMatchObject({ status: 200, json: comment });
    expect(await call("DELETE", `${comments}/${comment.id}`, mine)).toMatchObject({ status: 204 });
    expect(await call("GET", `${comments}/${comment.id}`, mine)).toMatchObject({ status: 404 });
  });

  test("an API key is issued, used within its scopes and revoked", async () => {
    const mine = as("alice");
    const json = { name: "ci", scopes: ["projects:read"] };
    const issued = await call("POST", "/v1/keys", { ...mine, json });
    expect(issued).toMatchObject({ status: 201, json: { ...json, key: expect.stringMatching(/^prj_live_/) } });
    const key = on({ as: field(issued, "key") });

    expect(await call("GET", "/v1/me", key)).toMatchObject({ status: 200, json: { id: alice.id } });
    expect(await call("GET", "/v1/projects", key)).toMatchObject({ status: 200 });
    const listed = await call("GET", "/v1/keys?limit=1", mine);
    expect(listed).toMatchObject({ status: 200, json: { items: [{ id: field(issued, "id"), ...json }] } });
    expect(listed.text).not.toContain(field(issued, "key"));
    const next = await call("GET", `/v1/keys?limit=1&cursor=${field(listed, "next")}`, mine);
    expect(next).toMatchObject({ status: 200, json: { items: [{ name: "alice's key" }], next: null } });

    expect(await call("DELETE", `/v1/keys/${field(issued, "id")}`, mine)).toMatchObject({ status: 204 });
    expect(await call("GET", "/v1/me", key)).toMatchObject({ status: 401 });
  });

  test("a browser signs in, works with its cookie and signs out", async () => {
    const { cookie, answer } = await startSession(on());
    expect(answer).toMatchObject({ status: 201, json: { user: { id: alice.id, name: "alice" } } });
    const browser = on({ headers: { cookie, origin: "https://app.projects.example", "sec-fetch-site": "same-site" } });
    expect(await call("GET", "/v1/session", browser)).toMatchObject({ status: 200, json: { id: alice.id } });
    const project = await createProject(browser);
    expect(await call("DELETE", `/v1/projects/${project}`, browser)).toMatchObject({ status: 204 });
    expect(await call("DELETE", "/v1/session", browser)).toMatchObject({ status: 204 });
    expect(await call("GET", "/v1/session", browser)).toMatchObject({ status: 401 });
  });

  test("an administrator sees the users of the own tenant", async () => {
    const users = await call("GET", "/v1/admin/users", as("admin"));
    expect(users.status).toBe(200);
    expect(items(users)).toEqual(
      [alice, bob, admin].map(({ id, email, name, tenantId, role }) => {
        return { id, email, name, tenantId, role, disabledAt: null };
      }),
    );
    const paged = await call("GET", "/v1/admin/users?limit=1", as("admin"));
    const next = await call("GET", `/v1/admin/users?limit=2&cursor=${field(paged, "next")}`, as("admin"));
    expect(next).toMatchObject({ status: 200, json: { items: [{ id: bob.id }, { id: admin.id }], next: null } });
  });
});

describe("authentication", () => {
  test("a stranger is refused on every route that is not public", async () => {
    const guarded = operations().filter(({ access }) => access === "caller");
    expect(guarded.length).toBeGreaterThan(20);
    for (const { method, path } of guarded) {
      const answer = await call(method, path.replaceAll(/\{\w+\}/g, NO_SUCH_ID));
      expect(answer, `${method} ${path}`).toMatchObject({
        status: path.startsWith("/v0/") ? 410 : 401,
        ...(path.startsWith("/v0/")
          ? {}
          : { headers: { "www-authenticate": 'Bearer realm="projects", Session realm="projects"' } }),
      });
    }
  });

  test("a credential that is there and bad is refused on public routes too", async () => {
    const json = { email: alice.email, password: alice.password };
    expect(await call("POST", "/v1/sign-in", { as: "garbage", json })).toMatchObject({ status: 401 });
  });

  test("two kinds of credential in one request are refused", async () => {
    const { cookie } = await startSession();
    const both = await call("GET", "/v1/me", { as: plain.tokens.bob, headers: { cookie } });
    expect(both).toMatchObject({ status: 400, json: { code: "several-credentials" } });
  });
});

describe("jwt", () => {
  const token = (change: (token: SignJWT) => SignJWT = (same) => same, header: object = {}, key = plain.jwtSecret) =>
    change(
      new SignJWT({ tid: "acme", scope: "projects:read" })
        .setProtectedHeader({ alg: "HS256", typ: "at+jwt", ...header })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(alice.id)
        .setIssuedAt()
        .setExpirationTime("5 min"),
    ).sign(new TextEncoder().encode(key));
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

  test("a token made as ours are is accepted", async () => {
    expect(await call("GET", "/v1/me", { as: await token() })).toMatchObject({ status: 200 });
  });

  test.each<[string, () => Promise<string> | string]>([
    ["signed with another secret", () => token(undefined, {}, "another secret, and just as long as ours is!")],
    ["without a signature", async () => `${(await token()).split(".").slice(0, 2).join(".")}.`],
    ["with alg none", async () => `${part({ alg: "none", typ: "at+jwt" })}.${(await token()).split(".")[1] ?? ""}.`],
    ["with changed claims", async () => forge(await token(), { sub: admin.id })],
    ["of another issuer", () => token((made) => made.setIssuer("https://evil.example"))],
    ["for another API", () => token((made) => made.setAudience("https://other.example"))],
    ["that is over", () => token((made) => made.setExpirationTime("2 min ago"))],
    ["that does not hold yet", () => token((made) => made.setNotBefore("5 min"))],
    ["issued two hours ago", () => token((made) => made.setIssuedAt("2 hours ago"))],
    ["of another kind", () => token(undefined, { typ: "JWT" })],
    ["of nobody we know", () => token((made) => made.setSubject(NO_SUCH_ID))],
  ])("a token %s is refused", async (_, make) => {
    const answer = await call("GET", "/v1/me", { as: await make() });
    expect(answer).toMatchObject({ status: 401, json: { code: expect.stringMatching(/^bad-(token|credential)$/) } });
    expect(answer.headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
  });

  test("a token without its scheme is refused", async () => {
    const answer = await call("GET", "/v1/me", { headers: { authorization: plain.tokens.alice } });
    expect(answer).toMatchObject({ status: 401 });
  });

  function forge(text: string, claims: object): string {
    const [header = "", body = "", signature = ""] = text.split(".");
    const own: unknown = JSON.parse(Buffer.from(body, "base64url").toString());
    return [header, part(Object.assign({}, own, claims)), signature].join(".");
  }
});

describe("api-keys", () => {
  test("an unknown key, a mistyped one and one of another deployment are refused alike", async () => {
    const last = plain.keys.alice.at(-1) === "A" ? "B" : "A";
    for (const key of [
      `prj_live_${"a".repeat(16)}_${"b".repeat(49)}`,
      plain.keys.alice.slice(0, -1) + last,
      secure.keys.alice,
    ]) {
      expect(await call("GET", "/v1/me", { as: key })).toMatchObject({ status: 401, json: { code: "bad-api-key" } });
    }
  });

  test("a key that may read does not write", async () => {
    const answer = await call("PATCH", "/v1/me", { as: plain.keys.alice, json: { name: "x" } });
    expect(answer).toMatchObject({ status: 403, json: { code: "scope-missing" } });
  });

  test("a key is never issued for more than its creator may do", async () => {
    const scopes = ["keys:write", "projects:read"];
    const small = await call("POST", "/v1/keys", { as: plain.tokens.alice, json: { name: "small", scopes } });
    const json = { name: "large", scopes: ["projects:write"] };
    const large = await call("POST", "/v1/keys", { as: field(small, "key"), json });
    expect(large).toMatchObject({ status: 403, json: { code: "forbidden" } });
    await call("DELETE", `/v1/keys/${field(small, "id")}`, { as: plain.tokens.alice });
  });
});

describe("sessions", () => {
  test("an unknown user, a wrong password and a disabled account get one answer", async () => {
    const own = await startProtected({ audit: quiet });
    await call("POST", `/v1/admin/users/${bob.id}/disable`, { at: own, as: own.tokens.admin });
    for (const path of ["/v1/sign-in", "/v1/session"]) {
      const texts = [];
      for (const json of [
        { email: "nobody@acme.example", password: "wrong" },
        { email: alice.email, password: "wrong" },
        { email: bob.email, password: bob.password },
      ]) {
        const answer = await call("POST", path, { at: own, json });
        expect(answer.status).toBe(401);
        texts.push(withoutRequestId(answer));
      }
      expect(new Set(texts).size).toBe(1);
    }
    await own.close();
  });

  test("a password is checked against nobody's hash with the same work as against somebody's", async () => {
    const [nobodys, somebodys] = [hashOfNobody(), await hashPassword("correct horse")];
    expect(nobodys.split("$").slice(0, 4)).toEqual(somebodys.split("$").slice(0, 4));
    expect(nobodys).toHaveLength(somebodys.length);
    expect(await isPassword("correct horse", nobodys)).toBe(false);
    expect(await isPassword("correct horse", somebodys)).toBe(true);
    expect(await isPassword("wrong horse", somebodys)).toBe(false);
  });

  test("the cookie has every attribute that browsers enforce", async () => {
    const { answer } = await startSession();
    const [cookie = ""] = answer.headers["set-cookie"] ?? [];
    expect(cookie).toMatch(/^__Host-session=[\w-]{43}; /);
    const attributes = cookie
      .split("; ")
      .slice(1)
      .map((attribute) => attribute.toLowerCase());
    expect(attributes.sort()).toEqual(["httponly", "path=/", "samesite=strict", "secure"]);
  });

  test("a planted session id is never taken over, and every sign-in makes a new one", async () => {
    const planted = `${sessionCookie}=planted-by-mallory`;
    const first = await startSession({ headers: { cookie: planted } });
    const second = await startSession({ headers: { cookie: first.cookie, origin: "https://app.projects.example" } });
    expect(new Set([planted, first.cookie, second.cookie]).size).toBe(3);
    const answer = await call("GET", "/v1/me", { headers: { cookie: planted } });
    expect(answer.status).toBe(401);
    expect(answer.headers["set-cookie"]?.[0]).toMatch(/^__Host-session=; .*Max-Age=0/i);
  });

  test("a session ends after half an hour without use, and after twelve hours with any", async () => {
    const data = openData();
    await seed(data);
    let now = Date.UTC(2026, 0, 1);
    const sessions = createSessions(data.sessions, () => now);
    const resolve = (id: string) => sessions.resolve({ [sessionCookie]: id });

    const idle = await sessions.start(alice.id);
    now += idleMs - 1;
    expect(await resolve(idle)).toMatchObject({ subject: alice.id, tenant: "acme" });
    now += idleMs;
    expect(await resolve(idle)).toBeUndefined();

    const busy = await sessions.start(alice.id);
    const end = now + absoluteMs;
    for (; now < end; now += idleMs - 1) expect(await resolve(busy)).toMatchObject({ subject: alice.id });
    now = end;
    expect(await resolve(busy)).toBeUndefined();
    data.close();
  });

  test("a disabled user is out at once: token, key and cookie", async () => {
    const own = await startProtected({ audit: quiet });
    const { cookie } = await startSession({ at: own });
    const credentials: Options[] = [{ as: own.tokens.alice }, { as: own.keys.alice }, { headers: { cookie } }];
    for (const one of credentials)
      expect(await call("GET", "/v1/me", { at: own, ...one })).toMatchObject({ status: 200 });
    const disable = (id: string) => call("POST", `/v1/admin/users/${id}/disable`, { at: own, as: own.tokens.admin });
    expect(await disable(alice.id)).toMatchObject({ status: 204 });
    for (const one of credentials)
      expect(await call("GET", "/v1/me", { at: own, ...one })).toMatchObject({ status: 401 });
    expect(await disable(admin.id)).toMatchObject({ status: 409 });
    await own.close();
  });
});

describe("function-access", () => {
  test("a member is no administrator", async () => {
    for (const [method, path] of [
      ["GET", "/v1/admin/users"],
      ["POST", `/v1/admin/users/${bob.id}/disable`],
    ] as const) {
      expect(await call(method, path, { as: plain.tokens.alice })).toMatchObject({
        status: 403,
        json: { code: "role-missing" },
      });
    }
  });

  test("an administrator reaches nobody of another tenant", async () => {
    const answer = await call("POST", `/v1/admin/users/${carol.id}/disable`, { as: plain.tokens.admin });
    expect(answer).toMatchObject({ status: 404 });
  });
});

describe("object-access", () => {
  test("somebody else's project is byte for byte a missing one, for colleagues and other tenants", async () => {
    const project = await createProject({ as: plain.tokens.alice });
    for (const name of ["bob", "carol", "admin"] as const) {
      const as = plain.tokens[name];
      for (const [method, path, json] of [
        ["GET", "", undefined],
        ["PATCH", "", { name: "x" }],
        ["DELETE", "", undefined],
        ["GET", "/members", undefined],
        ["GET", "/comments", undefined],
        ["POST", "/comments", { body: "x" }],
      ] as const) {
        const foreign = await call(method, `/v1/projects/${project}${path}`, { as, json });
        const missing = await call(method, `/v1/projects/${NO_SUCH_ID}${path}`, { as, json });
        expect(foreign.status).toBe(404);
        expect(withoutRequestId(foreign)).toBe(withoutRequestId(missing));
        expect(Object.keys(foreign.headers)).toEqual(Object.keys(missing.headers));
      }
    }
    expect(await call("GET", `/v1/projects/${project}`, { as: plain.tokens.alice })).toMatchObject({ status: 200 });
  });

  test("a viewer reads and may not write; an editor writes and may not delete", async () => {
    const project = `/v1/projects/${await createProject({ as: plain.tokens.alice, json: { viewerIds: [bob.id] } })}`;
    const as = plain.tokens.bob;
    expect(await call("GET", project, { as })).toMatchObject({ status: 200 });
    const denied = { status: 403, json: { code: "object-role-missing" } };
    expect(await call("PATCH", project, { as, json: { name: "x" } })).toMatchObject(denied);
    expect(await call("POST", `${project}/comments`, { as, json: { body: "x" } })).toMatchObject(denied);
    expect(await call("DELETE", project, { as })).toMatchObject(denied);
    const self = `${project}/members/${bob.id}`;
    expect(await call("PUT", self, { as, json: { role: "editor" } })).toMatchObject(denied);

    await call("PUT", self, { as: plain.tokens.alice, json: { role: "editor" } });
    expect(await call("PATCH", project, { as, json: { name: "by bob" } })).toMatchObject({ status: 200 });
    expect(await call("POST", `${project}/comments`, { as, json: { body: "x" } })).toMatchObject({ status: 201 });
    expect(await call("DELETE", project, { as })).toMatchObject(denied);
  });

  test("a comment is reached through its own project only, and deleted by its author or the project's owner", async () => {
    const mine = { as: plain.tokens.alice };
    const one = `/v1/projects/${await createProject({ ...mine, json: { viewerIds: [bob.id] } })}`;
    const other = `/v1/projects/${await createProject(mine)}`;
    const comment = field(await call("POST", `${one}/comments`, { ...mine, json: { body: "here" } }), "id");
    expect(await call("GET", `${one}/comments/${comment}`, mine)).toMatchObject({ status: 200 });
    expect(await call("GET", `${other}/comments/${comment}`, mine)).toMatchObject({ status: 404 });
    expect(await call("DELETE", `${other}/comments/${comment}`, mine)).toMatchObject({ status: 404 });
    expect(await call("DELETE", `${one}/comments/${comment}`, { as: plain.tokens.bob })).toMatchObject({ status: 403 });

    await call("PUT", `${one}/members/${bob.id}`, { ...mine, json: { role: "editor" } });
    const bobs = field(await call("POST", `${one}/comments`, { as: plain.tokens.bob, json: { body: "bob" } }), "id");
    await call("PUT", `${one}/members/${bob.id}`, { ...mine, json: { role: "viewer" } });
    expect(await call("DELETE", `${one}/comments/${bobs}`, { as: plain.tokens.bob })).toMatchObject({ status: 204 });
  });

  test("an id in a body is held to the same rules", async () => {
    const as = plain.tokens.alice;
    const hidden = `/v1/projects/${await createProject({ as: plain.tokens.carol })}/comments`;
    const secret = field(await call("POST", hidden, { as: plain.tokens.carol, json: { body: "hers" } }), "id");
    const project = `/v1/projects/${await createProject({ as })}`;
    for (const replyToId of [secret, NO_SUCH_ID]) {
      const reply = await call("POST", `${project}/comments`, { as, json: { body: "x", replyToId } });
      expect(reply).toMatchObject({ status: 404 });
    }
    for (const id of [carol.id, NO_SUCH_ID]) {
      const json = { name: "x", url: "https://x.example", backendType: "none", viewerIds: [bob.id, id] };
      expect(await call("POST", "/v1/projects", { as, json })).toMatchObject({ status: 404 });
      const put = await call("PUT", `${project}/members/${id}`, { as, json: { role: "viewer" } });
      expect(put).toMatchObject({ status: 404 });
    }
  });

  test("lists and searches hold what the caller may reach and nothing else", async () => {
    const name = "canary-5c1e";
    await createProject({ as: plain.tokens.alice, json: { name } });
    const shared = await createProject({ as: plain.tokens.alice, json: { name, viewerIds: [bob.id] } });
    for (const path of [`/v1/search?q=${name}`, "/v1/projects?limit=100", "/v1/project-pages?limit=100"]) {
      const bobs = items(await call("GET", path, { as: plain.tokens.bob })).filter(
        (item) => fieldOf(item, "name") === name,
      );
      expect(bobs.map((item) => fieldOf(item, "id"))).toEqual([shared]);
      expect((await call("GET", path, { as: plain.tokens.carol })).text).not.toContain(name);
    }
  });

  test("nobody revokes somebody else's key", async () => {
    const json = { name: "hers", scopes: ["projects:read"] };
    const key = await call("POST", "/v1/keys", { as: plain.tokens.alice, json });
    const path = `/v1/keys/${field(key, "id")}`;
    for (const name of ["bob", "carol", "admin"] as const) {
      expect(await call("DELETE", path, { as: plain.tokens[name] })).toMatchObject({ status: 404 });
    }
    expect(await call("GET", "/v1/me", { as: field(key, "key") })).toMatchObject({ status: 200 });
    expect(await call("DELETE", path, { as: plain.tokens.alice })).toMatchObject({ status: 204 });
  });
});

describe("input", () => {
  const project = { name: "x", url: "https://x.example", backendType: "none" };

  test.each([
    ["an unknown field", { ...project, surprise: 1 }, "/body/surprise", "unknown"],
    ["a missing field", { name: "x", url: "https://x.example" }, "/body/backendType", "missing"],
    ["a value of another type", { ...project, name: { $ne: null } }, "/body/name", "type"],
    ["a text that is too long", { ...project, name: "x".repeat(101) }, "/body/name", "length"],
    ["a value that is not offered", { ...project, backendType: "mainframe" }, "/body/backendType", "not-allowed"],
    ["an address of another scheme", { ...project, url: "javascript:alert(1)" }, "/body/url", "format"],
  ])("%s is refused by its place and a reason", async (_, json, pointer, reason) => {
    const answer = await call("POST", "/v1/projects", { as: plain.tokens.alice, json });
    expect(answer).toMatchObject({ status: 400, json: { code: "invalid-input", errors: [{ pointer, reason }] } });
  });

  test("an id that is none is refused before anything is loaded", async () => {
    expect(await call("GET", "/v1/projects/1", { as: plain.tokens.alice })).toMatchObject({ status: 400 });
  });

  test("a body of another media type is 415", async () => {
    const headers = { "content-type": "text/plain" };
    const answer = await call("POST", "/v1/projects", {
      as: plain.tokens.alice,
      headers,
      body: JSON.stringify(project),
    });
    expect(answer).toMatchObject({ status: 415 });
  });
});

describe("mass-assignment", () => {
  test("what the server sets is no field of any body", async () => {
    const as = plain.tokens.alice;
    const path = `/v1/projects/${await createProject({ as })}`;
    for (const json of [{ ownerId: bob.id }, { tenantId: "globex" }, { id: NO_SUCH_ID }, { internalNotes: "x" }]) {
      expect(await call("PATCH", path, { as, json })).toMatchObject({ status: 400 });
    }
    for (const json of [{ role: "admin" }, { tenantId: "globex" }, { passwordHash: "x" }]) {
      expect(await call("PATCH", "/v1/me", { as, json })).toMatchObject({ status: 400 });
    }
    expect(await call("GET", "/v1/me", { as })).toMatchObject({ json: { role: "member", tenantId: "acme" } });
    expect(await call("GET", path, { as })).toMatchObject({ json: { ownerId: alice.id, tenantId: "acme" } });
  });
});

describe("output", () => {
  test("private columns never leave", async () => {
    const as = plain.tokens.alice;
    const project = await createProject({ as });
    const path = `/v1/projects/${project}`;
    const comment = field(await call("POST", `${path}/comments`, { as, json: { body: "x" } }), "id");
    for (const [who, route] of [
      [as, "/v1/me"],
      [as, "/v1/session"],
      [as, "/v1/projects?limit=100"],
      [as, "/v1/project-pages?limit=100"],
      [as, "/v1/search?q=project"],
      [as, path],
      [as, `${path}/members`],
      [as, `${path}/comments`],
      [as, `${path}/comments/${comment}`],
      [as, "/v1/keys"],
      [plain.tokens.admin, "/v1/admin/users"],
    ] as const) {
      const answer = await call("GET", route, { as: who });
      expect(answer.status, route).toBe(200);
      expect(answer.text).not.toMatch(
        /backendSecret|service_role|internalNotes|invoices|authorIp|password|argon2|hash/i,
      );
    }
  });
});

describe("rate-limit", () => {
  test("the most expensive route stops answering after five times and says exactly when it will again", async () => {
    const as = plain.tokens.bob;
    const path = "/v1/reports/slow-export";
    let limited = await call("GET", path, { as });
    let answered = 0;
    for (; limited.status === 200; answered++) {
      limited = await call("GET", path, { as, headers: { "x-originating-ip": `198.51.100.${answered}` } });
    }
    expect(answered).toBeGreaterThanOrEqual(5);
    expect(limited).toMatchObject({ status: 429, json: { code: "rate-limited" } });
    expect(await call("GET", path, { as: plain.tokens.carol })).toMatchObject({ status: 200 });
    expect(await call("GET", "/v1/me", { as })).toMatchObject({ status: 200 });

    const retryAfterSeconds = Number(limited.headers["retry-after"]);
    expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(retryAfterSeconds).toBeLessThanOrEqual(2);
    await wait(retryAfterSeconds * 1000);
    expect(await call("GET", path, { as })).toMatchObject({ status: 200 });
  });

  test("guessing one account's password stops, while whoever is signed in goes on", async () => {
    const own = await startProtected({ audit: quiet });
    const json = { email: carol.email, password: "guess" };
    let answer = await call("POST", "/v1/sign-in", { at: own, json });
    let guesses = 0;
    for (; answer.status === 401; guesses++) answer = await call("POST", "/v1/sign-in", { at: own, json });
    expect(guesses).toBeGreaterThanOrEqual(30);
    expect(answer).toMatchObject({ status: 429 });
    expect(await call("GET", "/v1/me", { at: own, as: own.tokens.carol })).toMatchObject({ status: 200 });
    await own.close();
  });
});

describe("body-size", () => {
  test("more than 100 KiB are refused, declared or not", async () => {
    const as = plain.tokens.alice;
    const body = JSON.stringify({ name: "x".repeat(102_400) });
    const json = { "content-type": "application/json" };
    expect(await call("POST", "/v1/projects", { as, headers: json, body })).toMatchObject({ status: 413 });
    const chunked = { ...json, "transfer-encoding": "chunked" };
    expect(await call("POST", "/v1/projects", { as, headers: chunked, body })).toMatchObject({ status: 413 });
  });
});

describe("pagination", () => {
  test("a page is twenty by default and a hundred at most; more is refused", async () => {
    const as = plain.tokens.alice;
    expect(items(await call("GET", "/v1/projects", { as }))).toHaveLength(20);
    expect(items(await call("GET", "/v1/projects?limit=100", { as }))).toHaveLength(100);
    for (const query of ["limit=101", "limit=0", "limit=-1", "limit=1e9", "limit=0x10"]) {
      expect(await call("GET", `/v1/projects?${query}`, { as }), query).toMatchObject({ status: 400 });
    }
    expect(await call("GET", "/v1/project-pages?page=1001", { as })).toMatchObject({ status: 400 });
  });

  test("a cursor is sealed: changed, made up, or somebody else's, it opens nothing", async () => {
    const as = plain.tokens.alice;
    const next = field(await call("GET", "/v1/projects?limit=1", { as }), "next");
    const changed = (next.startsWith("A") ? "B" : "A") + next.slice(1);
    for (const cursor of ["5", changed, Buffer.from('{"id":"1"}').toString("base64url")]) {
      const answer = await call("GET", `/v1/projects?cursor=${cursor}`, { as });
      expect(answer).toMatchObject({ status: 400, json: { code: "bad-cursor" } });
    }
    const stolen = await call("GET", `/v1/projects?cursor=${next}`, { as: plain.tokens.carol });
    expect(stolen).toMatchObject({ status: 400, json: { code: "bad-cursor" } });
  });
});

describe("transport and host", () => {
  test("only the configured names are served, whatever a forwarded header says", async () => {
    const as = plain.tokens.alice;
    for (const headers of [{ host: "evil.example" }, { host: "evil.example", "x-forwarded-host": "localhost" }]) {
      expect(await call("GET", "/v1/me", { as, headers })).toMatchObject({ status: 421 });
    }
  });

  test("https speaks TLS 1.3 and nothing older", async () => {
    const old = call("GET", "/v1/me", { at: secure, as: secure.tokens.alice, maxVersion: "TLSv1.2" });
    await expect(old).rejects.toThrow(/protocol version|handshake/);
  });
});

describe("cors", () => {
  test("the configured origin may read, any other may not, and every answer varies by it", async () => {
    for (const [origin, allowed] of [
      ["https://app.projects.example", "https://app.projects.example"],
      ["https://evil.example", undefined],
      ["https://app.projects.example.evil.example", undefined],
      ["null", undefined],
    ] as const) {
      const { headers } = await call("GET", "/v1/me", { as: plain.tokens.alice, headers: { origin } });
      expect(headers["access-control-allow-origin"], origin).toBe(allowed);
      expect(headers["vary"]).toMatch(/\bOrigin\b/);
    }
  });

  test("a preflight names the methods of the path and no other", async () => {
    const preflight = (origin: string, method: string) =>
      call("OPTIONS", "/v1/search", { headers: { origin, "access-control-request-method": method } });
    const ours = await preflight("https://app.projects.example", "GET");
    expect(ours).toMatchObject({ status: 204, headers: { "access-control-allow-methods": "GET, HEAD, OPTIONS" } });
    expect(await preflight("https://app.projects.example", "DELETE")).toMatchObject({ status: 403 });
    expect(await preflight("https://evil.example", "GET")).toMatchObject({ status: 403 });
  });
});

describe("csrf", () => {
  const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };

  test("a page of another site writes nothing with the cookie, and neither does one that hides its origin", async () => {
    const { cookie } = await startSession();
    const json = { name: "pwned", url: "https://x.example", backendType: "none" };
    for (const headers of [foreign, { origin: "null" }, { "sec-fetch-site": "same-site" }, {}]) {
      const answer = await call("POST", "/v1/projects", { headers: { cookie, ...headers }, json });
      expect(answer).toMatchObject({ status: 403, json: { code: "cross-site" } });
    }
    expect(await call("DELETE", "/v1/session", { headers: { cookie, ...foreign } })).toMatchObject({ status: 403 });
  });

  test("another site does not sign a visitor in to its own account", async () => {
    const json = { email: carol.email, password: carol.password };
    expect(await call("POST", "/v1/session", { headers: foreign, json })).toMatchObject({ status: 403 });
  });
});

describe("security-headers", () => {
  test("stand on every status, and nothing says what the server is made of", async () => {
    const answers = [
      await call("GET", "/v1/me", { as: plain.tokens.alice }),
      await call("DELETE", "/v1/session", { as: plain.tokens.alice }),
      await call("GET", "/v1/projects/1", { as: plain.tokens.alice }),
      await call("GET", "/v1/me"),
      await call("GET", "/v1/admin/users", { as: plain.tokens.alice }),
      await call("GET", "/nowhere"),
      await call("DELETE", "/v1/me"),
      await call("GET", "/v0/projects"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 204, 400, 401, 403, 404, 405, 410]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-request-id": expect.stringMatching(/^[\w-]{22}$/),
      });
      expect(headers).not.toHaveProperty("x-powered-by");
      expect(headers).not.toHaveProperty("server");
    }
  });
});

describe("canonical-request", () => {
  test("a path has one spelling", async () => {
    for (const path of ["/V1/me", "/v1/me/", "/v1//me", "//v1/me", "/v1/./me", "/v1/%6de"]) {
      const { status } = await call("GET", path, { as: plain.tokens.alice });
      expect([400, 404], path).toContain(status);
    }
  });

  test("a query, a body and a method have one reading", async () => {
    const as = plain.tokens.alice;
    for (const query of ["limit=1&limit=2", "limit[$gt]=1", "other=1"]) {
      expect(await call("GET", `/v1/projects?${query}`, { as }), query).toMatchObject({ status: 400 });
    }
    const json = { "content-type": "application/json" };
    for (const body of ['{"name":"a","name":"b"}', '{"__proto__":{"name":"a"}}', '{"name":"a"', "[".repeat(50_000)]) {
      expect(await call("PATCH", "/v1/me", { as, headers: json, body })).toMatchObject({ status: 400 });
    }
    const project = `/v1/projects/${await createProject({ as })}`;
    const override = await call("POST", project, { as, headers: { "x-http-method-override": "DELETE" } });
    expect(override).toMatchObject({ status: 405 });
    expect(await call("GET", `${project}?_method=DELETE`, { as })).toMatchObject({ status: 400 });
    expect(await call("GET", project, { as })).toMatchObject({ status: 200 });
  });
});

describe("errors", () => {
  test("every refusal is a problem with a code and our request id, and tells nothing else", async () => {
    const as = plain.tokens.alice;
    for (const answer of [
      await call("GET", "/v1/search?q='", { as: "x" }),
      await call("GET", `/v1/projects/${NO_SUCH_ID}`, { as }),
      await call("GET", "/nowhere", { as }),
      await call("POST", "/v1/sign-in", { headers: { "content-type": "application/json" }, body: "{" }),
    ]) {
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(
        entriesOf(answer.json)
          .map(([name]) => name)
          .sort(),
      ).toEqual(["code", "requestId", "status", "title", "type"]);
      expect(answer.json).toMatchObject({ status: answer.status, requestId: answer.headers["x-request-id"] });
    }
  });
});

describe("audit", () => {
  test("every refusal and every sign-in is an event, and no record holds a secret, an address or a password", async () => {
    const sink = memorySink();
    const own = await startProtected({ audit: { sinks: [sink] } });
    await call("POST", "/v1/sign-in", { at: own, json: { email: alice.email, password: alice.password } });
    await call("POST", "/v1/sign-in", { at: own, json: { email: alice.email, password: "wrong" } });
    await call("GET", `/v1/projects/${NO_SUCH_ID}?`, { at: own, as: own.tokens.alice });
    await call("GET", "/v1/me", { at: own });
    await own.close();
    const events = sink.entries.filter(({ kind }) => kind === "event");
    expect(events.map((event) => [fieldOf(event, "type"), fieldOf(event, "code")])).toEqual([
      ["started", undefined],
      ["signed-in", undefined],
      ["refused", "sign-in-failed"],
      ["refused", "object-not-found"],
      ["refused", "no-credential"],
      ["stopped", undefined],
    ]);
    const calls = sink.entries.filter(({ kind }) => kind === "call");
    expect(calls.map((record) => fieldOf(record, "route"))).toEqual([
      "POST /v1/sign-in",
      "POST /v1/sign-in",
      "GET /v1/projects/:id",
      "GET /v1/me",
    ]);
    const written = JSON.stringify(sink.entries);
    for (const secret of [alice.email, alice.password, alice.id, own.tokens.alice, NO_SUCH_ID]) {
      expect(written).not.toContain(secret);
    }
  });
});

describe("versioning", () => {
  test("a version after its sunset is gone, a method nobody declared is refused with what there is", async () => {
    const as = plain.tokens.alice;
    expect(await call("GET", "/v0/projects", { as })).toMatchObject({ status: 410, json: { code: "route-gone" } });
    expect(await call("DELETE", "/v1/me", { as })).toMatchObject({
      status: 405,
      headers: { allow: "GET, HEAD, OPTIONS, PATCH" },
    });
    for (const method of ["TRACE", "PROPFIND"]) {
      const answer = await call(method, "/v1/me", { as });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain(as);
    }
  });
});

describe("exposure", () => {
  test("there is nothing for strangers to find", async () => {
    for (const path of ["/", "/debug", "/.env", "/.git/config", "/openapi.json", "/metrics", "/health", "/docs"]) {
      expect(await call("GET", path), path).toMatchObject({ status: 404 });
    }
  });

  test("a credential in the URL is refused, however good it is", async () => {
    for (const query of [`token=${plain.tokens.alice}`, `api_key=${plain.keys.alice}`]) {
      const answer = await call("GET", `/v1/me?${query}`);
      expect(answer).toMatchObject({ status: 400, json: { code: "credential-in-url" } });
    }
  });
});

describe("the demonstration itself", () => {
  test("keeps projects, keys and sessions in a folder across restarts", async () => {
    const jwtSecret = randomBytes(48).toString("base64url");
    const options = { audit: quiet, folder: join(folder, "data"), jwtSecret };
    const first = await startProtected(options);
    const project = await createProject({ at: first, as: first.tokens.alice });
    const { cookie } = await startSession({ at: first });
    await first.close();
    await first.close();

    const second = await startProtected(options);
    for (const one of [{ as: first.tokens.alice }, { as: first.keys.alice }, { headers: { cookie } }]) {
      const answer = await call("GET", `/v1/projects/${project}`, { at: second, ...one });
      expect(answer).toMatchObject({ status: 200, json: { id: project } });
    }
    await second.close();
  });

  test("says which operations there are, and no secret, in the manifest", () => {
    expect(operations().length).toBeGreaterThan(25);
    expect(JSON.stringify(plain.manifest)).not.toContain(plain.jwtSecret);
  });
});

interface Options {
  /** Default: the one of this file that speaks plain http. */
  at?: Protected;
  /** A bearer token or an API key. */
  as?: string;
  headers?: Record<string, string>;
  json?: unknown;
  body?: string;
  maxVersion?: "TLSv1.2";
}

interface Answer {
  status: number;
  headers: Record<string, string | undefined> & { "set-cookie"?: string[] };
  text: string;
  json: unknown;
}

/** One call over a real connection; node:http because fetch forbids some headers a browser or an attacker sends. */
function call(method: string, path: string, options: Options = {}): Promise<Answer> {
  const { at = plain, as, headers, json, body, maxVersion } = options;
  const content = json === undefined ? body : JSON.stringify(json);
  const isChunked = headers?.["transfer-encoding"] !== undefined;
  const send = at.url.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = send({
      host: "127.0.0.1",
      port: at.port,
      method,
      path,
      agent: false,
      ca: certificate.ca,
      ...(maxVersion && { maxVersion, minVersion: maxVersion }),
      headers: {
        host: `localhost:${at.port}`,
        ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...(content === undefined || isChunked ? {} : { "content-length": Buffer.byteLength(content) }),
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
        const status = received.statusCode ?? 0;
        const isJson = /json/.test(received.headers["content-type"] ?? "");
        const { "set-cookie": cookies, ...others } = received.headers;
        const single = Object.fromEntries(Object.entries(others).map(([name, value]) => [name, String(value)]));
        resolve({
          status,
          headers: Object.assign(single, cookies && { "set-cookie": cookies }),
          text,
          json: isJson ? JSON.parse(text) : undefined,
        });
      });
    });
    sent.end(content);
  });
}

/** A new project; `json` adds to or replaces its fields. */
async function createProject({ json, ...options }: Options): Promise<string> {
  const fields = {
    name: "hers",
    url: "https://hers.example",
    backendType: "none",
    ...Object.fromEntries(entriesOf(json)),
  };
  return field(await call("POST", "/v1/projects", { ...options, json: fields }), "id");
}

/** Alice's cookie session. */
async function startSession(options: Options = {}) {
  const { email, password } = alice;
  const answer = await call("POST", "/v1/session", { ...options, json: { email, password } });
  return { answer, cookie: answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? "" };
}

/** A text field of an answer. */
function field({ json, text }: Answer, name: string): string {
  const value = fieldOf(json, name);
  if (typeof value !== "string") throw new Error(`No text "${name}" in ${text.slice(0, 200)}`);
  return value;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

function items({ json }: Answer): unknown[] {
  const list = fieldOf(json, "items");
  return Array.isArray(list) ? list : [];
}

function withoutRequestId({ text, headers }: Answer): string {
  return text.replace(headers["x-request-id"] ?? "", "");
}

/** The manifest's operations: method, path, and whether a caller is needed. */
function operations() {
  const paths = fieldOf(plain.manifest, "paths");
  return entriesOf(paths).flatMap(([path, methods]) =>
    entriesOf(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      access: fieldOf(fieldOf(fieldOf(operation, "x-portcullis"), "access"), "kind"),
    })),
  );
}
