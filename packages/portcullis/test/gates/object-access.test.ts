import { setTimeout as wait } from "node:timers/promises";
import type { Api, Resource } from "portcullis";
import {
  anyCaller,
  answer,
  by,
  byEach,
  byRole,
  cursorPages,
  everyOwner,
  list,
  nothing,
  publicAccess,
  shared,
  unowned,
  view,
} from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Asked, Reply } from "../front-door.ts";
import { bearer, noteIds, resourceUntyped, richTokens, routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const limit = "100000/s";
const params = z.strictObject({ id: z.string().max(40) });
const Id = z.strictObject({ id: z.string().max(40) });

/** Where nothing but the request's own id may differ. */
function shape(reply: Reply): readonly unknown[] {
  const headers = [...reply.headers].filter(([name]) => name !== "date" && !name.startsWith("ratelimit"));
  return [reply.status, reply.said, headers.map(([name, value]) => [name, value.replace(reply.id, "")])];
}

const missingLikeAnyOther = { status: 404, code: "object-not-found" };

describe("object-access: whose an object is", () => {
  interface File {
    readonly id: string;
    readonly tenantId: string | null | undefined;
    readonly ownerId: string | null | undefined;
    readonly members: Readonly<Record<string, readonly string[]>>;
  }
  const files = new Map<string, File>();
  const file = (
    id: string,
    tenantId: File["tenantId"],
    ownerId: File["ownerId"],
    members: File["members"] = {},
  ): void => {
    files.set(id, { id, tenantId, ownerId, members });
  };
  file("acme-alice", "acme", "alice", { bob: ["editor"], carol: [], globexia: ["editor"] });
  file("globex-alice", "globex", "alice");
  for (const [name, nobody] of [
    ["null", null],
    ["undefined", undefined],
    ["empty", ""],
  ] as const) {
    file(`owner-${name}`, "acme", nobody);
    file(`tenant-${name}`, nobody, "alice");
  }
  file("text-null", "acme", "null");
  file("text-undefined", "undefined", "alice");

  const ran: unknown[] = [];
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [richTokens] });
    const one = test.api.resource("file", {
      load: (id) => files.get(id),
      tenant: (row) => row.tenantId,
      owner: (row) => row.ownerId,
      grant: (row, caller) => (Object.hasOwn(row.members, caller.subject) ? (row.members[caller.subject] ?? []) : []),
    });
    const common = { access: anyCaller, input: { params }, objects: { file: by("id", one) }, limit } as const;
    test.api.route({ ...common, path: "GET /v1/files/:id", output: view(Id, one) }, (given) => given.file);
    test.api.route({ ...common, path: "DELETE /v1/files/:id", output: nothing }, (given) => {
      ran.push(given.file);
    });
    test.api.route(
      { ...common, path: "PUT /v1/files/:id", access: { objectRole: ["owner", "editor"] }, output: nothing },
      () => undefined,
    );
    return test;
  });
  const as = async (subject: string, tid?: unknown) => ({
    headers: await bearer(subject, tid === undefined ? {} : { tid }),
  });

  const callers: readonly (readonly [string, string, string | undefined, string, number])[] = [
    ["its owner, in its tenant", "alice", "acme", "acme-alice", 200],
    ["its owner, from another tenant", "alice", "globex", "acme-alice", 404],
    ["its owner, without a tenant", "alice", undefined, "acme-alice", 404],
    ["whom it grants a role", "bob", "acme", "acme-alice", 200],
    ["whom it grants a role, from another tenant", "bob", "globex", "acme-alice", 404],
    ["whom it names without a role", "carol", "acme", "acme-alice", 404],
    ["a neighbour in the same tenant", "mallory", "acme", "acme-alice", 404],
    ["a subject in other letters", "Alice", "acme", "acme-alice", 404],
    ["a subject with a blank", "alice ", "acme", "acme-alice", 404],
    ["a subject that is a name every object has", "constructor", "acme", "acme-alice", 404],
    ["a tenant in other letters", "alice", "ACME", "acme-alice", 404],
    ["the owner of the same name elsewhere", "alice", "acme", "globex-alice", 404],
    ["anybody, of an object whose owner is null", "alice", "acme", "owner-null", 404],
    ["anybody, of an object whose owner is undefined", "alice", "acme", "owner-undefined", 404],
    ["anybody, of an object whose owner is empty", "alice", "acme", "owner-empty", 404],
    ["anybody, of an object whose tenant is null", "alice", undefined, "tenant-null", 404],
    ["anybody, of an object whose tenant is undefined", "alice", undefined, "tenant-undefined", 404],
    ["anybody, of an object whose tenant is empty", "alice", "", "tenant-empty", 404],
    ["anybody, of an object without a tenant, from one", "alice", "acme", "tenant-null", 404],
    ["a subject called null, of an object whose owner is null", "null", "acme", "owner-null", 404],
    ["a subject called null, of his own", "null", "acme", "text-null", 200],
    ["nobody's tenant, of a tenant called undefined", "alice", undefined, "text-undefined", 404],
  ];
  it.each(callers)("%s: %s of %s asks for %s: %i", async (_who, subject, tid, id, status) => {
    const reply = await door.ask(`GET /v1/files/${id}`, await as(subject, tid));
    expect(reply.status).toBe(status);
    if (status === 404) expect(reply).toMatchObject(missingLikeAnyOther);
  });

  it("makes a foreign object and a missing one look the same, to every method", async () => {
    const mallory = await as("mallory", "acme");
    for (const method of ["GET", "HEAD", "DELETE", "PUT"]) {
      const foreign = await door.ask(`${method} /v1/files/acme-alice`, mallory);
      const missing = await door.ask(`${method} /v1/files/none`, mallory);
      expect(shape(foreign), method).toEqual(shape(missing));
      expect(foreign.status, method).toBe(404);
    }
  });

  it("never runs the handler for an object out of reach", async () => {
    ran.length = 0;
    await door.ask("DELETE /v1/files/acme-alice", await as("mallory", "acme"));
    expect(ran).toEqual([]);
    await door.ask("DELETE /v1/files/acme-alice", await as("alice", "acme"));
    expect(ran).toHaveLength(1);
  });

  it("records why, without the id that was tried", async () => {
    const reply = await door.ask("GET /v1/files/acme-alice", await as("mallory", "acme"));
    const entries = await door.recorded(reply);
    expect(entries).toContainEqual(
      expect.objectContaining({
        type: "refused",
        protection: "object-access",
        route: "GET /v1/files/:id",
        tenant: "acme",
      }),
    );
    expect(JSON.stringify(entries)).not.toContain("acme-alice");
  });
});

