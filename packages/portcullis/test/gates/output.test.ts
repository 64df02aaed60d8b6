import { anyCaller, answer, by, byRole, createApi, nothing, publicAccess, unowned, view } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Reply } from "../front-door.ts";
import { bearer, richTokens, routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const access = publicAccess("the tests look at what leaves");
const unownedHere = (fields: z.ZodRawShape) => unowned(z.strictObject(fields), "rows of the test");

describe("output", () => {
  /** What the next handler returns. */
  let next: () => unknown = () => undefined;
  const door = sharedDoor(() => {
    const test = testApi();
    const route = (path: string, output: unknown): void =>
      routeUntyped(test.api, { path, access, output }, () => next());
    route(
      "GET /v1/user",
      unownedHere({
        id: z.int(),
        name: z.string(),
        nick: z.string().optional(),
        bio: z.string().nullable(),
        since: z.iso.datetime(),
        role: z.enum(["user", "admin"]),
        address: z.strictObject({ city: z.string() }),
        tags: z.array(z.strictObject({ name: z.string() })).max(3),
      }),
    );
    route("GET /v1/ok", z.strictObject({ ok: z.boolean() }));
    route("POST /v1/status", {
      200: z.strictObject({ ok: z.boolean() }),
      201: unownedHere({ id: z.string() }),
      204: nothing,
    });
    route("GET /v1/nothing", nothing);
    route("GET /v1/text", z.string().max(50));
    route("GET /v1/array", unowned(z.array(z.strictObject({ id: z.int() })).max(2), "rows of the test"));
    return test;
  });
  const get = (path: string, value: () => unknown): Promise<Reply> => {
    next = value;
    return door.ask(path.startsWith("POST") ? path : `GET ${path}`);
  };

  const row = {
    id: 1,
    name: "Alice",
    bio: null,
    since: new Date(0),
    role: "user",
    address: { city: "Bern", street: "Secret street 1", location: { lat: 1, lon: 2 } },
    tags: [{ name: "a", internal: true }],
    passwordHash: "$argon2id$x",
    totpSecret: "JBSW",
    password: undefined,
    toJSON: undefined,
  };
  const declared = {
    id: 1,
    name: "Alice",
    bio: null,
    since: "1970-01-01T00:00:00.000Z",
    role: "user",
    address: { city: "Bern" },
    tags: [{ name: "a" }],
  };

  it("lets declared fields leave and nothing else, at every depth, whatever row is returned", async () => {
    const reply = await get("/v1/user", () => row);
    expect(reply.json).toEqual(declared);
    expect(reply.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  it("drops a field that was added to the table yesterday, own, inherited or hidden", async () => {
    class Entity {
      readonly id = 1;
      readonly name = "Alice";
      readonly bio = null;
      readonly since = new Date(0);
      readonly role = "user";
      readonly address = { city: "Bern" };
      readonly tags = [{ name: "a" }];
      get ssn(): string {
        return "756.1234";
      }
    }
    expect((await get("/v1/user", () => Object.assign(new Entity(), { addedYesterday: "x" }))).json).toEqual(declared);
  });

  it("reads nothing that is not declared, so that a lazy column is not loaded", async () => {
    let read = 0;
    const lazy = Object.defineProperty({ ok: true }, "secret", { enumerable: true, get: () => ++read });
    expect((await get("/v1/ok", () => lazy)).json).toEqual({ ok: true });
    expect(read).toBe(0);
  });

  it("reads a declared field once, so that what was judged is what leaves", async () => {
    let read = 0;
    const shifty = Object.defineProperty({}, "ok", { enumerable: true, get: () => read++ === 0 || "secret" });
    expect((await get("/v1/ok", () => shifty)).body).toBe('{"ok":true}');
  });

  it("asks no toJSON, which could say anything", async () => {
    const sly = { ok: true, toJSON: () => ({ ok: true, passwordHash: "x" }) };
    expect((await get("/v1/ok", () => sly)).json).toEqual({ ok: true });
  });

  const wrong: readonly (readonly [string, string, () => unknown])[] = [
    ["a field missing", "/v1/user", () => ({ ...row, name: undefined })],
    ["a text for a number", "/v1/user", () => ({ ...row, id: "1" })],
    ["a fraction for an integer", "/v1/user", () => ({ ...row, id: 1.5 })],
    ["NaN", "/v1/user", () => ({ ...row, id: Number.NaN })],
    ["null where it is not declared", "/v1/user", () => ({ ...row, name: null })],
    ["a value that is not listed", "/v1/user", () => ({ ...row, role: "root" })],
    ["an object for a text", "/v1/user", () => ({ ...row, name: { first: "Alice" } })],
    [
      "more items than declared",
      "/v1/user",
      () => ({ ...row, tags: Array.from({ length: 4 }, () => ({ name: "a" })) }),
    ],
    ["a wrong item", "/v1/user", () => ({ ...row, tags: [{ name: 1 }] })],
    ["a text for true", "/v1/ok", () => ({ ok: "true" })],
    ["null", "/v1/ok", () => null],
    ["nothing", "/v1/ok", () => undefined],
    ["a list for an object", "/v1/ok", () => [{ ok: true }]],
    ["a text for an object", "/v1/ok", () => "ok"],
    ["a map", "/v1/ok", () => new Map([["ok", true]])],
    ["a value that throws when it is read", "/v1/ok", () => Object.defineProperty({}, "ok", { get: () => boom() })],
    ["a list that is too long", "/v1/array", () => [{ id: 1 }, { id: 2 }, { id: 3 }]],
    ["an object for a list", "/v1/array", () => ({ id: 1 })],
  ];
  it.each(wrong)("answers 500 and lets nothing leave: %s", async (_what, path, value) => {
    const reply = await get(path, value);
    expect([reply.status, reply.code]).toEqual([500, "internal"]);
    expect(await door.recordedCode(reply)).toBe("undeclared-output");
    expect(reply.json).toMatchObject({ title: "Internal error" });
    expect(reply.said).not.toMatch(/Alice|Bern|boom|expected/);
  });

  it("tells the log which field it was, and no value of it", async () => {
    const entries = await door.recorded(await get("/v1/user", () => ({ ...row, id: "hunter2" })));
    expect(entries).toContainEqual(expect.objectContaining({ protection: "output", code: "undeclared-output" }));
    expect(entries).toContainEqual(
      expect.objectContaining({ type: "error-thrown", error: expect.stringContaining("/id") }),
    );
    expect(JSON.stringify(entries)).not.toContain("hunter2");
  });

  it("answers by the statuses that are declared and no other", async () => {
    const post = (value: () => unknown) => get("POST /v1/status", value);
    expect((await post(() => ({ ok: true, id: "1" }))).json).toEqual({ ok: true });
    const created = await post(() => answer({ ok: true, id: "1" }, { status: 201 }));
    expect([created.status, created.json]).toEqual([201, { id: "1" }]);
    const empty = await post(() => answer({ secret: "x" }, { status: 204 }));
    expect([empty.status, empty.body, empty.headers.has("content-type")]).toEqual([204, "", false]);
    for (const status of [202, 299, 301, 400, 404, 500, 99, 0, Number.NaN]) {
      const reply = await post(() => answer({ ok: true, id: "secret" }, { status }));
      expect([reply.status, reply.code, reply.said.includes("secret")], String(status)).toEqual([
        500,
        "internal",
        false,
      ]);
      expect(await door.recordedCode(reply)).toBe("undeclared-output");
    }
    expect((await post(() => answer({ ok: true }, { status: 201 }))).status).toBe(500);
  });

  it("drops whatever is returned where nothing is declared", async () => {
    for (const value of [undefined, null, "secret", { secret: true }, row]) {
      const reply = await get("/v1/nothing", () => value);
      expect([reply.status, reply.body, reply.headers.has("content-type")]).toEqual([204, "", false]);
    }
  });

  it("writes text as JSON, with nothing in it that could be taken for more", async () => {
    const text = '"}</script>\u2028\u0000é😀';
    const reply = await get("/v1/text", () => text);
    expect(reply.json).toBe(text);
    expect(reply.headers.get("content-length")).toBe(String(Buffer.byteLength(reply.body)));
  });

  it("lets a handler set the headers it may and no others", async () => {
    const set = (headers: Readonly<Record<string, string>>) => get("/v1/nothing", () => answer(undefined, { headers }));
    const moved = await set({ Location: "/v1/open", ETag: '"1"' });
    expect([moved.status, moved.headers.get("location"), moved.headers.get("etag")]).toEqual([204, "/v1/open", '"1"']);
    for (const name of [
      "server",
      "x-powered-by",
      "set-cookie",
      "access-control-allow-origin",
      "content-security-policy",
      "cache-control",
      "content-type",
      "content-length",
      "x-request-id",
      "",
      "x y",
    ]) {
      expect((await set({ [name]: "x" })).status, name).toBe(500);
    }
    for (const value of ["/a\r\nset-cookie: a=b", "/a\nb", "/a\u0000", "/é", "/\ud83d\ude00"]) {
      const reply = await set({ location: value });
      expect([reply.status, reply.headers.has("set-cookie")], JSON.stringify(value)).toEqual([500, false]);
    }
  });

  it("sets cookies whose attributes are safe where nothing is said", async () => {
    const cookie = (name: string, value: string, more: object = {}) =>
      get("/v1/nothing", () => answer(undefined, { cookies: [{ name, value, ...more }] }));
    const set = await cookie("__Host-a", "b");
    expect(set.headers.get("set-cookie")).toBe("__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Strict");
    const lax = await cookie("a", "b", { sameSite: "Lax", maxAgeSeconds: 60 });
    expect(lax.headers.get("set-cookie")).toBe("a=b; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax");
    for (const [name, value] of [
      ["a", "b; Domain=evil.example"],
      ["a b", "c"],
      ["a", "b\r\nx: y"],
      ["", "b"],
      ["a=b", "c"],
    ] as const) {
      const reply = await cookie(name, value);
      expect([reply.status, reply.headers.has("set-cookie")], `${name}=${value}`).toEqual([500, false]);
    }
  });
});

describe("output by role", () => {
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [richTokens] });
    const person = test.api.resource("person", {
      load: (id) => ({ id, ownerId: id, name: "Olga", salary: 100, notes: "promising" }),
      owner: (row) => row.ownerId,
      grant: (_row, caller) => (caller.subject === "boss" ? ["manager"] : caller.subject === "peer" ? ["peer"] : []),
      shared: "everybody sees colleagues",
    });
    const Public = z.strictObject({ name: z.string() });
    const Own = z.strictObject({ name: z.string(), salary: z.int() });
    const Full = z.strictObject({ name: z.string(), salary: z.int(), notes: z.string() });
    const views = byRole({
      hr: view(Full, person),
      manager: view(Full, person),
      owner: view(Own, person),
      otherwise: view(Public, person),
    });
    const input = { params: z.strictObject({ id: z.string().max(9) }) };
    const objects = { person: by("id", person) };
    routeUntyped(
      test.api,
      { path: "GET /v1/people/:id", access: anyCaller, input, objects, output: views },
      (given) => given["person"],
    );
    routeUntyped(
      test.api,
      { path: "GET /v1/free/:id", access, input, objects, output: views },
      (given) => given["person"],
    );
    return test;
  });
  const see = async (subject: string, claims: Readonly<Record<string, unknown>> = {}) =>
    (await door.ask("GET /v1/people/olga", { headers: await bearer(subject, claims) })).json;

  it("gives each what is theirs: by role in the object, by role of the caller, and the least to the rest", async () => {
    expect(await see("olga")).toEqual({ name: "Olga", salary: 100 });
    expect(await see("boss")).toEqual({ name: "Olga", salary: 100, notes: "promising" });
    expect(await see("clerk", { roles: ["hr"] })).toEqual({ name: "Olga", salary: 100, notes: "promising" });
    expect(await see("peer")).toEqual({ name: "Olga" });
    expect(await see("mallory", { roles: ["HR", "Manager", "otherwise", "admin"] })).toEqual({ name: "Olga" });
    expect((await door.ask("GET /v1/free/olga")).json).toEqual({ name: "Olga" });
  });

  it("prefers the view that is named first where a caller has several roles", async () => {
    expect(await see("olga", { roles: ["hr"] })).toEqual({ name: "Olga", salary: 100, notes: "promising" });
  });
});

