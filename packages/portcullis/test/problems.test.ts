import type { Api, ApiConfig } from "portcullis";
import {
  anyCaller,
  by,
  createApi,
  cursorPages,
  everyOwner,
  jwt,
  list,
  notAnObject,
  nothing,
  publicAccess,
  secret,
  session,
  shared,
  view,
} from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { jwtSecret } from "./front-door.ts";

interface Row {
  readonly id: string;
  readonly ownerId: string;
}

const View = z.strictObject({ id: z.uuid() });
const params = z.strictObject({ id: z.uuid() });
const token = jwt({ issuer: "https://id.example", audience: "https://api.example", keys: secret(jwtSecret) });

function make(change: Partial<ApiConfig> = {}): { api: Api; row: ReturnType<typeof rowOf> } {
  const api = createApi({ name: "problems", hosts: ["localhost"], credentials: [token], ...change });
  return { api, row: rowOf(api) };
}

function rowOf(api: Api) {
  return api.resource("row", {
    load: (): Row | undefined => undefined,
    owner: (one) => one.ownerId,
    serverSet: ["ownerId"],
  });
}

/** A policy as a program without types would write it. */
function untyped(api: Api, policy: Readonly<Record<string, unknown>>): void {
  Reflect.apply(api.route, api, [policy, () => undefined]);
}

function within(schema: z.ZodObject, name: string): z.ZodObject {
  return z.strictObject({ [name]: schema });
}

function fields(api: Api): readonly string[] {
  return api.problems().map((one) => `${one.field}: ${one.problem}`);
}

describe("a policy without holes", () => {
  it("has no problems, and a manifest that holds no secret", () => {
    const { api, row } = make();
    api.route(
      {
        path: "GET /v1/rows/:id",
        access: anyCaller,
        input: { params },
        objects: { row: by("id", row) },
        output: view(View, row),
      },
      (given) => given.row,
    );
    expect(api.problems()).toEqual([]);
    expect(JSON.stringify(api.manifest())).not.toContain(jwtSecret);
  });
});