describe("object-access: seeing and changing", () => {
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [richTokens] });
    const roles: Readonly<Record<string, readonly string[]>> = { vera: ["viewer"], ed: ["viewer", "editor"] };
    const doc = test.api.resource("doc", {
      load: (id) => (id === "doc" ? { id, ownerId: "olga" } : undefined),
      owner: (row) => row.ownerId,
      grant: (_row, caller) => roles[caller.subject] ?? [],
    });
    const leaf = test.api.resource("leaf", {
      load: (id) => (id === "leaf" ? { id, docId: "doc" } : undefined),
      parent: { resource: doc, id: (row) => row.docId },
    });
    const common = { input: { params }, output: nothing, limit } as const;
    const docs = { doc: by("id", doc) };
    const done = (): undefined => undefined;
    test.api.route({ ...common, path: "GET /v1/docs/:id", access: anyCaller, objects: docs }, done);
    test.api.route(
      { ...common, path: "PUT /v1/docs/:id", access: { objectRole: ["owner", "editor"] }, objects: docs },
      done,
    );
    test.api.route({ ...common, path: "DELETE /v1/docs/:id", access: { objectRole: "owner" }, objects: docs }, done);
    test.api.route(
      {
        ...common,
        path: "PATCH /v1/docs/:id",
        access: { roles: ["staff"], objectRole: { doc: ["owner"] } },
        objects: docs,
      },
      done,
    );
    test.api.route(
      {
        ...common,
        path: "PUT /v1/leaves/:id",
        access: { objectRole: ["doc:editor"] },
        objects: { leaf: by("id", leaf) },
      },
      done,
    );
    test.api.route(
      {
        path: "POST /v1/attach",
        access: { objectRole: { doc: ["owner"] } },
        input: { body: z.strictObject({ docId: z.string().max(9).optional() }) },
        objects: { doc: by("body.docId", doc) },
        output: nothing,
        limit,
      },
      done,
    );
    return test;
  });
  const ask = async (line: string, subject: string, roles: readonly string[] = []) => {
    const reply = await door.ask(line, { headers: await bearer(subject, { roles }) });
    return reply.code ?? reply.status;
  };

  it("says 404 to whom may not see, 403 to whom may see and not change, and yes to the rest", async () => {
    expect(await ask("GET /v1/docs/doc", "vera")).toBe(204);
    expect(await ask("PUT /v1/docs/doc", "vera")).toBe("object-role-missing");
    expect(await ask("PUT /v1/docs/doc", "ed")).toBe(204);
    expect(await ask("DELETE /v1/docs/doc", "ed")).toBe("object-role-missing");
    expect(await ask("DELETE /v1/docs/doc", "olga")).toBe(204);
    for (const method of ["GET", "PUT", "DELETE"])
      expect(await ask(`${method} /v1/docs/doc`, "mallory")).toBe("object-not-found");
  });

  it("does not take a caller's own role for a role in the object, or the other way round", async () => {
    expect(await ask("DELETE /v1/docs/doc", "vera", ["owner"])).toBe("object-role-missing");
    expect(await ask("GET /v1/docs/doc", "mallory", ["viewer"])).toBe("object-not-found");
    expect(await ask("PATCH /v1/docs/doc", "olga")).toBe("role-missing");
    expect(await ask("PATCH /v1/docs/doc", "vera", ["staff"])).toBe("object-role-missing");
    expect(await ask("PATCH /v1/docs/doc", "olga", ["staff"])).toBe(204);
  });

  it("counts roles in the parent under the parent's name", async () => {
    expect(await ask("PUT /v1/leaves/leaf", "ed")).toBe(204);
    expect(await ask("PUT /v1/leaves/leaf", "vera")).toBe("object-role-missing");
    expect(await ask("PUT /v1/leaves/leaf", "mallory")).toBe("object-not-found");
  });

  it("demands a role in an object that was not even named", async () => {
    const reply = await door.ask("POST /v1/attach", { json: {}, headers: await bearer("olga") });
    expect(reply.code).toBe("object-role-missing");
    const named = await door.ask("POST /v1/attach", { json: { docId: "doc" }, headers: await bearer("olga") });
    expect(named.status).toBe(204);
  });
});

