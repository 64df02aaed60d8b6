import { anyCaller, answer, createApi, nothing, publicAccess, session } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createApiWith } from "../../src/api.ts";
import { standardGates } from "../../src/pipeline.ts";
import type { Asked, Reply } from "../front-door.ts";
import { noteIds, openDoor, routeUntyped, sharedDoor, testApi, tokens } from "../front-door.ts";
import { raw } from "../node/raw.ts";

const access = publicAccess("the tests look at headers");
const Ok = z.strictObject({ ok: z.boolean() });

const always: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** Each header once and exactly as promised, and no banner. */
function expectHeaders(reply: Pick<Reply, "head" | "headers">, cacheControl = "no-store"): void {
  for (const [name, value] of Object.entries({ ...always, "cache-control": cacheControl })) {
    expect(reply.headers.get(name), name).toBe(value);
  }
  expect(reply.headers.get("x-request-id")).toMatch(/^[\w-]{22}$/);
  const names = reply.head
    .split("\r\n")
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(":")).toLowerCase());
  const twice = names.filter((name, at) => name !== "set-cookie" && names.indexOf(name) !== at);
  expect(twice).toEqual([]);
  for (const banner of ["server", "x-powered-by", "via", "x-xss-protection", "x-aspnet-version"]) {
    expect(names).not.toContain(banner);
  }
}