describe("a route that leaves something undecided stops the start", () => {
  const cases: readonly (readonly [string, (api: Api, row: ReturnType<typeof rowOf>) => void, RegExp])[] = [
    ["no access", (api) => untyped(api, { path: "GET /v1/a", output: nothing }), /^access/],
    [
      "an access that demands nothing",
      (api) => untyped(api, { path: "GET /v1/a", access: {}, output: nothing }),
      /^access: demands nothing/,
    ],
    [
      "public without a reason",
      (api) => untyped(api, { path: "GET /v1/a", access: publicAccess(""), output: nothing }),
      /^access: is public without a reason/,
    ],
    ["no output", (api) => untyped(api, { path: "GET /v1/a", access: anyCaller }), /^(output|policy)/],
    [
      "an id of the path without a rule",
      (api) => untyped(api, { path: "GET /v1/a/:id", access: anyCaller, input: { params }, output: nothing }),
      /^objects: no rule consumes the id id/,
    ],
    [
      "an id of the body without a rule",
      (api) =>
        untyped(api, {
          path: "POST /v1/a",
          access: anyCaller,
          input: { body: z.strictObject({ deep: z.strictObject({ projectId: z.uuid() }) }) },
          output: nothing,
        }),
      /no rule consumes the id body\.deep\.projectId/,
    ],
    [
      "an id of the query without a rule",
      (api) =>
        untyped(api, {
          path: "GET /v1/a",
          access: anyCaller,
          input: { query: z.strictObject({ owner_id: z.uuid() }) },
          output: nothing,
        }),
      /no rule consumes the id query\.owner_id/,
    ],
    [
      "an id of a header without a rule",
      (api) =>
        untyped(api, {
          path: "GET /v1/a",
          access: anyCaller,
          input: { headers: z.strictObject({ "x-project-id": z.uuid() }) },
          output: nothing,
        }),
      /no rule consumes the id header\.x-project-id/,
    ],
    [
      "an id deeper in the body than types look",
      (api) =>
        untyped(api, {
          path: "POST /v1/a",
          access: anyCaller,
          input: { body: ["a", "b", "c", "d", "e", "f"].reduce(within, z.strictObject({ rowID: z.int() })) },
          output: nothing,
        }),
      /no rule consumes the id body\.f\.e\.d\.c\.b\.a\.rowID/,
    ],
    [
      "an excuse without a reason",
      (api) =>
        untyped(api, {
          path: "GET /v1/a/:id",
          access: anyCaller,
          input: { params },
          objects: { id: notAnObject("") },
          output: nothing,
        }),
      /excused without a reason/,
    ],
    [
      "a path value that may be anything",
      (api, row) =>
        untyped(api, { path: "GET /v1/a/:id", access: anyCaller, objects: { row: by("id", row) }, output: nothing }),
      /^input\.params: id may be anything/,
    ],
    [
      "an open body",
      (api) =>
        untyped(api, {
          path: "POST /v1/a",
          access: anyCaller,
          input: { body: z.object({ a: z.boolean() }) },
          output: nothing,
        }),
      /^input\.body/,
    ],
    [
      "a text without a length",
      (api) =>
        untyped(api, {
          path: "POST /v1/a",
          access: anyCaller,
          input: { body: z.strictObject({ a: z.string() }) },
          output: nothing,
        }),
      /^input\.body\/a/,
    ],
    [
      "a body that takes what only the server sets",
      (api, row) =>
        untyped(api, {
          path: "POST /v1/a",
          access: anyCaller,
          input: { body: z.strictObject({ ownerId: z.uuid() }) },
          objects: { "body.ownerId": notAnObject("x") },
          output: view(View, row),
        }),
      /takes ownerId, which only the server sets/,
    ],
    [
      "an open output",
      (api) => untyped(api, { path: "GET /v1/a", access: anyCaller, output: z.looseObject({}) }),
      /^output\.200/,
    ],
    [
      "a list without an end",
      (api, row) => untyped(api, { path: "GET /v1/a", access: anyCaller, output: list(View, row) }),
      /^page: a list without an end/,
    ],
    [
      "an array without an end in an output",
      (api) =>
        untyped(api, { path: "GET /v1/a", access: anyCaller, output: z.strictObject({ all: z.array(z.boolean()) }) }),
      /^output\.200\/all/,
    ],
    [
      "everybody's objects without a reason",
      (api, row) =>
        untyped(api, {
          path: "GET /v1/a",
          access: anyCaller,
          output: list(View, row, { owners: shared("") }),
          page: cursorPages(),
        }),
      /without a reason/,
    ],
    [
      "every owner for no role",
      (api, row) =>
        untyped(api, {
          path: "GET /v1/a",
          access: anyCaller,
          output: list(View, row, { owners: everyOwner({ roles: [], reason: "x" }) }),
          page: cursorPages(),
        }),
      /names no role/,
    ],
    [
      "roles that nobody gives",
      (api) => untyped(api, { path: "GET /v1/a", access: { roles: ["admin"] }, output: nothing }),
      /^access\.roles/,
    ],
    [
      "a role in an object the route does not have",
      (api) => untyped(api, { path: "GET /v1/a", access: { objectRole: { row: ["owner"] } }, output: nothing }),
      /^access\.objectRole/,
    ],
    [
      "no version",
      (api) => untyped(api, { path: "GET /a", access: anyCaller, output: nothing }),
      /^path: has no version/,
    ],
    [
      "a path that is not canonical",
      (api) => untyped(api, { path: "GET /v1//a/", access: anyCaller, output: nothing }),
      /^path: .* is not canonical/,
    ],
    [
      "a method that is none",
      (api) => untyped(api, { path: "FETCH /v1/a", access: anyCaller, output: nothing }),
      /^path: "FETCH"/,
    ],
    [
      "a misspelt member",
      (api) => untyped(api, { path: "GET /v1/a", access: anyCaller, output: nothing, limits: "1/s" }),
      /^limits: is no part of a policy/,
    ],
    [
      "a member that is not built yet",
      (api) => untyped(api, { path: "POST /v1/a", access: anyCaller, output: nothing, idempotency: true }),
      /not built yet/,
    ],
    [
      "a limit that is none",
      (api) => untyped(api, { path: "GET /v1/a", access: anyCaller, output: nothing, limit: "0/min" }),
      /^policy/,
    ],
    [
      "a limit by a field the body does not have",
      (api) =>
        untyped(api, {
          path: "POST /v1/a",
          access: anyCaller,
          output: nothing,
          limit: [{ rate: "5/min", by: "body.email" }],
        }),
      /^limit: counts by body\.email/,
    ],
    [
      "a sunset before the deprecation",
      (api) =>
        untyped(api, {
          path: "GET /v1/a",
          access: anyCaller,
          output: nothing,
          deprecated: { since: "2026-05-01", sunset: "2026-01-01" },
        }),
      /^deprecated\.sunset/,
    ],
    [
      "a sign-in by GET",
      (api) => untyped(api, { path: "GET /v1/a", access: publicAccess("x"), output: nothing, startsSession: true }),
      /^startsSession/,
    ],
    [
      "a cache for one caller's answer",
      (api) => untyped(api, { path: "GET /v1/a", access: anyCaller, output: nothing, cache: "public" }),
      /^cache/,
    ],
    [
      "a child without its parent",
      (api, row) =>
        untyped(api, {
          path: "GET /v1/a/:id",
          access: anyCaller,
          input: { params },
          objects: { row: by("id", row, { within: "project" }) },
          output: nothing,
        }),
      /stands within project/,
    ],
  ];
  it.each(cases)("%s", (_name, declare, expected) => {
    const { api, row } = make();
    declare(api, row);
    const found = fields(api);
    expect(
      found.some((line) => expected.test(line)),
      found.join("\n"),
    ).toBe(true);
    expect(() => api.start({ adapter: "test", tls: "1.3", loopbackOnly: true, unknown: [] })).toThrow(/does not start/);
    expect(api.problems().every((one) => one.fix !== "" && one.where !== "")).toBe(true);
  });
});