describe("object-access: wherever the id stands", () => {
  const given: unknown[] = [];
  const door = sharedDoor(() => {
    const test = testApi();
    const thing = test.api.resource("thing", {
      load: (id) =>
        id.startsWith("a-") || id === "41"
          ? { id, ownerId: "alice" }
          : id.startsWith("b-")
            ? { id, ownerId: "bob" }
            : null,
      owner: (row) => row.ownerId,
    });
    const id = z.string().max(40);
    const route = (path: string, input: unknown, objects: unknown): void =>
      routeUntyped(
        test.api,
        { path, access: anyCaller, input, objects, output: nothing },
        (all) => void given.push(all["thing"]),
      );
    route("GET /v1/path/:thingId", { params: z.strictObject({ thingId: id }) }, { thing: by("thingId", thing) });
    route("GET /v1/query", { query: z.strictObject({ thingId: id }) }, { thing: by("query.thingId", thing) });
    route(
      "GET /v1/header",
      { headers: z.strictObject({ "x-thing-id": id }) },
      { thing: by("header.x-thing-id", thing) },
    );
    route("POST /v1/body", { body: z.strictObject({ thingId: id }) }, { thing: by("body.thingId", thing) });
    route(
      "POST /v1/nested",
      { body: z.strictObject({ to: z.strictObject({ place: z.strictObject({ thingId: id }) }) }) },
      { thing: by("body.to.place.thingId", thing) },
    );
    route(
      "POST /v1/each",
      { body: z.strictObject({ thingIds: z.array(id).max(5) }) },
      { thing: byEach("body.thingIds", thing) },
    );
    route(
      "GET /v1/optional",
      { query: z.strictObject({ thingId: id.optional() }) },
      { thing: by("query.thingId", thing) },
    );
    route(
      "POST /v1/nullable",
      { body: z.strictObject({ thingId: id.nullish(), n: z.boolean().optional() }) },
      { thing: by("body.thingId", thing) },
    );
    route(
      "POST /v1/each-optional",
      { body: z.strictObject({ thingIds: z.array(id).max(5).optional() }) },
      { thing: byEach("body.thingIds", thing) },
    );
    const whole = z.int().min(-9).max(999);
    route("GET /v1/number/:thingId", { params: z.strictObject({ thingId: whole }) }, { thing: by("thingId", thing) });
    route(
      "POST /v1/any",
      { body: z.strictObject({ thingId: z.union([z.number().min(0).max(99), z.boolean(), z.null()]) }) },
      { thing: by("body.thingId", thing) },
    );
    return test;
  });
  const ask = async (line: string, request: Asked = {}): Promise<unknown> => {
    given.length = 0;
    const reply = await door.ask(line, { as: "alice", ...request });
    return reply.code ?? given[0] ?? "nothing";
  };

  const places: readonly (readonly [string, (id: string) => readonly [string, Asked?]])[] = [
    ["in the path", (id) => [`GET /v1/path/${id}`]],
    ["in the query", (id) => [`GET /v1/query?thingId=${id}`]],
    ["in a header", (id) => ["GET /v1/header", { headers: { "X-Thing-Id": id } }]],
    ["in the body", (id) => ["POST /v1/body", { json: { thingId: id } }]],
    ["deep in the body", (id) => ["POST /v1/nested", { json: { to: { place: { thingId: id } } } }]],
  ];
  it.each(places)("loads one's own and refuses a foreign, a missing and an empty one: %s", async (_place, at) => {
    expect(await ask(...at("a-1"))).toEqual({ id: "a-1", ownerId: "alice" });
    expect(await ask(...at("b-1"))).toBe("object-not-found");
    expect(await ask(...at("none"))).toBe("object-not-found");
    expect(given).toEqual([]);
  });

  it("takes no empty id for a missing one that is optional", async () => {
    expect(await ask("GET /v1/query?thingId=")).toBe("object-not-found");
    expect(await ask("GET /v1/header", { headers: { "X-Thing-Id": "" } })).toBe("object-not-found");
    expect(await ask("POST /v1/body", { json: { thingId: "" } })).toBe("object-not-found");
    expect(await ask("GET /v1/optional?thingId=")).toBe("object-not-found");
    expect(await ask("POST /v1/nullable", { json: { thingId: null } })).toBe("object-not-found");
  });

  it("gives the handler nothing where an optional id was not sent, and refuses a foreign one all the same", async () => {
    expect(await ask("GET /v1/optional")).toBe("nothing");
    expect(await ask("GET /v1/optional?thingId=a-1")).toEqual({ id: "a-1", ownerId: "alice" });
    expect(await ask("GET /v1/optional?thingId=b-1")).toBe("object-not-found");
    expect(await ask("POST /v1/nullable", { json: { n: true } })).toBe("nothing");
    expect(await ask("POST /v1/each-optional", { json: {} })).toBe("nothing");
  });

  it("loads each of a list in order, and none of it where one is foreign", async () => {
    const each = (...thingIds: readonly string[]) => ask("POST /v1/each", { json: { thingIds } });
    expect(await each("a-2", "a-1", "a-2")).toEqual(["a-2", "a-1", "a-2"].map((id) => ({ id, ownerId: "alice" })));
    expect(await each()).toEqual([]);
    for (const ids of [["b-1"], ["a-1", "b-1"], ["b-1", "a-1"], ["a-1", "none"], ["a-1", "", "a-2"]]) {
      expect(await each(...ids), ids.join()).toBe("object-not-found");
      expect(given).toEqual([]);
    }
  });

  it("loads by an integer as by its one spelling", async () => {
    expect(await ask("GET /v1/number/41")).toEqual({ id: "41", ownerId: "alice" });
    expect(await ask("GET /v1/number/42")).toBe("object-not-found");
    for (const other of ["041", "41.0", "4.1e1", "+41", "-0"]) {
      expect(await ask(`GET /v1/number/${other}`), other).toMatch(/invalid-input|bad-target/);
    }
    expect(await ask("POST /v1/any", { json: { thingId: 41 } })).toEqual({ id: "41", ownerId: "alice" });
    for (const thingId of [41.5, true, null]) {
      expect(await ask("POST /v1/any", { json: { thingId } }), String(thingId)).toBe("object-not-found");
    }
  });

  it("takes no second id from another place", async () => {
    const headers = { "X-Thing-Id": "b-1" };
    expect(await ask("GET /v1/path/a-1", { headers })).toEqual({ id: "a-1", ownerId: "alice" });
    expect(await ask("GET /v1/path/b-1?thingId=a-1")).toBe("invalid-input");
    expect(await ask("GET /v1/query?thingId=a-1&thingId=b-1")).toBe("bad-query");
    expect(await ask("GET /v1/header", { headers: { "X-Thing-Id": ["a-1", "b-1"] } })).toBe("bad-header");
    expect(
      await ask("POST /v1/body", {
        body: '{"thingId":"a-1","thingId":"b-1"}',
        headers: { "Content-Type": "application/json" },
      }),
    ).toBe("bad-body");
  });
});

