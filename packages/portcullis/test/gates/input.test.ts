import { setTimeout as wait } from "node:timers/promises";
import { anyCaller, by, createApi, described, notAnObject, nothing, publicAccess } from "portcullis";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Asked, Given, Reply } from "../front-door.ts";
import { resourceUntyped, routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const Thing = z.strictObject({
  name: z.string().trim().min(1).max(20),
  kind: z.enum(["web", "app"]),
  count: z.int().min(0).max(100),
  email: z.email().max(60).toLowerCase().optional(),
  note: z.string().max(10).nullable().optional(),
  ratio: z.number().min(0).max(1).optional(),
  tags: z.array(z.string().max(5)).max(3).optional(),
  size: z.int().min(1).max(9).default(7),
  deep: z.strictObject({ er: z.strictObject({ flag: z.boolean() }) }).optional(),
});
const honest = { name: "a", kind: "web", count: 1 } as const;

/** What the last handler was given; undefined where none ran. */
let given: Given | undefined;
beforeEach(() => {
  given = undefined;
});
const keep = (all: Given): void => {
  given = all;
};

const Problem = z.object({
  code: z.string(),
  errors: z.array(z.object({ pointer: z.string(), reason: z.string() })).optional(),
});
const problemOf = (reply: Reply): z.infer<typeof Problem> => Problem.parse(reply.json);
/** `pointer reason`, one per error. */
const errorsOf = (reply: Reply): readonly string[] =>
  (problemOf(reply).errors ?? []).map(({ pointer, reason }) => `${pointer} ${reason}`);

describe("input: bodies", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const access = publicAccess("the tests look at input alone");
    routeUntyped(test.api, { path: "POST /v1/things", access, input: { body: Thing }, output: nothing }, keep);
    routeUntyped(
      test.api,
      { path: "PATCH /v1/things", access, input: { body: Thing.partial() }, output: nothing },
      keep,
    );
    routeUntyped(test.api, { path: "DELETE /v1/things", access, output: nothing }, keep);
    routeUntyped(test.api, { path: "GET /v1/things", access, output: nothing }, keep);
    return test;
  });
  const post = (json: unknown): Promise<Reply> => door.ask("POST /v1/things", { json });
  const send = (body: string, type: string | readonly string[] = "application/json"): Promise<Reply> =>
    door.ask("POST /v1/things", { body, headers: { "Content-Type": type } });

  it("gives the handler what the schema made of the body", async () => {
    expect((await post({ ...honest, name: "  a  ", email: "Alice@Example.com" })).status).toBe(204);
    expect(given?.["body"]).toEqual({ ...honest, name: "a", email: "alice@example.com", size: 7 });
  });

  it.each<[string, unknown, readonly string[]]>([
    ["at the top", { ...honest, admin: true }, ["/body/admin unknown"]],
    ["one level down", { ...honest, deep: { er: { flag: true }, x: 1 } }, ["/body/deep/x unknown"]],
    ["two levels down", { ...honest, deep: { er: { flag: true, "a/b~c": 1 } } }, ["/body/deep/er/a~1b~0c unknown"]],
    ["with a name every object has", { ...honest, toString: 1 }, ["/body/toString unknown"]],
    ["with another", { ...honest, hasOwnProperty: 1 }, ["/body/hasOwnProperty unknown"]],
    ["with an empty name", { ...honest, "": 1 }, ["/body/ unknown"]],
    ["that differs by case", { ...honest, Name: "b" }, ["/body/Name unknown"]],
    ["that differs by a blank", { ...honest, "name ": "b" }, ["/body/name  unknown"]],
  ])("refuses a field nobody declared: %s", async (_where, json, errors) => {
    const reply = await post(json);
    expect([reply.status, errorsOf(reply), given]).toEqual([400, errors, undefined]);
  });

  it.each<[string, unknown, string]>([
    ["an operator for a text", { ...honest, name: { $ne: null } }, "/body/name type"],
    ["a list for a text", { ...honest, name: ["a"] }, "/body/name type"],
    ["a number for a text", { ...honest, name: 1 }, "/body/name type"],
    ["null for a text", { ...honest, name: null }, "/body/name type"],
    ["no text", { kind: "web", count: 1 }, "/body/name missing"],
    ["a text of blanks alone", { ...honest, name: "   " }, "/body/name not-allowed"],
    ["a text that is too long", { ...honest, name: "a".repeat(21) }, "/body/name length"],
    ["another of a list of values", { ...honest, kind: "Web" }, "/body/kind not-allowed"],
    ["a list for one of its values", { ...honest, kind: ["web"] }, "/body/kind type"],
    ["a text for a number", { ...honest, count: "1" }, "/body/count type"],
    ["true for a number", { ...honest, count: true }, "/body/count type"],
    ["a fraction for an integer", { ...honest, count: 1.5 }, "/body/count type"],
    ["less than the least", { ...honest, count: -1 }, "/body/count range"],
    ["more than the most", { ...honest, count: 101 }, "/body/count range"],
    ["no e-mail address", { ...honest, email: "alice" }, "/body/email format"],
    ["two e-mail addresses", { ...honest, email: "a@b.example,c@d.example" }, "/body/email format"],
    ["a text for a list", { ...honest, tags: "a" }, "/body/tags type"],
    ["an object for a list", { ...honest, tags: { 0: "a", length: 1 } }, "/body/tags type"],
    ["a list that is too long", { ...honest, tags: ["a", "b", "c", "d"] }, "/body/tags length"],
    ["a foreign item in a list", { ...honest, tags: ["a", 1] }, "/body/tags/1 type"],
    ["one for true", { ...honest, deep: { er: { flag: 1 } } }, "/body/deep/er/flag type"],
    ["a text for true", { ...honest, deep: { er: { flag: "true" } } }, "/body/deep/er/flag type"],
    ["a list for an object", { ...honest, deep: [] }, "/body/deep type"],
    ["a list for the body", [honest], "/body type"],
    ["a text for the body", "name=a", "/body type"],
    ["null for the body", null, "/body type"],
  ])("refuses %s", async (_what, json, error) => {
    const reply = await post(json);
    expect([reply.status, problemOf(reply).code, given]).toEqual([400, "invalid-input", undefined]);
    expect(errorsOf(reply)).toContain(error);
  });

  it("names every place at once, and at most 20", async () => {
    expect([...errorsOf(await post({ name: 1, count: "x", more: 1 }))].sort()).toEqual([
      "/body/count type",
      "/body/kind missing",
      "/body/more unknown",
      "/body/name type",
    ]);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`unknown${at}`, at]));
    expect(errorsOf(await post({ ...honest, ...many }))).toHaveLength(20);
  });

  it("gives no word of the validator's, no value and no long name back", async () => {
    const reply = await post({ ...honest, name: { secret: "hunter2" }, [`x${"y".repeat(500)}`]: 1 });
    expect(reply.said).not.toMatch(/hunter2|[Ee]xpected|[Ii]nvalid input|zod|y{65}/);
    expect(reply.json).toMatchObject({ title: "Invalid request", status: 400 });
    const entries = await door.recorded(reply);
    expect(JSON.stringify(entries)).not.toMatch(/hunter2|y{65}/);
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "text/json",
    "application/jsonp",
    "application/json5",
    "application/ld+json",
    "application/json, text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=utf-8; charset=utf-16",
    "application/json;;",
    "application",
    "json",
    "*/*",
    " ",
    "",
  ])("refuses a body of another type with 415: %s", async (type) => {
    const reply = await send(JSON.stringify(honest), type);
    expect([reply.status, reply.code, reply.headers.get("accept-post"), given]).toEqual([
      415,
      "media-type",
      "application/json",
      undefined,
    ]);
  });

  it("refuses a body without a type, and says for PATCH what it takes", async () => {
    const without = await door.ask("POST /v1/things", { body: JSON.stringify(honest) });
    expect(without.code).toBe("media-type");
    const patch = await door.ask("PATCH /v1/things", { body: "{}", headers: { "Content-Type": "text/plain" } });
    expect([patch.status, patch.headers.get("accept-patch")]).toEqual([415, "application/json"]);
  });

  it.each([
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
  ])("takes JSON by its type in every spelling of it: %s", async (type) => {
    expect((await send(JSON.stringify(honest), type)).status).toBe(204);
  });

  it("refuses two content types instead of choosing one", async () => {
    const reply = await send(JSON.stringify(honest), ["application/json", "text/plain"]);
    expect([reply.status, reply.code]).toEqual([400, "bad-header"]);
  });

  it.each<[string, Asked]>([
    ["no body at all", { headers: { "Content-Type": "application/json" } }],
    ["an empty body", { body: "", headers: { "Content-Type": "application/json" } }],
    ["blanks", { body: " \n", headers: { "Content-Type": "application/json" } }],
    ["no JSON", { body: "name=a", headers: { "Content-Type": "application/json" } }],
    ["half of it", { body: '{"name":', headers: { "Content-Type": "application/json" } }],
    ["two of them", { body: "{}{}", headers: { "Content-Type": "application/json" } }],
    [
      "a key twice",
      { body: '{"name":"a","name":"b","kind":"web","count":1}', headers: { "Content-Type": "application/json" } },
    ],
    ["__proto__", { body: '{"__proto__":{"admin":true}}', headers: { "Content-Type": "application/json" } }],
  ])("refuses %s where a body is expected", async (_what, asked) => {
    const reply = await door.ask("POST /v1/things", asked);
    expect([reply.status, reply.code, given]).toEqual([400, "bad-body", undefined]);
  });

  it("refuses a body where none is expected, whatever it says", async () => {
    for (const line of ["DELETE /v1/things", "GET /v1/things"]) {
      for (const headers of [{}, { "Content-Type": "application/json" }]) {
        const reply = await door.ask(line, { body: "{}", headers });
        expect([reply.status, reply.code, given], line).toEqual([400, "body-unexpected", undefined]);
      }
    }
    const chunked = await door.ask("DELETE /v1/things", {
      body: "2\r\n{}\r\n0\r\n\r\n",
      headers: { "Transfer-Encoding": "chunked" },
    });
    expect(chunked.code).toBe("body-unexpected");
    expect((await door.ask("DELETE /v1/things", { headers: { "Content-Length": "0" } })).status).toBe(204);
  });
});

