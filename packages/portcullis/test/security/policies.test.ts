import type { Api, ApiConfig, Listening } from "portcullis";
import {
  answer,
  anyCaller,
  by,
  createApi,
  cursorPages,
  list,
  notAnObject,
  nothing,
  pages,
  publicAccess,
  session,
  view,
} from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** A policy as a program without types would write it. */
function untyped(
  api: Api,
  policy: Readonly<Record<string, unknown>>,
  run: (given: unknown) => unknown = () => undefined,
) {
  Reflect.apply(api.route, api, [policy, run]);
}

function problems(api: Api): readonly string[] {
  return api.problems().map((one) => `${one.field}: ${one.problem}`);
}

const Ok = z.strictObject({ ok: z.boolean() });
const open1 = { access: publicAccess("for the tests"), output: Ok } as const;

describe("a policy that would start and be unsafe stops the start", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
    [
      "a body where a status has none",
      { ...open1, path: "GET /v1/x", output: { 204: Ok } },
      /output\.204: .*has no body/,
    ],
    [
      "a body where a status resets",
      { ...open1, path: "GET /v1/x", output: { 205: Ok } },
      /output\.205: .*has no body/,
    ],
    [
      "a link that no header can hold",
      { ...open1, path: "GET /v1/x", deprecated: { since: "2026-01-01", link: "https://x.example/€" } },
      /deprecated\.link: .*is no URL/,
    ],
    [
      "a link that begins another",
      { ...open1, path: "GET /v1/x", deprecated: { since: "2026-01-01", link: "https://x.example/>; rel=next" } },
      /deprecated\.link: .*is no URL/,
    ],
    [
      "a scope that no header can hold",
      { path: "GET /v1/x", access: { scopes: ["café€"] }, output: nothing },
      /access\.scopes: .*is no scope/,
    ],
    [
      "a scope that ends its own quotes",
      { path: "GET /v1/x", access: { scopes: ['a"b'] }, output: nothing },
      /access\.scopes: .*is no scope/,
    ],
    [
      "a Cache-Control no header can hold",
      { ...open1, path: "GET /v1/x", cache: "public\r\nx: y" },
      /cache: .*is no Cache-Control/,
    ],
    [
      "pages without an end",
      { path: "GET /v1/x", access: anyCaller, output: nothing, page: pages({ maxPage: Infinity }) },
      /page: has no sensible depth/,
    ],
    [
      "pages of no number",
      { path: "GET /v1/x", access: anyCaller, output: nothing, page: pages({ maxPage: Number.NaN }) },
      /page: has no sensible depth/,
    ],
    [
      "a misspelt access beside any",
      { path: "GET /v1/x", access: { any: true, scope: ["admin"] }, output: nothing },
      /access: scope is no demand/,
    ],
    [
      "an access of another kind, which is not public",
      { path: "GET /v1/x", access: { kind: "private" }, output: nothing },
      /access: kind is no demand/,
    ],
    [
      "a limit that counts nothing there is",
      { ...open1, path: "GET /v1/x", limit: { rate: "5/min", counts: "failure" } },
      /limit: counts failure/,
    ],
    [
      "a limit with a misspelt part",
      { ...open1, path: "GET /v1/x", limit: [{ rate: "5/min", per: "address" }] },
      /limit: per is no part of a limit/,
    ],
    [
      "a sign-in whose account nobody counts by",
      {
        ...open1,
        path: "POST /v1/x",
        input: { body: z.strictObject({ user: z.string().max(9) }) },
        startsSession: { account: "body.user" },
        limit: "5/min",
      },
      /limit: lets one account be guessed without end/,
    ],
    [
      "a sign-in whose account the body does not have",
      {
        ...open1,
        path: "POST /v1/x",
        input: { body: z.strictObject({ user: z.string().max(9) }) },
        startsSession: { account: "body.email" },
      },
      /startsSession: the body has no email/,
    ],
  ];
  it.each(cases)("%s", (_name, policy, expected) => {
    const { api } = testApi();
    untyped(api, policy);
    expect(problems(api).join("\n")).toMatch(expected);
  });

  it("two routes that match the same requests: the second one's policy would never be asked", () => {
    const { api } = testApi();
    const input = { params: z.strictObject({ a: z.string().max(9) }) };
    untyped(api, { ...open1, path: "GET /v1/x/:a", input, objects: { a: notAnObject("a word") } });
    untyped(api, {
      path: "GET /v1/x/:b",
      access: { scopes: ["admin"] },
      output: nothing,
      input: { params: z.strictObject({ b: z.string().max(9) }) },
      objects: { b: notAnObject("a word") },
    });
    expect(problems(api)).toEqual(["path: matches what GET /v1/x/:a matches"]);
  });

  it("the same path in two versions of a header is no such thing", () => {
    const api = createApi({
      name: "x",
      hosts: ["localhost"],
      credentials: [],
      version: { header: "x-version", default: "1" },
    });
    untyped(api, { ...open1, path: "GET /x", version: "1" });
    untyped(api, { ...open1, path: "GET /x", version: "2" });
    expect(problems(api)).toEqual([]);
  });

  it("a resource with a misspelt rule, which would be no rule", () => {
    const { api } = testApi();
    const rule = { load: () => undefined, shared: "for the tests", tennant: () => "t1" };
    Reflect.apply(api.resource, api, ["file", rule]);
    expect(problems(api)).toEqual(["tennant: is no part of a rule"]);
  });

  const configs: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
    ["limits", { limits: { adress: "5/min" } }, /limits\.adress: is no option/],
    ["body", { body: { maxByte: 5 } }, /body\.maxByte: is no option/],
    ["audit", { audit: { sink: [] } }, /audit\.sink: is no option/],
    [
      "proxies",
      { proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for", host: true } },
      /proxies\.host: is no option/,
    ],
    ["cursors", { cursors: { secret: "x".repeat(32), sceret: "x" } }, /cursors\.sceret: is no option/],
    [
      "cursors, a secret of one letter",
      { cursors: { secret: "x".repeat(64) } },
      /cursors\.secret: repeats a few characters/,
    ],
    [
      "audit, a key of one word",
      { audit: { accountKey: "secret".repeat(8) } },
      /audit\.accountKey: repeats a few characters/,
    ],
    ["problem", { problem: { member: () => ({}) } }, /problem\.member: is no option/],
  ];
  it.each(configs)("a misspelt option of %s, which would be no option", (_name, change, expected) => {
    const api: Api = Reflect.apply(createApi, undefined, [
      { name: "x", hosts: ["localhost"], credentials: [], ...change },
    ]);
    untyped(api, { ...open1, path: "GET /v1/x" });
    expect(problems(api).join("\n")).toMatch(expected);
  });

  it("an object that stands within several", () => {
    const { api } = testApi();
    const folder = api.resource("folder", { load: (id) => ({ id }), shared: "for the tests" });
    const file = api.resource("file", {
      load: (id) => ({ id, folderId: "f" }),
      parent: { resource: folder, id: (one) => one.folderId },
    });
    untyped(api, {
      path: "POST /v1/x",
      access: anyCaller,
      input: { body: z.strictObject({ folderIds: z.array(z.uuid()).max(3), fileId: z.uuid() }) },
      objects: {
        folders: { kind: "by-each", field: "body.folderIds", resource: folder },
        file: by("body.fileId", file, { within: "folders" }),
      },
      output: nothing,
    });
    expect(problems(api).join()).toMatch(/file stands within folders, which is several/);
  });
});