describe("object-access: one object within another", () => {
  interface Comment {
    readonly id: string;
    readonly projectId: string | null;
    readonly authorId: string;
  }
  const projects = new Map(
    ["alice", "alice-too", "bob"].map((id) => [id, { id, ownerId: id.slice(0, 5).replace("-", "") }]),
  );
  const comments = new Map(
    (
      [
        { id: "c-alice", projectId: "alice", authorId: "bob" },
        { id: "c-alice-too", projectId: "alice-too", authorId: "alice" },
        { id: "c-bob", projectId: "bob", authorId: "alice" },
        { id: "c-nowhere", projectId: null, authorId: "alice" },
        { id: "c-gone", projectId: "gone", authorId: "alice" },
      ] satisfies readonly Comment[]
    ).map((one) => [one.id, one]),
  );
  const ran: unknown[] = [];
  const door = sharedDoor(() => {
    const test = testApi();
    const project = test.api.resource("project", { load: (id) => projects.get(id), owner: (row) => row.ownerId });
    const comment = test.api.resource("comment", {
      load: async (id): Promise<Comment | undefined> => comments.get(id),
      owner: (row) => row.authorId,
      parent: { resource: project, id: (row) => row.projectId },
    });
    const reply = test.api.resource("reply", {
      load: (id) => (id.startsWith("r-") ? { id, commentId: id.slice(2) } : undefined),
      parent: { resource: comment, id: (row) => row.commentId },
    });
    const Text = z.string().max(40);
    test.api.route(
      {
        path: "GET /v1/projects/:projectId/comments/:commentId",
        access: anyCaller,
        input: { params: z.strictObject({ projectId: Text, commentId: Text }) },
        objects: { project: by("projectId", project), comment: by("commentId", comment, { within: "project" }) },
        output: view(Id, comment),
        limit,
      },
      (given) => {
        ran.push(given.comment.id);
        return given.comment;
      },
    );
    test.api.route(
      {
        path: "GET /v1/comments/:id",
        access: anyCaller,
        input: { params },
        objects: { comment: by("id", comment) },
        output: nothing,
        limit,
      },
      () => undefined,
    );
    test.api.route(
      {
        path: "GET /v1/replies/:id",
        access: anyCaller,
        input: { params },
        objects: { reply: by("id", reply) },
        output: nothing,
        limit,
      },
      () => undefined,
    );
    loop(test.api);
    return test;
  });
  const status = async (line: string, as = "alice"): Promise<number> => (await door.ask(line, { as })).status;

  it("reaches a child through the parent it stands under, and through no other", async () => {
    const at = (parent: string, child: string) => status(`GET /v1/projects/${parent}/comments/${child}`);
    ran.length = 0;
    expect(await at("alice", "c-alice")).toBe(200);
    expect(await at("alice", "c-alice-too")).toBe(404);
    expect(await at("alice-too", "c-alice")).toBe(404);
    expect(await at("alice", "c-bob")).toBe(404);
    expect(await at("bob", "c-bob")).toBe(404);
    expect(await at("alice", "c-nowhere")).toBe(404);
    expect(await at("gone", "c-gone")).toBe(404);
    expect(ran).toEqual(["c-alice"]);
  });

  it("loads a parent that the path does not name through its own rule, whoever owns the child", async () => {
    expect(await status("GET /v1/comments/c-alice")).toBe(204);
    expect(await status("GET /v1/comments/c-bob")).toBe(404);
    expect(await status("GET /v1/comments/c-nowhere")).toBe(404);
    expect(await status("GET /v1/comments/c-gone")).toBe(404);
    expect(await status("GET /v1/comments/c-bob", "bob")).toBe(204);
  });

  it("goes up as far as there are parents", async () => {
    expect(await status("GET /v1/replies/r-c-alice")).toBe(204);
    expect(await status("GET /v1/replies/r-c-bob")).toBe(404);
    expect(await status("GET /v1/replies/r-c-gone")).toBe(404);
  });

  it("ends where parents stand under each other in a circle, and reaches nothing", async () => {
    expect(await status("GET /v1/loops/a")).toBe(404);
  });

  /** A folder that stands in itself. */
  function loop(api: Api): void {
    interface Folder {
      readonly id: string;
      readonly in: string;
    }
    const inside: Resource<Folder> = api.resource<Folder>("folder", {
      load: (id) => ({ id, in: id }),
      parent: {
        id: (row) => row.in,
        get resource(): Resource<Folder> {
          return inside;
        },
      },
    });
    routeUntyped(api, {
      path: "GET /v1/loops/:id",
      access: anyCaller,
      input: { params },
      objects: { folder: by("id", inside) },
      output: nothing,
    });
  }
});