describe("input: path, query and headers", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const access = publicAccess("the tests look at input alone");
    const route = (path: string, input: unknown, objects: unknown = {}): void =>
      routeUntyped(test.api, { path, access, input, objects, output: nothing }, keep);
    route("GET /v1/none", undefined);
    route("GET /v1/query", {
      query: z.strictObject({
        q: z.string().max(9).optional(),
        n: z.int().min(-5).max(1000).optional(),
        share: z.number().min(0).max(1).optional(),
        exact: z.boolean().optional(),
        sort: z.enum(["asc", "desc"]).default("asc"),
      }),
    });
    route(
      "GET /v1/path/:slug/:n",
      {
        params: z.strictObject({ slug: z.string().regex(/^[a-z]{1,9}$/), n: z.int().min(0).max(999) }),
      },
      { slug: notAnObject("a name"), n: notAnObject("a number") },
    );
    route("GET /v1/header", {
      headers: z.strictObject({ "x-mode": z.enum(["fast", "safe"]), "x-n": z.int().min(0).max(9).optional() }),
    });
    return test;
  });
  const get = (path: string, headers: Readonly<Record<string, string | readonly string[]>> = {}) =>
    door.ask(`GET ${path}`, { headers });

  it("refuses a query where none is declared, and a name that is not", async () => {
    expect(errorsOf(await get("/v1/none?a=1"))).toEqual(["/query/a unknown"]);
    expect(errorsOf(await get("/v1/query?a~%2fb=1"))).toEqual(["/query/a~0~1b unknown"]);
    expect((await get("/v1/query?toString=1")).status).toBe(400);
    expect((await get("/v1/query?Q=1")).status).toBe(400);
    expect(given).toBeUndefined();
  });

  it("reads numbers and booleans in their one spelling, and gives values", async () => {
    expect((await get("/v1/query?n=12&share=0.5&exact=false&q=12")).status).toBe(204);
    expect(given?.["query"]).toEqual({ n: 12, share: 0.5, exact: false, q: "12", sort: "asc" });
    expect((await get("/v1/query?n=-3&exact=true")).status).toBe(204);
    expect((await get("/v1/query?n=0")).status).toBe(204);
  });

  it.each([
    "n=012",
    "n=%2B1",
    "n=1e1",
    "n=0x1",
    "n=1.0",
    "n=1.",
    "n=.5",
    "n=-0",
    "n=%201",
    "n=1%20",
    "n=1_0",
    "n=1,0",
    "n=",
    "n=NaN",
    "n=Infinity",
    "n=null",
    "n=true",
    "n=9007199254740993",
    "n=%D9%A1",
    "n=1001",
    "n=-6",
    "share=1.1",
    "share=5e-1",
    "exact=1",
    "exact=TRUE",
    "exact=True",
    "exact=yes",
    "exact=on",
    "exact=",
    "sort=ASC",
    "sort=",
    "q=0123456789",
  ])("refuses any other: %s", async (query) => {
    const reply = await get(`/v1/query?${query}`);
    expect([reply.status, problemOf(reply).code, given]).toEqual([400, "invalid-input", undefined]);
    expect(problemOf(reply).errors?.[0]?.pointer).toBe(`/query/${query.split("=")[0]}`);
  });

  it.each([
    "n=1&n=2",
    "n=1&n=1",
    "n[]=1",
    "n[0]=1",
    "q[$ne]=1",
    "q=a;n=1",
    "__proto__=1",
    "constructor=1",
    "q=%ff",
    "q=%00",
    "q=%zz",
  ])("refuses a query without a single reading: %s", async (query) => {
    const reply = await get(`/v1/query?${query}`);
    expect([reply.status, reply.code, given]).toEqual([400, "bad-query", undefined]);
  });

  it("matches values of the path like any other", async () => {
    expect((await get("/v1/path/abc/12")).status).toBe(204);
    expect(given?.["params"]).toEqual({ slug: "abc", n: 12 });
    given = undefined;
    expect(errorsOf(await get("/v1/path/ABC/12"))).toEqual(["/params/slug format"]);
    expect(errorsOf(await get("/v1/path/a-b/12"))).toEqual(["/params/slug format"]);
    expect((await get(`/v1/path/${"a".repeat(10)}/12`)).status).toBe(400);
    for (const n of ["012", "1e2", "1000", "-1", "x", "1.5"])
      expect((await get(`/v1/path/abc/${n}`)).status, n).toBe(400);
    expect(given).toBeUndefined();
  });

  it("hands out declared headers only, matched", async () => {
    expect((await get("/v1/header", { "X-Mode": "fast", "X-N": "3", "X-Other": "x" })).status).toBe(204);
    expect(given?.["headers"]).toEqual({ "x-mode": "fast", "x-n": 3 });
    given = undefined;
    expect(errorsOf(await get("/v1/header"))).toEqual(["/headers/x-mode missing"]);
    expect(errorsOf(await get("/v1/header", { "X-Mode": "FAST" }))).toEqual(["/headers/x-mode not-allowed"]);
    expect((await get("/v1/header", { "X-Mode": "fast", "X-N": "03" })).status).toBe(400);
    expect((await get("/v1/header", { "X-Mode": ["fast", "safe"] })).code).toBe("bad-header");
    expect((await get("/v1/header", { "X-Mode": "fast", X_Mode: "safe" })).code).toBe("bad-header");
    expect(given).toBeUndefined();
  });
});