describe("an API's own options", () => {
  const cases: readonly (readonly [string, Partial<ApiConfig>, RegExp])[] = [
    ["no host", { hosts: [] }, /^hosts/],
    ["a wildcard host", { hosts: ["*.example.com"] }, /^hosts/],
    ["a wildcard origin", { origins: ["*"] }, /^origins/],
    ["origin null", { origins: ["null"] }, /^origins/],
    ["an origin with a path", { origins: ["https://app.example.com/"] }, /^origins/],
    ["a plain-http origin elsewhere", { origins: ["http://app.example.com"] }, /^origins/],
    [
      "every address a trusted proxy",
      { proxies: { trusted: ["0.0.0.0/0"], header: "x-forwarded-for" } },
      /^proxies\.trusted/,
    ],
    ["no trusted proxy", { proxies: { trusted: [], header: "x-forwarded-for" } }, /^proxies\.trusted/],
    [
      "a short jwt secret",
      { credentials: [jwt({ issuer: "https://id", audience: "a", keys: secret("short") })] },
      /^keys/,
    ],
    [
      "a cookie that any sibling can set",
      { credentials: [session({ cookies: ["sid"], resolve: () => null })] },
      /^cookies/,
    ],
    [
      "two issuers whose subjects mix",
      { credentials: [token, jwt({ name: "b", issuer: "https://b", audience: "a", keys: secret(jwtSecret) })] },
      /^credentials\.jwt/,
    ],
    ["two credentials of one name", { credentials: [token, token] }, /^credentials: two are called/],
    ["no record at all", { audit: { sinks: [] } }, /^audit\.sinks/],
    ["a short cursor secret", { cursors: { secret: "short" } }, /^cursors\.secret/],
    ["several instances without a cursor secret", { limits: { instances: 3 } }, /^cursors/],
    ["more instances than the limit", { limits: { global: "2/s", instances: 3 } }, /^limits/],
    ["a body limit of nothing", { body: { maxBytes: 0 } }, /^body\.maxBytes/],
  ];
  it.each(cases)("%s", (_name, change, expected) => {
    const { api } = make(change);
    api.route({ path: "GET /v1/a", access: publicAccess("test"), output: nothing }, () => undefined);
    const found = fields(api);
    expect(
      found.some((line) => expected.test(line)),
      found.join("\n"),
    ).toBe(true);
  });

  it("a misspelt option, named as what it is not", () => {
    const config = { name: "x", hosts: ["localhost"], credentials: [], orgins: ["https://a.example"] };
    expect(fields(createApi(config))).toContainEqual(expect.stringMatching(/^orgins: is no option/));
  });

  it("the message names the route, the field and the fix", () => {
    const { api } = make();
    untyped(api, { path: "GET /v1/a/:id", access: anyCaller, input: { params }, output: nothing });
    expect(() => api.manifest()).toThrow(
      /GET \/v1\/a\/:id\n {4}objects: no rule consumes the id id\n {4}fix: .*by\("id", resource\)/,
    );
  });
});