describe("object-access: what could not be decided is refused", () => {
  const ran: unknown[] = [];
  const door = sharedDoor(() => {
    const test = testApi({ handlerTimeoutMs: 60 });
    const boom = (): never => {
      throw new Error("SELECT secret FROM rows");
    };
    const own = (id: string) => ({ id, ownerId: "alice" });
    const owner = (row: { readonly ownerId: string }): string => row.ownerId;
    const rules: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
      throws: { load: boom, owner },
      rejects: { load: () => Promise.reject(new Error("SELECT secret FROM rows")), owner },
      hangs: { load: () => wait(60_000, undefined, { ref: false }), owner },
      rejectingThenable: { load: () => new Later((_yes, no) => no(new Error("gone"))), owner },
      silentThenable: { load: () => new Later(() => undefined), owner },
      thenable: { load: (id: string) => new Later((yes) => yes(own(id))), owner },
      foreignThenable: {
        load: (id: string) => Object.assign(new Later((yes) => yes({ id, ownerId: "bob" })), { ownerId: "alice" }),
        owner,
      },
      ownerThrows: { load: own, owner: boom },
      ownerLater: { load: own, owner: async () => "alice" },
      tenantThrows: { load: own, owner, tenant: boom },
      tenantLater: { load: own, owner, tenant: async () => undefined },
      grantThrows: { load: own, grant: boom },
      grantLater: { load: own, grant: async () => ["owner"] },
      answersTrue: { load: () => true, owner: () => undefined },
      answersText: { load: () => "alice", owner: (row: string) => row.at(99) },
    };
    for (const [name, rule] of Object.entries(rules)) {
      const one = resourceUntyped(test.api, name, rule);
      routeUntyped(
        test.api,
        {
          path: `GET /v1/${name}/:id`,
          access: anyCaller,
          input: { params },
          objects: { one: by("id", one) },
          output: nothing,
        },
        (given) => void ran.push(given["one"]),
      );
    }
    const parent = test.api.resource("parent", { load: boom, owner: () => "alice" });
    const child = test.api.resource("child", { load: own, parent: { resource: parent, id: () => "p" } });
    routeUntyped(test.api, {
      path: "GET /v1/child/:id",
      access: anyCaller,
      input: { params },
      objects: { one: by("id", child) },
      output: nothing,
    });
    return test;
  });

  it.each([
    ["throws", 503],
    ["rejects", 503],
    ["hangs", 503],
    ["rejectingThenable", 503],
    ["silentThenable", 503],
    ["ownerThrows", 500],
    ["tenantThrows", 500],
    ["grantThrows", 500],
    ["grantLater", 500],
    ["ownerLater", 404],
    ["tenantLater", 404],
    ["foreignThenable", 404],
    ["answersTrue", 404],
    ["answersText", 404],
    ["child", 503],
  ])("%s: %i, and the handler does not run", async (name, status) => {
    ran.length = 0;
    const reply = await door.ask(`GET /v1/${name}/${noteIds[0]}`, { as: "alice" });
    expect([reply.status, ran]).toEqual([status, []]);
    expect(reply.said).not.toMatch(/SELECT|secret|gone|\.ts/);
    if (status === 503) expect(reply.code).toBe("object-unavailable");
  });

  it("waits for whatever has a then, as query builders do", async () => {
    ran.length = 0;
    expect((await door.ask(`GET /v1/thenable/${noteIds[0]}`, { as: "alice" })).status).toBe(204);
    expect(ran).toEqual([{ id: noteIds[0], ownerId: "alice" }]);
  });

  it("tells the log the cause", async () => {
    const entries = await door.recorded(await door.ask("GET /v1/throws/x", { as: "alice" }));
    expect(entries).toContainEqual(
      expect.objectContaining({ type: "error-thrown", error: expect.stringContaining("SELECT secret FROM rows") }),
    );
  });
});

