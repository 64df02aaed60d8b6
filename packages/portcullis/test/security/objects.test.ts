import type { Api, Listening } from "portcullis";
import { anyCaller, by, byEach, byRole, everyOwner, notAnObject, nothing, view } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { noteIds, testApi, token } from "../front-door.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const [alices, bobs] = noteIds;

/** A kind of object of which each caller owns one. */
function things(api: Api) {
  return api.resource("thing", {
    load: (id) => ({ id, ownerId: id === alices ? "alice" : "bob" }),
    owner: (one) => one.ownerId,
  });
}

/** A policy as a program without types would write it. */
function untyped(api: Api, policy: Readonly<Record<string, unknown>>, run: (given: unknown) => unknown): void {
  Reflect.apply(api.route, api, [policy, run]);
}

function problems(api: Api): string {
  return api
    .problems()
    .map((one) => `${one.field}: ${one.problem}`)
    .join("\n");
}

async function post(path: string, body: unknown): Promise<number> {
  const answer = await fetch(`${open?.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token("alice")}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.status;
}

const Item = z.strictObject({ thingId: z.uuid(), count: z.int().min(0).max(9) });

describe("object-access: an id in a list of objects", () => {
  it("is loaded and judged like any other, each of them", async () => {
    const { api } = testApi();
    const seen: unknown[] = [];
    const input = { body: z.strictObject({ items: z.array(Item).max(5).optional() }) };
    const objects = { things: byEach("body.items.*.thingId", things(api)) };
    api.route({ path: "POST /v1/orders", access: anyCaller, input, objects, output: nothing }, (given) => {
      seen.push(given.things?.map((one) => one.id));
    });
    open = await api.listen({ port: 0, handleSignals: false });
    expect(await post("/v1/orders", { items: [{ thingId: alices, count: 1 }] })).toBe(204);
    expect(await post("/v1/orders", { items: [{ thingId: bobs, count: 1 }] })).toBe(404);
    expect(
      await post("/v1/orders", {
        items: [
          { thingId: alices, count: 1 },
          { thingId: bobs, count: 1 },
        ],
      }),
    ).toBe(404);
    expect(await post("/v1/orders", {})).toBe(204);
    expect(seen).toEqual([[alices], undefined]);
  });

  it("is followed through lists in lists and from a body that is a list", async () => {
    const { api } = testApi();
    const thing = things(api);
    const Group = z.strictObject({ memberIds: z.array(z.uuid()).max(3) });
    const deep = z.strictObject({ groups: z.array(Group).max(3) });
    let ran = 0;
    api.route(
      {
        path: "POST /v1/groups",
        access: anyCaller,
        input: { body: deep },
        objects: { members: byEach("body.groups.*.memberIds", thing) },
        output: nothing,
      },
      () => void ran++,
    );
    api.route(
      {
        path: "POST /v1/lines",
        access: anyCaller,
        input: { body: z.array(Item).max(3) },
        objects: { things: byEach("body.*.thingId", thing) },
        output: nothing,
      },
      () => void ran++,
    );
    open = await api.listen({ port: 0, handleSignals: false });
    expect(await post("/v1/groups", { groups: [{ memberIds: [alices] }, { memberIds: [alices, bobs] }] })).toBe(404);
    expect(await post("/v1/groups", { groups: [{ memberIds: [alices] }, { memberIds: [alices] }] })).toBe(204);
    expect(await post("/v1/lines", [{ thingId: bobs, count: 1 }])).toBe(404);
    expect(await post("/v1/lines", [{ thingId: alices, count: 1 }])).toBe(204);
    expect(ran).toBe(2);
  });

  it("is not lost by a schema that moves it elsewhere", async () => {
    const { api } = testApi();
    const Moved = z.strictObject({ thing_id: z.uuid() }).transform(({ thing_id }) => ({ target: thing_id }));
    const seen: unknown[] = [];
    const objects = { thing: by("body.thing_id", things(api)) };
    untyped(
      api,
      { path: "POST /v1/x", access: anyCaller, input: { body: Moved }, objects, output: nothing },
      (given) => void seen.push(given),
    );
    open = await api.listen({ port: 0, handleSignals: false });
    expect(await post("/v1/x", { thing_id: bobs })).toBe(500);
    expect(seen).toEqual([]);
  });

  it("cannot be taken for one id, which would load none of them", () => {
    const { api } = testApi();
    const input = { body: z.strictObject({ items: z.array(Item).max(5) }) };
    const objects = { thing: by("body.items.*.thingId", things(api)) };
    api.route({ path: "POST /v1/orders", access: anyCaller, input, objects, output: nothing }, () => undefined);
    expect(problems(api)).toMatch(/objects: thing stands in a list/);
  });
});

describe("object-access: an id no rule can reach stops the start", () => {
  const uuids = z.array(z.uuid()).max(50);
  const Tree: z.ZodType = z.strictObject({
    thingId: z.uuid(),
    get children() {
      return z.array(Tree).max(3).optional();
    },
  });
  const cases: readonly (readonly [string, unknown, Readonly<Record<string, unknown>>, RegExp])[] = [
    ["a body that is a list of ids", uuids, {}, /objects: the body itself is an id, or a list of them/],
    ["a body that is one id", z.uuid(), {}, /objects: the body itself is an id/],
    [
      "a rule whose field the body does not have",
      z.strictObject({ thing: z.string().max(9) }),
      { thing: "body.thingId" },
      /objects: the body has no thingId/,
    ],
    [
      "a field whose name has a dot, which a rule would read as two",
      z.strictObject({ "x.thingId": z.uuid() }),
      { thing: "body.x.thingId" },
      /objects: the body has no x\.thingId/,
    ],
    [
      "an id that comes again at any depth",
      Tree,
      { thing: "body.thingId" },
      /objects: no rule consumes the id body\.children\.\*/,
    ],
  ];
  it.each(cases)("%s", (_name, body, rules, expected) => {
    const { api } = testApi();
    const thing = things(api);
    const objects = Object.fromEntries(Object.entries(rules).map(([name, field]) => [name, by(String(field), thing)]));
    untyped(api, { path: "POST /v1/x", access: anyCaller, input: { body }, objects, output: nothing }, () => undefined);
    expect(problems(api)).toMatch(expected);
  });

  it.each(["uuid", "project_uuid", "projectUuid", "userGUID", "ulid", "order-guids"])("a text called %s", (name) => {
    const { api } = testApi();
    const body = z.strictObject({ [name]: z.string().max(40) });
    untyped(api, { path: "POST /v1/x", access: anyCaller, input: { body }, output: nothing }, () => undefined);
    expect(problems(api)).toBe(`objects: no rule consumes the id body.${name}`);
  });

  it.each(["languid", "fluid", "paid", "grid", "Valid", "guide"])("but not a text called %s", (name) => {
    const { api } = testApi();
    const body = z.strictObject({ [name]: z.string().max(40) });
    untyped(api, { path: "POST /v1/x", access: anyCaller, input: { body }, output: nothing }, () => undefined);
    expect(problems(api)).toBe("");
  });

  it("unless somebody says why it names no object", () => {
    const { api } = testApi();
    const objects = { body: notAnObject("names of files the client made itself") };
    untyped(
      api,
      { path: "POST /v1/x", access: anyCaller, input: { body: uuids }, objects, output: nothing },
      () => undefined,
    );
    expect(problems(api)).toBe("");
  });
});

describe("object-access: who sees every owner sees one tenant", () => {
  it("and where an object's tenant stands in its parent alone, that stops the start", () => {
    const { api } = testApi();
    const folder = api.resource("folder", {
      load: (id) => ({ id, tenantId: "acme" }),
      tenant: (one) => one.tenantId,
      shared: "for the tests",
    });
    const file = api.resource("file", {
      load: (id) => ({ id, folderId: "f" }),
      parent: { resource: folder, id: (one) => one.folderId },
    });
    const owners = everyOwner({ roles: ["admin"], reason: "for the tests" });
    const output = view(z.strictObject({ id: z.uuid() }), file, { owners });
    untyped(api, { path: "GET /v1/files", access: anyCaller, output }, () => undefined);
    expect(problems(api)).toMatch(/output\.200: lets admin see file of every tenant/);
  });
});

describe("object-access: a grant that grants nothing", () => {
  const nothings: readonly (readonly [string, () => unknown, number])[] = [
    ["no role", () => [], 404],
    ["a role that is undefined, as a look-up that finds nobody gives", () => [undefined], 404],
    ["a role that is null", () => [null], 404],
    ["an empty role", () => [""], 404],
    ["a text instead of a list", () => "viewer", 500],
    ["a promise instead of a list", () => Promise.resolve(["viewer"]), 500],
    ["a throw", () => boom(), 500],
  ];
  it.each(nothings)("%s", async (_name, grant, status) => {
    const { api } = testApi();
    const file = api.resource(
      "file",
      Object.assign({ load: (id: string) => ({ id }), shared: "overwritten" }, { grant, shared: undefined }),
    );
    const ran: unknown[] = [];
    untyped(
      api,
      {
        path: "GET /v1/files/:id",
        access: anyCaller,
        input: { params: z.strictObject({ id: z.uuid() }) },
        objects: { file: by("id", file) },
        output: view(z.strictObject({ id: z.uuid() }), file),
      },
      (given) => void ran.push(given),
    );
    open = await api.listen({ port: 0, handleSignals: false });
    const answer = await fetch(`${open.url}/v1/files/${alices}`, {
      headers: { authorization: `Bearer ${await token("alice")}` },
    });
    expect(answer.status).toBe(status);
    expect(ran).toEqual([]);
  });
});

describe("output: a view by role asks for the role in the object that leaves", () => {
  const Full = z.strictObject({ id: z.uuid(), ownerId: z.string() });
  const Less = z.strictObject({ id: z.uuid() });

  it("so that owning another object named in the request opens nothing", () => {
    const { api } = testApi();
    const thing = things(api);
    const params = z.strictObject({ id: z.uuid() });
    const query = z.strictObject({ likeId: z.uuid() });
    api.route(
      {
        path: "GET /v1/things/:id",
        access: anyCaller,
        input: { params, query },
        objects: { thing: by("id", thing), like: by("query.likeId", thing) },
        output: byRole({ owner: view(Full, thing), otherwise: view(Less, thing) }),
      },
      (given) => given.thing,
    );
    expect(problems(api)).toMatch(/output\.200: cannot tell whose role is meant: thing and like both give roles/);
  });

  it("and owning the object above it is another role", async () => {
    const { api } = testApi();
    const thing = things(api);
    const part = api.resource("part", {
      load: (id) => ({ id, ownerId: "bob", thingId: alices }),
      owner: (one) => one.ownerId,
      parent: { resource: thing, id: (one) => one.thingId },
    });
    const views = (role: "owner" | "thing:owner") => byRole({ [role]: view(Full, part), otherwise: view(Less, part) });
    for (const role of ["owner", "thing:owner"] as const) {
      untyped(
        api,
        {
          path: `GET /v1/${role.replace(":", "-")}/:id/parts/:partId`,
          access: anyCaller,
          input: { params: z.strictObject({ id: z.uuid(), partId: z.uuid() }) },
          objects: { thing: by("id", thing), part: by("partId", part, { within: "thing" }) },
          output: views(role),
        },
        (given) => (typeof given === "object" && given !== null && "part" in given ? given.part : undefined),
      );
    }
    open = await api.listen({ port: 0, handleSignals: false });
    const get = async (path: string): Promise<unknown> =>
      (
        await fetch(`${open?.url}/v1/${path}/${alices}/parts/${bobs}`, {
          headers: { authorization: `Bearer ${await token("alice")}` },
        })
      ).json();
    expect(await get("owner")).toEqual({ id: bobs });
    expect(await get("thing-owner")).toEqual({ id: bobs, ownerId: "bob" });
  });
});

function boom(): never {
  throw new Error("boom");
}