describe("input: schemas that wait, throw or come from elsewhere", () => {
  const door = sharedDoor(() => {
    const test = testApi({ handlerTimeoutMs: 200 });
    const json = {
      type: "object",
      properties: { a: { type: "string", maxLength: 9 } },
      required: ["a"],
      additionalProperties: false,
    } as const;
    type Validate = (
      value: unknown,
    ) => { value: unknown } | { issues: { message: string }[] } | Promise<{ value: unknown }>;
    const custom = (validate: Validate) => described({ "~standard": { version: 1, vendor: "own", validate } }, json);
    const schemas: Readonly<Record<string, unknown>> = {
      waits: z.strictObject({
        a: z
          .string()
          .max(9)
          .refine(async (text) => (await wait(1, text)) !== "no", "a secret rule"),
      }),
      later: custom((value) => Promise.resolve({ value })),
      throws: custom(() => {
        throw new Error("the rule of 7 is broken");
      }),
      rejects: custom(() => Promise.reject(new Error("the rule of 7 is broken"))),
      hangs: custom(() => wait(60_000, { value: {} }, { ref: false })),
      refuses: custom((value) => ({ issues: [{ message: `7 refuses ${JSON.stringify(value)}` }] })),
    };
    for (const [name, body] of Object.entries(schemas)) {
      routeUntyped(
        test.api,
        { path: `POST /v1/${name}`, access: publicAccess("x"), input: { body }, output: nothing },
        keep,
      );
    }
    return test;
  });
  const post = (name: string, a: string) => door.ask(`POST /v1/${name}`, { json: { a } });

  it("waits for a schema that has to wait", async () => {
    expect((await post("waits", "yes")).status).toBe(204);
    expect((await post("later", "yes")).status).toBe(204);
    given = undefined;
    const refused = await post("waits", "no");
    expect([errorsOf(refused), given]).toEqual([["/body/a not-allowed"], undefined]);
    expect(refused.said).not.toContain("secret rule");
  });

  it.each([
    ["throws", 500],
    ["rejects", 500],
    ["hangs", 503],
    ["refuses", 400],
  ])("%s: %i, nothing of its words, and the handler does not run", async (name, status) => {
    const reply = await post(name, "yes");
    expect([reply.status, given]).toEqual([status, undefined]);
    expect(reply.said).not.toMatch(/7|yes/);
  });
});

