import { anyCaller, by, byEach, createApi, list, nothing, publicAccess, view, cursorPages } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Given } from "../front-door.ts";
import { routeUntyped, sharedDoor, testApi, tokens } from "../front-door.ts";

interface Account {
  id: string;
  ownerId: string;
  name: string;
  role: string;
  credit: number;
  settings: { theme: string; beta: boolean };
}

describe("mass-assignment", () => {
  const account: Account = {
    id: "a1",
    ownerId: "alice",
    name: "Alice",
    role: "user",
    credit: 0,
    settings: { theme: "dark", beta: false },
  };
  const before = structuredClone(account);
  const door = sharedDoor(() => {
    const test = testApi();
    const accounts = test.api.resource("account", {
      load: (id) => (id === account.id ? account : undefined),
      owner: (row) => row.ownerId,
      serverSet: ["id", "ownerId", "role", "credit"],
    });
    const Change = z.strictObject({
      name: z.string().max(20).optional(),
      settings: z.strictObject({ theme: z.enum(["dark", "light"]) }).optional(),
    });
    const View = z.strictObject({ name: z.string(), role: z.string(), credit: z.number() });
    // The careless handler: everything the client sent goes into the row.
    const assign = ({ body }: Given): Account => Object.assign(account, body);
    const params = z.strictObject({ id: z.string().max(9) });
    const common = { access: anyCaller, objects: { account: by("id", accounts) }, output: view(View, accounts) };
    routeUntyped(test.api, { ...common, path: "PATCH /v1/accounts/:id", input: { params, body: Change } }, assign);
    routeUntyped(test.api, { ...common, path: "PUT /v1/accounts/:id", input: { params, body: Change } }, assign);
    return test;
  });
  const patch = (json: unknown) => door.ask("PATCH /v1/accounts/a1", { as: "alice", json });

  it("writes what is declared, even by a handler that takes all", async () => {
    const reply = await patch({ name: "Al" });
    expect(reply.json).toEqual({ name: "Al", role: "user", credit: 0 });
    await patch({ name: before.name });
  });

  it.each<[string, unknown]>([
    ["a role", { name: "Al", role: "admin" }],
    ["an owner", { ownerId: "mallory" }],
    ["an id", { id: "a2" }],
    ["money", { credit: 1_000_000 }],
    ["a flag nobody has", { isAdmin: true }],
    ["another spelling", { owner_id: "mallory" }],
    ["another case", { Role: "admin" }],
    ["a path for a name", { "settings.beta": true }],
    ["a path in brackets", { "settings[beta]": true }],
    ["a field one level down", { settings: { theme: "dark", beta: true } }],
    ["an operator", { $set: { role: "admin" } }],
    ["the same under a wrapper", { account: { role: "admin" } }],
    ["a method", { toString: "x" }],
  ])("refuses %s and writes nothing of the rest", async (_what, json) => {
    for (const method of ["PATCH", "PUT"]) {
      const reply = await door.ask(`${method} /v1/accounts/a1`, { as: "alice", json });
      expect([reply.status, reply.code], method).toEqual([400, "invalid-input"]);
      expect(reply.body).toContain('"reason":"unknown"');
    }
    expect(account).toEqual(before);
  });

  it.each([
    '{"__proto__":{"role":"admin"}}',
    '{"constructor":{"prototype":{"role":"admin"}}}',
    '{"settings":{"__proto__":{"beta":true}}}',
    '{"\\u005f_proto__":{"role":"admin"}}',
  ])("refuses what would reach every object: %s", async (body) => {
    const headers = { "Content-Type": "application/json" };
    const reply = await door.ask("PATCH /v1/accounts/a1", { as: "alice", body, headers });
    expect([reply.status, reply.code]).toEqual([400, "bad-body"]);
    expect(account).toEqual(before);
    expect(Object.getPrototypeOf({})).not.toHaveProperty("role");
  });

  it("takes no field from the query or a form instead", async () => {
    const query = await door.ask("PATCH /v1/accounts/a1?role=admin", { as: "alice", json: {} });
    expect(query.code).toBe("invalid-input");
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const form = await door.ask("PATCH /v1/accounts/a1", { as: "alice", body: "role=admin", headers });
    expect(form.code).toBe("media-type");
    expect(account).toEqual(before);
  });
});