describe("output at the start", () => {
  const problems = (output: unknown) => {
    const api = createApi({ name: "start", hosts: ["localhost"], credentials: [] });
    routeUntyped(api, { path: "GET /v1/x", access, output });
    return api.problems().map((one) => `${one.field}: ${one.problem}`);
  };

  it("refuses a route that does not say what leaves", () => {
    for (const none of [undefined, null]) expect(problems(none)).toEqual(["output: nobody decided what leaves"]);
    expect(problems({})).toEqual(["output: declares no answer"]);
  });

  it("refuses a schema that lets anything leave", () => {
    const open: readonly z.ZodType[] = [
      z.looseObject({ a: z.boolean() }),
      z.any(),
      z.unknown(),
      z.record(z.string(), z.string()),
      z.strictObject({ a: z.any() }),
      z.strictObject({ a: z.array(z.boolean()) }),
    ];
    for (const schema of open) expect(problems(schema)[0]).toMatch(/^output\.200/);
  });

  it("refuses a status that is no success, and views by role without one for the rest", () => {
    expect(problems({ 404: z.strictObject({ a: z.boolean() }) })[0]).toMatch(/^output: 404 is no success/);
    const unfinished = Object.freeze({ kind: "by-role", roles: { admin: z.strictObject({ a: z.boolean() }) } });
    expect(problems(unfinished)[0]).toMatch(/^output\.200: has no view for other callers/);
  });
});

function boom(): never {
  throw new Error("boom");
}