describe("input comes after who is calling and before whose objects they are", () => {
  let loads = 0;
  const door = sharedDoor(() => {
    const test = testApi();
    const row = resourceUntyped(test.api, "row", { load: () => void loads++, owner: () => "alice" });
    const input = { params: z.strictObject({ id: z.uuid() }), body: z.strictObject({ n: z.int().min(0).max(9) }) };
    routeUntyped(
      test.api,
      { path: "PUT /v1/rows/:id", access: anyCaller, input, objects: { row: by("id", row) }, output: nothing },
      keep,
    );
    return test;
  });

  it("loads nothing for what does not match", async () => {
    const line = "PUT /v1/rows/11111111-1111-4111-8111-111111111111";
    expect((await door.ask(line, { json: { n: 99 } })).code).toBe("no-credential");
    expect((await door.ask(line, { as: "alice", json: { n: 99 } })).code).toBe("invalid-input");
    expect((await door.ask("PUT /v1/rows/1", { as: "alice", json: { n: 1 } })).code).toBe("invalid-input");
    expect(loads).toBe(0);
    expect((await door.ask(line, { as: "alice", json: { n: 1 } })).code).toBe("object-not-found");
    expect(loads).toBe(1);
  });
});

describe("input where there are alternatives", () => {
  const either = (one: string, other: string) =>
    z.union([z.strictObject({ [one]: z.string().max(9) }), z.strictObject({ [other]: z.string().max(9) })]);
  const door = sharedDoor(() => {
    const test = testApi();
    const route = (path: string, input: unknown): void =>
      routeUntyped(test.api, { path, access: publicAccess("x"), input, output: nothing }, keep);
    route("GET /v1/headers", { headers: either("x-one", "x-other") });
    route("GET /v1/cookies", { cookies: either("__Host-one", "__Host-other") });
    route("GET /v1/query", { query: either("one", "other") });
    return test;
  });

  it.each([
    ["headers", "GET /v1/headers", { "X-Other": "a" }, { "x-other": "a" }],
    ["cookies", "GET /v1/cookies", { Cookie: "__Host-one=a" }, { "__Host-one": "a" }],
    ["query", "GET /v1/query?other=a", {}, { other: "a" }],
  ])("looks at the %s of each", async (place, line, headers, value) => {
    given = undefined;
    const reply = await door.ask(line, { headers });
    expect([reply.status, given?.[place]]).toEqual([204, value]);
    expect((await door.ask(`GET /v1/${place}`)).code).toBe("invalid-input");
  });

  it("takes a header of any of them once alone", async () => {
    expect((await door.ask("GET /v1/headers", { headers: { "X-One": ["a", "b"] } })).code).toBe("bad-header");
  });

  it("writes the members of all of them into the manifest", () => {
    expect(door.api.manifest()).toMatchObject({
      paths: {
        "/v1/headers": {
          get: {
            parameters: [
              { name: "x-one", in: "header", required: false, schema: { type: "string", maxLength: 9 } },
              { name: "x-other", in: "header", required: false, schema: { type: "string", maxLength: 9 } },
            ],
          },
        },
      },
    });
  });
});