describe("object-access: objects for everybody", () => {
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [richTokens] });
    const own = test.api.resource("own", { load: (id) => ({ id, ownerId: "alice" }), owner: (row) => row.ownerId });
    const free = test.api.resource("free", { load: (id) => ({ id }), shared: "templates anybody may use" });
    const house = test.api.resource("house", {
      load: (id) => ({ id, tenantId: "acme" }),
      tenant: (row) => row.tenantId,
      shared: "the house's own templates",
    });
    const nobodys = test.api.resource("nobodys", {
      load: (id) => ({ id, ownerId: undefined as string | undefined, tenantId: undefined as string | undefined }),
      tenant: (row) => row.tenantId,
      owner: (row) => row.ownerId,
    });
    for (const [name, resource] of Object.entries({ own, free, house, nobodys })) {
      const common = { input: { params }, objects: { one: by("id", resource) }, output: nothing };
      routeUntyped(test.api, { ...common, path: `GET /v1/${name}/:id`, access: publicAccess("anybody may try") });
      routeUntyped(test.api, { ...common, path: `DELETE /v1/${name}/:id`, access: { objectRole: ["owner"] } });
    }
    return test;
  });
  const ask = async (line: string, subject?: string, claims: Readonly<Record<string, unknown>> = {}) => {
    const reply = await door.ask(line, subject === undefined ? {} : { headers: await bearer(subject, claims) });
    return reply.code ?? reply.status;
  };

  it("gives a stranger on a public route what is shared, and nobody's own", async () => {
    expect(await ask("GET /v1/free/1")).toBe(204);
    expect(await ask("GET /v1/own/1")).toBe("object-not-found");
    expect(await ask("GET /v1/own/1", "alice")).toBe(204);
    expect(await ask("GET /v1/own/1", "bob")).toBe("object-not-found");
  });

  it("keeps what a tenant shares inside the tenant", async () => {
    expect(await ask("GET /v1/house/1")).toBe("object-not-found");
    expect(await ask("GET /v1/house/1", "bob", { tid: "globex" })).toBe("object-not-found");
    expect(await ask("GET /v1/house/1", "bob")).toBe("object-not-found");
    expect(await ask("GET /v1/house/1", "bob", { tid: "acme" })).toBe(204);
  });

  it("gives nobody what is nobody's, a stranger without subject and tenant least of all", async () => {
    expect(await ask("GET /v1/nobodys/1")).toBe("object-not-found");
    expect(await ask("GET /v1/nobodys/1", "alice")).toBe("object-not-found");
  });

  it("gives no role by sharing", async () => {
    expect(await ask("DELETE /v1/free/1", "bob")).toBe("object-role-missing");
    expect(await ask("DELETE /v1/own/1", "alice")).toBe(204);
  });
});

