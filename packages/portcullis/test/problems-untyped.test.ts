import type { Api } from "portcullis";
import {
  answer,
  by,
  byRole,
  createApi,
  cursorPages,
  everyOwner,
  list,
  notAnObject,
  nothing,
  publicAccess,
  shared,
  StartRefused,
  unowned,
  view,
} from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { resourceUntyped, richTokens, routeUntyped, sharedDoor, testApi } from "./front-door.ts";

// Programs without types write anything anywhere. Each of these would decide nothing, or something else than it says.

type Written = Readonly<Record<string, unknown>>;

const View = z.strictObject({ id: z.uuid() });
const params = z.strictObject({ id: z.uuid() });
const policy: Written = { path: "GET /v1/a", access: publicAccess("test"), output: nothing };

function made(options: Written = {}): Api {
  const api: unknown = Reflect.apply(createApi, undefined, [
    { name: "untyped", hosts: ["localhost"], credentials: [], ...options },
  ]);
  if (!isApi(api)) throw new Error("createApi made none");
  return api;
}

/** What a start is refused with. */
async function refusedListen(api: Api, options: unknown): Promise<unknown> {
  try {
    const listening: unknown = await Reflect.apply(api.listen, api, [options]);
    return listening;
  } catch (error) {
    return error;
  }
}

function isApi(value: unknown): value is Api {
  return typeof value === "object" && value !== null && "route" in value;
}

function rowOf(api: Api) {
  return api.resource("row", { load: (id) => ({ id, ownerId: "a" }), owner: (one) => one.ownerId });
}

/** Every problem as a start shows it; all of them name where, what and how to mend it. */
function lines(api: Api): readonly string[] {
  const problems = api.problems();
  expect(problems.every((one) => one.where !== "" && one.field !== "" && one.fix !== "")).toBe(true);
  expect(() => api.start({ adapter: "test", tls: "1.3", loopbackOnly: true, unknown: [] })).toThrow(StartRefused);
  return problems.map((one) => `${one.where} ${one.field}: ${one.problem}`);
}