describe("security-headers", () => {
  const door = sharedDoor(() => {
    const test = testApi({
      origins: ["https://app.example"],
      credentials: [
        tokens,
        session({
          cookies: ["__Host-s"],
          resolve: (cookies) => (cookies["__Host-s"] === "a" ? { subject: "alice" } : null),
        }),
      ],
      body: { maxBytes: 100 },
    });
    routeUntyped(test.api, { path: "GET /v1/nothing", access, output: nothing });
    routeUntyped(test.api, { path: "GET /v1/created", access, output: { 201: Ok } }, () =>
      answer({ ok: true }, { status: 201 }),
    );
    routeUntyped(test.api, { path: "GET /v1/throws", access, output: Ok }, () => boom());
    routeUntyped(test.api, { path: "GET /v1/scoped", access: { scopes: ["x"] }, output: Ok });
    routeUntyped(test.api, {
      path: "GET /v1/gone",
      access,
      output: Ok,
      deprecated: { since: "2020-01-01", sunset: "2021-01-01" },
    });
    return test;
  });

  const answers: readonly (readonly [string, Asked, number])[] = [
    ["GET /v1/open", {}, 200],
    ["HEAD /v1/open", {}, 200],
    ["GET /v1/created", {}, 201],
    ["GET /v1/nothing", {}, 204],
    ["OPTIONS /v1/open", {}, 204],
    ["OPTIONS /v1/open", { headers: { Origin: "https://app.example", "Access-Control-Request-Method": "GET" } }, 204],
    ["OPTIONS /v1/open", { headers: { Origin: "https://evil.example", "Access-Control-Request-Method": "GET" } }, 403],
    [`GET /v1/notes/${noteIds[0]}`, { as: "alice" }, 200],
    ["GET /v1/open?a=1", {}, 400],
    ["GET /v1/open?token=x", {}, 400],
    [`GET /v1/notes/${noteIds[0]}`, {}, 401],
    [`HEAD /v1/notes/${noteIds[0]}`, {}, 401],
    ["GET /v1/scoped", { as: "alice" }, 403],
    ["GET /v1/none", {}, 404],
    ["PUT /v1/open", {}, 405],
    ["GET /v1/gone", {}, 410],
    ["POST /v1/notes", { as: "alice", body: "a".repeat(101) }, 413],
    [`GET /${"a".repeat(9_000)}`, {}, 414],
    ["POST /v1/notes", { as: "alice", body: "{}" }, 415],
    ["GET /v1/open", { headers: { Expect: "tea" } }, 417],
    ["GET /v1/open", { headers: { Host: "evil.example" } }, 421],
    ["GET /v1/open", { headers: { "X-A": "a".repeat(17_000) } }, 431],
    ["GET /v1/throws", {}, 500],
    ["TRACE /v1/open", {}, 501],
  ];
  it.each(answers)("stand on every answer, once each: %s %j: %i", async (line, asked, status) => {
    const reply = await door.ask(line, asked);
    expect(reply.status).toBe(status);
    expectHeaders(reply);
  });

  it("stand on the answer to what never became a request", async () => {
    for (const bytes of [
      "HELLO\r\n\r\n",
      "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
      "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ]) {
      const reply = await raw(door.port, bytes);
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expectHeaders(reply);
    }
  });

  it("name the type of what is sent, and none where nothing is", async () => {
    const typeOf = async (line: string) => (await door.ask(line)).headers.get("content-type");
    expect(await typeOf("GET /v1/open")).toBe("application/json; charset=utf-8");
    expect(await typeOf("GET /v1/none")).toBe("application/problem+json");
    expect(await typeOf("GET /v1/nothing")).toBeUndefined();
    expect(await typeOf("OPTIONS /v1/open")).toBeUndefined();
  });

  it("are the same for HEAD as for GET", async () => {
    const plain = (reply: Reply): readonly string[] =>
      [...reply.headers]
        .filter(([name]) => !["date", "x-request-id", "ratelimit"].includes(name))
        .map((pair) => pair.join(": "));
    expect(plain(await door.ask("HEAD /v1/open"))).toEqual(plain(await door.ask("GET /v1/open")));
  });

  it("are not taken over from a request", async () => {
    const headers = {
      "Content-Security-Policy": "default-src *",
      "X-Frame-Options": "ALLOWALL",
      "Cache-Control": "public",
    };
    expectHeaders(await door.ask("GET /v1/open", { headers }));
  });
});

describe("security-headers on an answer that may be kept", () => {
  const cache = "public, max-age=60";
  const door = sharedDoor(() => {
    const test = testApi({
      credentials: [
        tokens,
        session({
          cookies: ["__Host-s"],
          resolve: (cookies) => (cookies["__Host-s"] === "a" ? { subject: "alice" } : null),
        }),
      ],
    });
    let fail = false;
    routeUntyped(test.api, { path: "GET /v1/kept", access, output: Ok, cache }, () => ({ ok: true }));
    routeUntyped(test.api, { path: "GET /v1/cookie", access, output: Ok, cache }, () =>
      answer({ ok: true }, { cookies: [{ name: "__Host-a", value: "1" }] }),
    );
    routeUntyped(test.api, { path: "GET /v1/sometimes", access, output: Ok, cache }, () => {
      fail = !fail;
      return fail ? boom() : { ok: true };
    });
    return test;
  });

  it("say so on a public GET and its HEAD only", async () => {
    expectHeaders(await door.ask("GET /v1/kept"), cache);
    expectHeaders(await door.ask("HEAD /v1/kept"), cache);
    expectHeaders(await door.ask("GET /v1/open"));
  });

  it("keep no refusal and no error", async () => {
    expectHeaders(await door.ask("GET /v1/kept?a=1"));
    expectHeaders(await door.ask("POST /v1/kept"));
    expectHeaders(await door.ask("GET /v1/sometimes"));
    expectHeaders(await door.ask("GET /v1/sometimes"), cache);
    expectHeaders(await door.ask("GET /v1/kept", { headers: { Authorization: "Bearer bad" } }));
  });

  it("keep nothing that is one caller's, or that carries a cookie", async () => {
    expectHeaders(await door.ask("GET /v1/kept", { as: "alice" }));
    expectHeaders(await door.ask("GET /v1/kept", { headers: { Cookie: "__Host-s=a" } }));
    expectHeaders(await door.ask("GET /v1/kept", { headers: { Cookie: "__Host-s=stale" } }));
    expectHeaders(await door.ask("GET /v1/cookie"));
  });

  it("are refused at the start where an answer is one caller's or changes something", () => {
    const problems = (path: string, who: unknown) => {
      const api = createApi({ name: "start", hosts: ["localhost"], credentials: [tokens] });
      routeUntyped(api, { path, access: who, output: Ok, cache });
      return api.problems().map((one) => one.field);
    };
    expect(problems("GET /v1/x", anyCaller)).toContain("cache");
    expect(problems("POST /v1/x", access)).toContain("cache");
    expect(problems("GET /v1/x", access)).toEqual([]);
  });
});

describe("security-headers where the way out itself breaks", () => {
  it("stand on the answer of last resort too", async () => {
    const test = testApi({}, (config) => createApiWith(config, { ...standardGates, corsHeaders: () => () => boom() }));
    const door = await openDoor(test);
    const reply = await door.ask("GET /v1/open");
    expect([reply.status, reply.code]).toEqual([500, "internal"]);
    expectHeaders(reply);
    expect(test.errors.map(String)).toEqual(["Error: boom"]);
    await door.close();
  });
});

function boom(): never {
  throw new Error("boom");
}