describe("input at the start", () => {
  const problems = (input: unknown, path = "POST /v1/x") => {
    const api = createApi({ name: "start", hosts: ["localhost"], credentials: [] });
    routeUntyped(api, { path, access: publicAccess("x"), input, output: nothing });
    return api.problems().map((one) => one.field);
  };

  it("refuses whatever is open or has no end", () => {
    const open: readonly z.ZodType[] = [
      z.object({ a: z.boolean() }),
      z.looseObject({ a: z.boolean() }),
      z.strictObject({ a: z.string() }),
      z.strictObject({ a: z.number() }),
      z.strictObject({ a: z.array(z.boolean()) }),
      z.strictObject({ a: z.any() }),
      z.strictObject({ a: z.unknown() }),
      z.strictObject({ a: z.record(z.string().max(5), z.boolean()) }),
      z.strictObject({ a: z.strictObject({ b: z.object({ c: z.boolean() }) }) }),
    ];
    for (const body of open) expect(problems({ body })[0]).toMatch(/^input\.body/);
    expect(problems({ body: z.strictObject({ a: z.boolean() }) })).toEqual([]);
    expect(problems(undefined, "GET /v1/x/:slug")).toContain("input.params");
    expect(problems({ body: z.strictObject({ a: z.boolean() }) }, "GET /v1/x")).toContain("input.body");
  });
});