describe("a member of a policy that is not what its type says stops the start", () => {
  const cases: readonly (readonly [string, (row: ReturnType<typeof rowOf>) => Written, string])[] = [
    ["any: false", () => ({ access: { any: false } }), "access.any: false decides nothing"],
    ["any beside a demand", () => ({ access: { any: true, scopes: ["a"] } }), "access.any: stands beside a demand"],
    ["a text for scopes", () => ({ access: { scopes: "admin" } }), 'access.scopes: "admin" is no list of texts'],
    ["a text for roles", () => ({ access: { roles: "admin" } }), 'access.roles: "admin" is no list of texts'],
    ["a number for a role", () => ({ access: { roles: [1] } }), "access.roles: a list is no list of texts"],
    [
      "true for a role in an object",
      () => ({ access: { objectRole: true } }),
      "access.objectRole: true names no roles",
    ],
    [
      "a text for the roles of an object",
      () => ({ access: { objectRole: { row: "owner" } } }),
      "access.objectRole: an object names no roles",
    ],
    ["a misspelt demand", () => ({ access: { role: ["admin"] } }), "access: role is no demand"],
    ["true for an access", () => ({ access: true }), "access: true is no access"],
    ["a blank reason for being public", () => ({ access: publicAccess(" ") }), "access: is public without a reason"],
    ["a misspelt place of input", () => ({ input: { qeury: params } }), "input.qeury: is no place of input"],
    ["an object for a schema", () => ({ input: { query: { q: "string" } } }), "input.query: an object is no schema"],
    ["a schema for the whole input", () => ({ input: [params] }), "input: a list is no input"],
    ["a text for a rule", () => ({ objects: { row: "id" } }), 'objects.row: "id" is no rule'],
    [
      "a rule without a resource",
      () => ({ path: "GET /v1/a/:id", input: { params }, objects: { row: Reflect.apply(by, undefined, ["id"]) } }),
      "objects.row: names no resource",
    ],
    [
      "a blank excuse",
      () => ({ path: "GET /v1/a/:id", input: { params }, objects: { id: notAnObject("  ") } }),
      "objects: id is excused without a reason",
    ],
    ["true for an output", () => ({ output: true }), "output: true is no output"],
    ["an object that is no output", () => ({ output: { schema: View } }), 'output: "schema" is no status'],
    [
      "a view without a resource",
      () => ({ output: Reflect.apply(view, undefined, [View]) }),
      "output: names no resource",
    ],
    [
      "a list without a resource",
      () => ({ output: Reflect.apply(list, undefined, [View]), page: cursorPages() }),
      "output: names no resource",
    ],
    [
      "a view without a resource among several",
      () => ({ output: { 200: nothing, 201: byRole({ otherwise: Reflect.apply(view, undefined, [View]) }) } }),
      "output.201.otherwise: names no resource",
    ],
    [
      "a view of no schema",
      (row) => ({ output: Reflect.apply(view, undefined, [{}, row]) }),
      "output: an object is no schema",
    ],
    [
      "a path for at",
      (row) => ({ output: Reflect.apply(view, undefined, [View, row, { at: "items" }]) }),
      'output: at is "items"',
    ],
    [
      "true for owners",
      (row) => ({ output: Reflect.apply(view, undefined, [View, row, { owners: true }]) }),
      "output: owners is true",
    ],
    ["owners for a blank reason", (row) => ({ output: view(View, row, { owners: shared("\t") }) }), "without a reason"],
    [
      "every owner for a blank reason",
      (row) => ({ output: view(View, row, { owners: everyOwner({ roles: ["a"], reason: " " }) }) }),
      "without a reason",
    ],
    [
      "nobody's for a blank reason",
      () => ({ output: unowned(View, "") }),
      "output.200: leaves owners unchecked without",
    ],
    ["nobody's for true", () => ({ output: { kind: "unowned", schema: View, reason: true } }), "without a reason"],
    ["a number for a limit", () => ({ limit: 60 }), "limit: 60 is no limit"],
    ["a list of texts for limits", () => ({ limit: ["60/min"] }), 'limit: "60/min" is no limit'],
    ["true for a page", () => ({ page: true }), "page: true is no page"],
    [
      "a page of roles without a list",
      () => ({ output: byRole({ otherwise: nothing }), page: cursorPages() }),
      "page: the output is no list",
    ],
    ["false for a session", () => ({ startsSession: false }), "startsSession: false does not say"],
    [
      "an account outside the body",
      () => ({ startsSession: { account: "email" } }),
      "startsSession: an object does not say",
    ],
    ["true for a deprecation", () => ({ deprecated: true }), "deprecated: true does not say since when"],
    [
      "a misspelt sunset",
      () => ({ deprecated: { since: "2026-01-01", sunSet: "2026-06-01" } }),
      "deprecated.sunSet: is nothing it has",
    ],
    ["a number for a version", () => ({ version: 1 }), "version: 1 is no text"],
    ["no version without a reason", () => ({ version: { none: " " } }), "version.none: has no reason"],
    ["no version, misspelt", () => ({ version: { non: "x" } }), "version.non: is nothing it has"],
    ["true for a cache", () => ({ cache: true }), "cache: true is no text"],
  ];
  it.each(cases)("%s", (_name, change, expected) => {
    const api = made({ credentials: [richTokens], roles: () => [] });
    const row = rowOf(api);
    routeUntyped(api, { ...policy, ...change(row) });
    const found = lines(api);
    expect(
      found.some((line) => line.startsWith("GET /v1/a") && line.includes(expected)),
      found.join("\n"),
    ).toBe(true);
  });

  it("a route without a handler", () => {
    const api = made();
    Reflect.apply(api.route, api, [policy]);
    expect(lines(api)).toEqual(["GET /v1/a handler: there is no handler"]);
  });

  it("a route without a path", () => {
    const api = made();
    routeUntyped(api, { ...policy, path: undefined });
    expect(lines(api)).toEqual([expect.stringMatching(/^api\.route path: is no text/)]);
  });
});

describe("a resource that nobody could ask stops the start", () => {
  const cases: readonly (readonly [string, Written, string])[] = [
    ["no load", { load: undefined, owner: () => "a" }, "load: is missing"],
    ["a text for the owner", { owner: "ownerId" }, 'owner: "ownerId" is no function'],
    ["a text for the tenant", { owner: () => "a", tenant: "tenantId" }, 'tenant: "tenantId" is no function'],
    ["a list for the grant", { grant: ["admin"] }, "grant: a list is no function"],
    ["true for shared", { shared: true }, "shared: has no reason"],
    ["a blank reason for shared", { shared: " " }, "shared: has no reason"],
    [
      "a text for what only the server sets",
      { owner: () => "a", serverSet: "id" },
      'serverSet: "id" is no list of fields',
    ],
    ["a parent by its name", { parent: "project" }, "parent: does not say which one it is"],
    ["a parent without a resource", { parent: { id: () => "1" } }, "parent: names no resource"],
    ["a misspelt member", { owner: () => "a", owners: () => "b" }, "owners: is no part of a rule"],
  ];
  it.each(cases)("%s", (_name, rule, expected) => {
    const api = made();
    resourceUntyped(api, "row", rule);
    routeUntyped(api, policy);
    expect(lines(api)).toContainEqual(expect.stringContaining(`resource row ${expected}`));
  });

  it("one that was declared a second time, and of which the first decides", () => {
    const api = made();
    const first = rowOf(api);
    rowOf(api);
    routeUntyped(api, { ...policy, output: view(View, first) });
    expect(lines(api)).toEqual(["GET /v1/a output: uses a resource row that was declared a second time"]);
  });

  it("unless a reloaded module declared its routes anew as well", () => {
    const api = made();
    for (const row of [rowOf(api), rowOf(api)]) routeUntyped(api, { ...policy, output: view(View, row) });
    expect(api.problems()).toEqual([]);
  });

  it("one of another API, whose rule nobody has looked at here", () => {
    const api = made();
    routeUntyped(api, { ...policy, output: view(View, rowOf(made())) });
    expect(lines(api)).toEqual(["GET /v1/a output: uses a resource row that is not declared with this API"]);
  });
});