describe("security-headers: what is for one caller is kept by no cache", () => {
  function withSession(config: ApiConfig): Api {
    const cookies = session({
      cookies: ["__Host-session"],
      resolve: (found) => (found["__Host-session"] === "alices" ? { subject: "alice" } : null),
    });
    return createApi({ ...config, credentials: [...config.credentials, cookies] });
  }

  it("also on a public route that may be kept, once somebody is proved, a cookie is set or one is cleared", async () => {
    const { api } = testApi({}, withSession);
    const policy = { access: publicAccess("for the tests"), cache: "public, max-age=60" } as const;
    const Who = z.strictObject({ who: z.string().max(20) });
    api.route({ ...policy, path: "GET /v1/who", output: Who }, ({ caller }) => ({ who: caller?.subject ?? "nobody" }));
    api.route({ ...policy, path: "GET /v1/sets", output: Who }, () =>
      answer({ who: "nobody" }, { cookies: [{ name: "__Host-seen", value: "1" }] }),
    );
    open = await api.listen({ port: 0, handleSignals: false });
    const cacheOf = async (path: string, headers: Readonly<Record<string, string>> = {}) =>
      (await fetch(`${open?.url}${path}`, { headers })).headers.get("cache-control");
    expect(await cacheOf("/v1/who")).toBe("public, max-age=60");
    expect(await cacheOf("/v1/who", { authorization: `Bearer ${await token("alice")}` })).toBe("no-store");
    expect(await cacheOf("/v1/who", { cookie: "__Host-session=alices" })).toBe("no-store");
    expect(await cacheOf("/v1/who", { cookie: "__Host-session=nobodys" })).toBe("no-store");
    expect(await cacheOf("/v1/sets")).toBe("no-store");
  });

  it("csrf: a session begins only where the route says so", async () => {
    const { api, events } = testApi({}, withSession);
    const sets = (value: string) => () => answer(undefined, { cookies: [{ name: "__Host-session", value }] });
    const policy = { access: publicAccess("for the tests"), output: nothing } as const;
    api.route({ ...policy, path: "POST /v1/silent" }, sets("fresh"));
    api.route({ ...policy, path: "POST /v1/said", startsSession: true }, sets("fresh"));
    api.route({ ...policy, path: "POST /v1/ends" }, sets(""));
    api.route({ path: "POST /v1/renews", access: anyCaller, output: nothing }, sets("fresh"));
    open = await api.listen({ port: 0, handleSignals: false });
    const post = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
      const { status, headers: got } = await fetch(`${open?.url}${path}`, { method: "POST", headers });
      return [status, got.get("set-cookie")?.split(";")[0]];
    };
    expect(await post("/v1/silent")).toEqual([500, undefined]);
    expect(await post("/v1/silent", { "sec-fetch-site": "cross-site" })).toEqual([500, undefined]);
    expect(await post("/v1/said", { "sec-fetch-site": "cross-site" })).toEqual([403, undefined]);
    expect(await post("/v1/said")).toEqual([204, "__Host-session=fresh"]);
    expect(await post("/v1/ends")).toEqual([204, "__Host-session="]);
    const own = { cookie: "__Host-session=alices", "sec-fetch-site": "same-origin" };
    expect(await post("/v1/renews", own)).toEqual([204, "__Host-session=fresh"]);
    expect(await post("/v1/renews", { authorization: `Bearer ${await token("alice")}` })).toEqual([500, undefined]);
    await open.close();
    expect(events().some((event) => event.reason?.includes("startsSession") === true)).toBe(true);
  });
});