describe("object-access: the answer is checked as well", () => {
  interface Row {
    readonly id: string;
    readonly ownerId: string;
    readonly tenantId: string;
  }
  const row = (id: string, ownerId = "alice", tenantId = "acme"): Row => ({ id, ownerId, tenantId });
  /** What the next handler answers. */
  let next: unknown;
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [richTokens] });
    const rows = test.api.resource("row", {
      load: (id): Row | undefined => row(id),
      owner: (one) => one.ownerId,
      tenant: (one) => one.tenantId,
    });
    const part = test.api.resource("part", {
      load: (): { id: string; rowId: string } | undefined => undefined,
      parent: { resource: rows, id: (one) => one.rowId },
    });
    const owners = everyOwner({ roles: ["admin"], reason: "support" });
    const outputs: Readonly<Record<string, unknown>> = {
      one: view(Id, rows),
      at: view(z.strictObject({ row: Id, also: z.array(Id).max(5) }), rows, {
        at: (value: { row: Row; also: readonly Row[] }) => [value.row, ...value.also],
      }),
      broken: view(z.strictObject({ row: Id }), rows, {
        at: (value: { row: Row; gone: { row: Row } }) => value.gone.row,
      }),
      status: { 201: view(Id, rows), 202: unowned(z.strictObject({ id: z.string().max(9) }), "of the test") },
      role: byRole({ admin: view(Id, rows, { owners }), otherwise: view(Id, rows) }),
      every: view(Id, rows, { owners }),
      shared: view(Id, rows, { owners: shared("published") }),
      plain: unowned(Id, "of the test"),
    };
    for (const [name, output] of Object.entries(outputs)) {
      routeUntyped(test.api, { path: `GET /v1/${name}`, access: anyCaller, output }, () => next);
    }
    const lists: Readonly<Record<string, unknown>> = {
      list: list(Id, rows),
      "list-every": list(Id, rows, { owners }),
      "list-shared": list(Id, rows, { owners: shared("published") }),
    };
    for (const [name, output] of Object.entries(lists)) {
      routeUntyped(test.api, { path: `GET /v1/${name}`, access: anyCaller, output, page: cursorPages() }, () => next);
    }
    routeUntyped(
      test.api,
      {
        path: "GET /v1/rows/:id/parts",
        access: anyCaller,
        input: { params },
        objects: { row: by("id", rows) },
        output: list(Id, part),
        page: cursorPages(),
      },
      () => next,
    );
    routeUntyped(
      test.api,
      { path: "GET /v1/parts", access: anyCaller, output: list(Id, part), page: cursorPages() },
      () => next,
    );
    return test;
  });
  const get = async (path: string, value: unknown, claims: Readonly<Record<string, unknown>> = {}): Promise<Reply> => {
    next = value;
    return door.ask(`GET /v1/${path}`, { headers: await bearer("alice", { tid: "acme", ...claims }) });
  };
  const refused = { status: 500, code: "internal" };

  it("lets the caller's own objects leave", async () => {
    expect((await get("one", row("1"))).json).toEqual({ id: "1" });
    expect((await get("list", { items: [row("1"), row("2")] })).json).toEqual({
      items: [{ id: "1" }, { id: "2" }],
      next: null,
    });
    expect((await get("list", { items: [] })).status).toBe(200);
    expect((await get("at", { row: row("1"), also: [row("2")] })).status).toBe(200);
    expect((await get("status", answer(row("1"), { status: 201 }))).status).toBe(201);
  });

  const foreign: readonly (readonly [string, string, unknown])[] = [
    ["another's object", "one", row("1", "bob")],
    ["an object of another tenant", "one", row("1", "alice", "globex")],
    ["nobody's object", "one", row("1", "")],
    ["an object of no tenant", "one", row("1", "alice", "")],
    ["an object without its owner", "one", { id: "1", tenantId: "acme" }],
    ["an object that is none", "one", "1"],
    ["null for an object", "one", null],
    ["nothing for an object", "one", undefined],
    ["one foreign object in a list", "list", { items: [row("1"), row("2", "bob")] }],
    ["a foreign object at the end of a list", "list", { items: [row("1"), row("2"), row("3", "alice", "globex")] }],
    ["nobody's object in a list", "list", { items: [row("1", "")] }],
    ["null in a list", "list", { items: [null] }],
    ["ids in a list", "list", { items: ["1"] }],
    ["a foreign object where the answer says objects stand", "at", { row: row("1"), also: [row("2", "bob")] }],
    ["a foreign object by a status of its own", "status", answer(row("1", "bob"), { status: 201 })],
    ["a foreign object in a view by role", "role", row("1", "bob")],
    ["a foreign object where only some see every owner", "every", row("1", "bob")],
    ["a list of parts whose whole was not asked for", "parts", { items: [{ id: "1", rowId: "r" }] }],
    [
      "a part of another whole",
      "rows/r/parts",
      {
        items: [
          { id: "1", rowId: "r" },
          { id: "2", rowId: "other" },
        ],
      },
    ],
  ];
  it.each(foreign)("aborts an answer with %s", async (_what, path, value) => {
    const reply = await get(path, value);
    expect(reply).toMatchObject(refused);
    expect(reply.said).not.toMatch(/"id"|items|bob|globex/);
    expect(await door.recordedCode(reply)).toBe("foreign-object");
  });

  it("says so in an event, with the route and the caller", async () => {
    const entries = await door.recorded(await get("list", { items: [row("1", "bob")] }));
    expect(entries).toContainEqual(
      expect.objectContaining({
        type: "refused",
        code: "foreign-object",
        protection: "object-access",
        route: "GET /v1/list",
        account: expect.any(String),
      }),
    );
  });

  it("reaches parts through the whole that was asked for", async () => {
    expect((await get("rows/r/parts", { items: [{ id: "1", rowId: "r" }] })).status).toBe(200);
  });

  it("lets whom the policy names see every owner's objects, and still one tenant only", async () => {
    const admin = { roles: ["admin"] };
    for (const path of ["every", "role"]) {
      expect((await get(path, row("1", "bob"), admin)).status, path).toBe(200);
      expect((await get(path, row("1", "bob"), { roles: ["Admin"] })).status, path).toBe(500);
      expect((await get(path, row("1", "bob", "globex"), admin)).status, path).toBe(500);
      expect((await get(path, row("1", "bob", ""), admin)).status, path).toBe(500);
    }
    expect((await get("list-every", { items: [row("1", "bob"), row("2")] }, admin)).status).toBe(200);
    expect((await get("list-every", { items: [row("1", "bob")] })).status).toBe(500);
    expect((await get("list-every", { items: [row("1", "bob", "globex")] }, admin)).status).toBe(500);
  });

  it("leaves unchecked what carries a reason, and what names no resource", async () => {
    expect((await get("shared", row("1", "bob", "globex"))).status).toBe(200);
    expect((await get("list-shared", { items: [row("1", "bob")] })).status).toBe(200);
    expect((await get("plain", row("1", "bob"))).status).toBe(200);
  });

  it("answers 500 where nobody can say where the objects stand", async () => {
    expect((await get("broken", { row: row("1") })).status).toBe(500);
    expect((await get("list", [row("1")])).status).toBe(500);
    expect((await get("list", { items: "all" })).status).toBe(500);
    expect((await get("list", undefined)).status).toBe(500);
  });

  it("asks the rule of what the handler returns, not of what it was given", async () => {
    const changing = { ...row("1"), ownerId: "bob" };
    expect(await get("one", changing)).toMatchObject(refused);
  });
});

/** A promise of somebody else's making. */
class Later {
  readonly #settle: (yes: (value: unknown) => void, no: (error: unknown) => void) => void;
  constructor(settle: (yes: (value: unknown) => void, no: (error: unknown) => void) => void) {
    this.#settle = settle;
  }
  // oxlint-disable-next-line unicorn/no-thenable -- this is what query builders answer with
  then(yes: (value: unknown) => void, no: (error: unknown) => void): void {
    this.#settle(yes, no);
  }
}