describe("an option of an API that is not what its type says stops the start", () => {
  const cases: readonly (readonly [string, Written, string])[] = [
    ["a text for the hosts", { hosts: "localhost" }, "hosts: is no list of names"],
    ["a text for the origins", { origins: "https://app.example.com" }, "origins: is no list of origins"],
    [
      "a credential that is none",
      { credentials: [{ issuer: "a" }] },
      "credentials: holds something that proves nobody",
    ],
    ["other headers for limits", { rateLimitHeaders: "yes" }, 'rateLimitHeaders: is "yes"'],
    ["another TLS", { minTls: "1.1" }, 'minTls: is "1.1"'],
    ["a misspelt version header", { version: { headers: "api-version" } }, "version.headers: is nothing it has"],
    ["a version header without a default", { version: { header: "api-version" } }, "version.default: does not say"],
    [
      "no header name",
      { version: { header: "api version", default: "1" } },
      'version.header: "api version" is no header',
    ],
    ["no versions for no reason", { version: { none: "  " } }, "version.none: has no reason"],
    ["another place of a version", { version: "query" }, 'version: "query" is no place of a version'],
    ["a list for the roles", { roles: ["admin"] }, "roles: a list is no function"],
    ["a text for the limits", { limits: "60/min" }, 'limits: "60/min" holds no options'],
    ["a limiter that is none", { limits: { limiter: "redis" } }, 'limits.limiter: "redis" is no function'],
    ["one sink for a list", { audit: { sinks: () => undefined } }, "audit.sinks: is no list"],
    [
      "a sink that writes nothing",
      { audit: { sinks: [{ name: "siem" }] } },
      "audit.sinks: holds something that writes",
    ],
    ["a text for a listener", { audit: { onEvent: "log" } }, 'audit.onEvent: "log" is no function'],
    ["nobody in front", { proxies: null }, "proxies: null names nobody"],
    [
      "a text for the networks of proxies",
      { proxies: { trusted: "10.0.0.0/8", header: "x-forwarded-for" } },
      'proxies.trusted: "10.0.0.0/8" is no list of networks',
    ],
    [
      "proxies that write no header",
      { proxies: { trusted: ["10.0.0.0/8"] } },
      "proxies.header: undefined is no header",
    ],
    [
      "a forwarded host that reads as yes",
      { proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for", forwardedHost: "no" } },
      'proxies.forwardedHost: is "no"',
    ],
    ["a reason nobody can see", { version: { none: "\u200b" } }, "version.none: has no reason"],
    ["a number for a secret", { cursors: { secret: 42 } }, "cursors.secret: is no text and no bytes"],
    ["a blank name", { name: " " }, "name: is empty"],
    ["a misspelt option", { credentails: [] }, "credentails: is no option"],
    ["a misspelt option of an option", { audit: { sink: [] } }, "audit.sink: is no option"],
  ];
  it.each(cases)("%s", (_name, options, expected) => {
    const api = made(options);
    routeUntyped(api, policy);
    expect(lines(api)).toContainEqual(expect.stringContaining(`createApi ${expected}`));
  });
});

describe("an option of listen that is not what its type says stops the start before anything listens", () => {
  const cases: readonly (readonly [string, unknown, string])[] = [
    ["none at all", undefined, "options: undefined holds no options"],
    ["a misspelt one", { port: 0, hots: "127.0.0.1" }, "hots: is no option"],
    ["no port", {}, "port: is undefined"],
    ["a text for a port", { port: "8443" }, 'port: is "8443"'],
    ["a certificate without a key", { port: 0, tls: { cert: "x" } }, "tls: has no certificate and key"],
    ["true for TLS", { port: 0, tls: true }, "tls: has no certificate and key"],
    ["a blank host", { port: 0, host: "" }, 'host: is ""'],
    ["a text for signals", { port: 0, handleSignals: "no" }, 'handleSignals: is "no"'],
  ];
  it.each(cases)("%s", async (_name, options, expected) => {
    const api = made();
    routeUntyped(api, policy);
    const refused = await refusedListen(api, options);
    expect(refused).toBeInstanceOf(StartRefused);
    expect(String(refused)).toContain(`  listen\n    ${expected}`);
  });

  it("together with every problem of the policies", async () => {
    const api = made({ rateLimitHeaders: "yes" });
    routeUntyped(api, policy);
    const refused = await refusedListen(api, { prot: 0 });
    expect(String(refused)).toMatch(/3 problems[^]*prot: is no option[^]*port: is undefined[^]*rateLimitHeaders/);
  });
});

describe("output: an answer with a status that nobody declared", () => {
  let next: () => unknown = () => undefined;
  const door = sharedDoor(() => {
    const test = testApi();
    const output = { 200: z.strictObject({ ok: z.boolean() }), 201: nothing };
    routeUntyped(test.api, { path: "GET /v1/a", access: publicAccess("test"), output }, () => next());
    return test;
  });
  it.each([
    ["another number", 202],
    ["a text", "200"],
    ["none", null],
    ["a refusal's", 404],
  ] as const)("is 500 and an event: %s", async (_name, status) => {
    next = () => Reflect.apply(answer, undefined, [{ ok: true }, { status }]);
    const reply = await door.ask("GET /v1/a");
    expect([reply.status, await door.recordedCode(reply)]).toEqual([500, "undeclared-output"]);
  });
});

describe("object-access: ids in a plain output", () => {
  const Plain = z.strictObject({ items: z.array(z.strictObject({ id: z.string(), text: z.string() })).max(9) });
  const problemsOf = (output: unknown, api = made()): readonly string[] => {
    routeUntyped(api, { ...policy, output });
    return api.problems().map((one) => `${one.field}: ${one.problem}`);
  };

  const refused: readonly (readonly [string, unknown, string])[] = [
    ["rows in a list", Plain, "output.200/items/*/id"],
    ["the id of a row", z.strictObject({ project_id: z.string() }), "output.200/project_id"],
    ["a list of ids", z.strictObject({ memberIds: z.array(z.string()).max(9) }), "output.200/memberIds"],
    ["a format made for ids", z.strictObject({ ref: z.uuid() }), "output.200/ref"],
    ["an id in one of several shapes", z.union([z.strictObject({ a: z.boolean() }), View]), "output.200/id"],
    ["an id as the whole value", z.uuid(), "output.200"],
    ["ids as the whole value", z.array(z.uuid()).max(9), "output.200"],
    ["by status", { 200: z.strictObject({ ok: z.boolean() }), 201: View }, "output.201/id"],
    ["by role", byRole({ admin: View, otherwise: z.strictObject({}) }), "output.200.admin/id"],
  ];
  it.each(refused)("stop the start: %s", (_name, output, field) => {
    expect(problemsOf(output)).toEqual([`${field}: is an id, and nothing says whose object it is`]);
  });

  const started: readonly (readonly [string, unknown])[] = [
    ["values that are no ids", z.strictObject({ total: z.int(), paid: z.boolean(), grid: z.array(z.int()).max(9) })],
    ["a text", z.string().max(9)],
    ["numbers", z.array(z.number()).max(9)],
    ["ids that are nobody's, for a reason", unowned(Plain, "countries")],
    ["the same by status and role", { 201: byRole({ otherwise: unowned(View, "a job just begun") }) }],
  ];
  it.each(started)("do not stand in the way of %s", (_name, output) => {
    expect(problemsOf(output)).toEqual([]);
  });

  it("do not stand in the way of a view, which asks whose they are", () => {
    const api = made();
    expect(problemsOf(view(View, rowOf(api)), api)).toEqual([]);
  });

  it("an excuse for nothing is a mistake too", () => {
    expect(problemsOf(unowned(z.strictObject({ ok: z.boolean() }), "x"))).toEqual([
      "output.200: is excused and holds no id",
    ]);
  });

  it("an excuse excuses nothing else", () => {
    expect(problemsOf(unowned(z.looseObject({ id: z.uuid() }), "x"))).toEqual([
      expect.stringContaining("output.200: is open"),
    ]);
  });

  it("the reviewer of the manifest reads why", () => {
    const api = made();
    routeUntyped(api, { ...policy, output: { 201: unowned(View, "a job just begun") } });
    expect(api.manifest()).toMatchObject({
      paths: {
        "/v1/a": {
          get: {
            "x-portcullis": { output: [{ status: 201, kind: "unowned", reason: "a job just begun" }] },
            responses: { 201: { content: { "application/json": { schema: { required: ["id"] } } } } },
          },
        },
      },
    });
  });
});