describe("pagination: a cursor opens only the list it was made for", () => {
  it("not another object's list of the same route", async () => {
    const { api } = testApi();
    const folder = api.resource("folder", { load: (id) => ({ id }), shared: "for the tests" });
    const after: unknown[] = [];
    api.route(
      {
        path: "GET /v1/folders/:id/files",
        access: anyCaller,
        input: { params: z.strictObject({ id: z.uuid() }) },
        objects: { folder: by("id", folder) },
        page: cursorPages(),
        output: list(z.strictObject({ id: z.uuid() }), folder),
      },
      ({ folder: one, page }) => {
        after.push(page.after);
        return { items: [one], next: { folder: one.id } };
      },
    );
    untyped(api, { path: "GET /v1/one", access: anyCaller, output: view(z.strictObject({ id: z.uuid() }), folder) });
    open = await api.listen({ port: 0, handleSignals: false });
    const ids = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
    const headers = { authorization: `Bearer ${await token("alice")}` };
    const first: unknown = await (await fetch(`${open.url}/v1/folders/${ids[0]}/files`, { headers })).json();
    const next = typeof first === "object" && first !== null && "next" in first ? String(first.next) : "";
    const own = await fetch(`${open.url}/v1/folders/${ids[0]}/files?cursor=${next}`, { headers });
    const other = await fetch(`${open.url}/v1/folders/${ids[1]}/files?cursor=${next}`, { headers });
    expect([own.status, other.status]).toEqual([200, 400]);
    expect(after).toEqual([undefined, { folder: ids[0] }]);
  });
});