describe("mass-assignment at the start", () => {
  const problems = (body: z.ZodType, how: "object" | "view" | "list" | "other" = "view") => {
    const api = createApi({ name: "start", hosts: ["localhost"], credentials: [tokens] });
    const row = api.resource("row", {
      load: (): { ownerId: string } | undefined => undefined,
      owner: (one) => one.ownerId,
      serverSet: ["ownerId", "createdAt"],
    });
    const outputs = {
      object: { output: nothing, objects: { row: by("body.rowId", row) } },
      view: { output: { 201: view(z.strictObject({ ok: z.boolean() }), row) } },
      list: { output: list(z.strictObject({ ok: z.boolean() }), row), page: cursorPages() },
      other: { output: nothing },
    };
    routeUntyped(api, { path: "POST /v1/rows", access: anyCaller, input: { body }, ...outputs[how] });
    return api.problems().map((one) => `${one.field}: ${one.problem}`);
  };
  const text = z.string().max(9);
  const refused = "input.body: takes createdAt, which only the server sets on row";

  it("refuses a body that declares what only the server sets, at any depth and by any way to the resource", () => {
    expect(problems(z.strictObject({ createdAt: text }))).toContain(refused);
    expect(problems(z.strictObject({ createdAt: text.optional() }))).toContain(refused);
    expect(problems(z.strictObject({ createdAt: text }), "list")).toContain(refused);
    expect(problems(z.strictObject({ rowId: text, createdAt: text }), "object")).toContain(refused);
    expect(problems(z.strictObject({ deep: z.strictObject({ createdAt: text }) }))).toContain(refused);
    expect(problems(z.strictObject({ items: z.array(z.strictObject({ createdAt: text })).max(3) }))).toContain(refused);
    expect(problems(z.union([z.strictObject({ a: text }), z.strictObject({ createdAt: text })]))).toContain(refused);
  });

  it("lets a body name what it may, and routes that do not touch the resource", () => {
    expect(problems(z.strictObject({ name: text }))).toEqual([]);
    expect(problems(z.strictObject({ createdAt: text }), "other")).toEqual([]);
  });

  it("refuses an open body, which declares everything", () => {
    const api = createApi({ name: "start", hosts: ["localhost"], credentials: [] });
    for (const body of [z.object({ a: z.boolean() }), z.looseObject({}), z.strictObject({}).catchall(z.boolean())]) {
      routeUntyped(api, { path: "POST /v1/rows", access: publicAccess("x"), input: { body }, output: nothing });
      expect(api.problems().map((one) => one.field)).toContainEqual(expect.stringMatching(/^input\.body/));
    }
  });

  it("takes an id in the body for an object and not for an assignment, where a rule loads it", () => {
    const api = createApi({ name: "start", hosts: ["localhost"], credentials: [tokens] });
    const row = api.resource("row", {
      load: (): { ownerId: string } | undefined => undefined,
      owner: (one) => one.ownerId,
      serverSet: ["parentId", "childIds"],
    });
    const body = z.strictObject({ parentId: z.uuid(), childIds: z.array(z.uuid()).max(5) });
    const route = (objects: unknown): readonly string[] => {
      routeUntyped(api, {
        path: "POST /v1/rows",
        access: anyCaller,
        input: { body },
        objects,
        output: view(z.strictObject({ ok: z.boolean() }), row),
      });
      return api.problems().map((one) => one.field);
    };
    expect(route({ parent: by("body.parentId", row), children: byEach("body.childIds", row) })).toEqual([]);
    expect(route({})).toContain("input.body");
  });
});
