import type { Credential } from "portcullis";
import {
  anyCaller,
  apiKeys,
  createApi,
  memoryKeyStore,
  memorySink,
  nothing,
  publicAccess,
  refuse,
  session,
} from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { RefusalCode } from "../../src/refusal.ts";
import { Refusal, refusals } from "../../src/refusal.ts";
import type { FrontDoor, TestApi } from "../front-door.ts";
import { openDoor, routeUntyped, testApi, tokens } from "../front-door.ts";

let door: FrontDoor | undefined;
afterEach(async () => {
  await door?.close();
  door = undefined;
});

async function open(test: TestApi): Promise<FrontDoor> {
  door = await openDoor(test);
  return door;
}

const access = publicAccess("the tests look at answers");

describe("errors: a 500 tells a stranger nothing of what broke", () => {
  const broken = Object.keys(refusals).filter((code): code is RefusalCode => code in refusals);

  it("every refusal of 500 is internal to him, and by its own code and reason in the event", async () => {
    const test = testApi();
    const internal = broken.filter((code) => refusals[code].status === 500);
    expect(internal.length).toBeGreaterThan(2);
    for (const code of internal) {
      test.api.route({ path: `GET /v1/breaks/${code}`, access, output: nothing, limit: "1000/s" }, () =>
        refuse(code, `private: ${code}`),
      );
    }
    const { ask, recorded } = await open(test);
    for (const code of internal) {
      const reply = await ask(`GET /v1/breaks/${code}`);
      expect([reply.status, reply.code]).toEqual([500, "internal"]);
      if (code !== "internal") expect(`${reply.head}${reply.body}`).not.toContain(`"${code}"`);
      const entries = await recorded(reply);
      expect(entries).toContainEqual(
        expect.objectContaining({ kind: "event", type: "refused", code, reason: `private: ${code}` }),
      );
      expect(entries).toContainEqual(expect.objectContaining({ kind: "call", code, status: 500 }));
    }
  });

  it("a field of the wrong type and one that throws look alike, also to the application's own members", async () => {
    const seen: unknown[] = [];
    const test = testApi({
      problem: {
        members: (problem) => {
          seen.push(problem.code);
          return {};
        },
      },
    });
    const output = z.strictObject({ ok: z.boolean() });
    routeUntyped(test.api, { path: "GET /v1/wrong", access, output }, () => ({ ok: "SELECT" }));
    routeUntyped(test.api, { path: "GET /v1/throws", access, output }, () => {
      throw new Error("boom");
    });
    const { ask } = await open(test);
    const [wrong, throws] = [await ask("GET /v1/wrong"), await ask("GET /v1/throws")];
    expect(wrong.said).toBe(throws.said);
    expect(seen).toEqual(["internal", "internal"]);
  });
});

describe("authentication: every 401 says how to prove oneself here, and nothing that is not taken", () => {
  const browsers = session({ cookies: ["__Host-session"], resolve: () => null });
  const keys = apiKeys({ prefix: "prj", store: memoryKeyStore(), header: "x-api-key" });
  const bearer = 'Bearer realm="notes"';
  const apiKey = 'ApiKey realm="notes"';
  const cookie = 'Session realm="notes"';
  const kinds: readonly (readonly [string, readonly Credential[], string])[] = [
    ["tokens", [tokens], bearer],
    ["keys in a header of their own", [keys], apiKey],
    ["sessions", [browsers], cookie],
    ["all of them", [tokens, keys, browsers], `${bearer}, ${apiKey}, ${cookie}`],
    ["keys where tokens are", [tokens, apiKeys({ prefix: "prj", store: memoryKeyStore() })], bearer],
  ];
  it.each(kinds)("an API that takes %s", async (_what, credentials, challenge) => {
    const test = testApi({ credentials });
    test.api.route({ path: "GET /v1/mine", access: anyCaller, output: nothing }, () => undefined);
    const { ask } = await open(test);
    const reply = await ask("GET /v1/mine");
    expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([401, challenge]);
  });

  it("does not ask for a Bearer token where none is taken, whatever was sent", async () => {
    const test = testApi({ credentials: [keys, browsers] });
    test.api.route({ path: "GET /v1/mine", access: anyCaller, output: nothing }, () => undefined);
    test.api.route(
      { path: "GET /v1/scoped", access: { scopes: ["x"] }, output: nothing, limit: "1000/s" },
      () => undefined,
    );
    const { ask } = await open(test);
    const sent: readonly Readonly<Record<string, string>>[] = [
      { authorization: "Bearer something" },
      { authorization: "Basic YTpi" },
      { "x-api-key": "prj_live_nonsense" },
      { cookie: "__Host-session=nobodys" },
    ];
    for (const headers of sent) {
      const reply = await ask("GET /v1/mine", { headers });
      expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([401, `${apiKey}, ${cookie}`]);
    }
  });

  it("a caller with a cookie who lacks a scope is not told to fetch a Bearer token", async () => {
    const signedIn = session({ cookies: ["__Host-session"], resolve: () => ({ subject: "carol" }) });
    const test = testApi({ credentials: [tokens, signedIn] });
    test.api.route({ path: "GET /v1/scoped", access: { scopes: ["x"] }, output: nothing }, () => undefined);
    const { ask } = await open(test);
    const reply = await ask("GET /v1/scoped", { headers: { cookie: "__Host-session=carols" } });
    expect([reply.status, reply.code, reply.headers.has("www-authenticate")]).toEqual([403, "scope-missing", false]);
    const token = await ask("GET /v1/scoped", { as: "alice" });
    expect(token.headers.get("www-authenticate")).toBe('Bearer error="insufficient_scope", scope="x"');
  });

  it("a handler's own 401 too, on an API that takes nothing yet", async () => {
    const api = createApi({ name: "notes", hosts: ["localhost"], credentials: [], audit: { sinks: [memorySink()] } });
    api.route({ path: "GET /v1/in", access, output: nothing }, () => refuse("sign-in-failed", "wrong"));
    const { ask } = await open({ api, entries: [], errors: [], events: () => [] });
    const reply = await ask("GET /v1/in");
    expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([401, cookie]);
  });

  it("a name with quotes or letters no header has is still one challenge", async () => {
    const test = testApi({ name: 'the "best" \\ notes €' });
    const { ask } = await open(test);
    const reply = await ask("GET /v1/notes/11111111-1111-4111-8111-111111111111");
    expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([
      401,
      String.raw`Bearer realm="the \"best\" \\ notes ?"`,
    ]);
  });
});

describe("cors: what every answer says of Origin", () => {
  it("an API without origins varies by it too, so that no cache outlives the first one that is listed", async () => {
    const { ask } = await open(testApi());
    for (const line of ["GET /v1/open", "GET /v1/none", "OPTIONS /v1/open", "GET //"]) {
      expect((await ask(line)).headers.get("vary"), line).toBe("Origin");
    }
  });

  const modes = [
    ["draft", "ratelimit, ratelimit-policy"],
    ["legacy", "x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"],
    ["both", "ratelimit, ratelimit-policy, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"],
    ["none", ""],
  ] as const;
  it.each(modes)("a page may read the limits as they are sent: %s", async (rateLimitHeaders, names) => {
    const { ask } = await open(testApi({ rateLimitHeaders, origins: ["https://app.example.com"] }));
    const reply = await ask("GET /v1/open", { headers: { origin: "https://app.example.com" } });
    const exposed = reply.headers.get("access-control-expose-headers") ?? "";
    expect(exposed).toBe(["x-request-id, retry-after", names].filter((part) => part !== "").join(", "));
    for (const name of reply.headers.keys()) {
      if (name.includes("ratelimit")) expect(exposed.split(", ")).toContain(name);
    }
  });
});

describe("security-headers: the last resort has what every other answer has", () => {
  /** A 500 that is made of constants, because the answer cannot be sent. */
  function unsendable(): TestApi {
    const own: Credential = {
      ...tokens,
      carrier: { in: "header", header: "x-own" },
      build: () => ({
        recognises: () => true,
        cached: () => undefined,
        verify: () => new Refusal("bad-credential", "no", { headers: ["www-authenticate", 'Own realm="10 €"'] }),
      }),
    };
    return testApi({
      hosts: ["localhost", "api.example.com", "other.example.com:8443"],
      proxies: { trusted: ["127.0.0.1"], header: "x-forwarded-for" },
      credentials: [own],
    });
  }

  it.each([
    ["api.example.com", "https", true],
    ["API.example.com:443", "https", true],
    ["other.example.com:8443", "https", true],
    ["localhost", "https", false],
  ])("for %s over %s", async (host, scheme, hasHsts) => {
    const { ask } = await open(unsendable());
    const headers = { host, "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": scheme };
    const usual = await ask("GET /v1/none", { headers });
    const last = await ask("GET /v1/open", { headers: { ...headers, "x-own": "x" } });
    expect([usual.status, last.status]).toEqual([404, 500]);
    expect(usual.headers.has("strict-transport-security")).toBe(hasHsts);
    for (const [name, value] of usual.headers) {
      if (["date", "content-length", "connection", "keep-alive", "x-request-id"].includes(name)) continue;
      if (name.startsWith("ratelimit")) continue;
      expect(last.headers.get(name), name).toBe(value);
    }
  });
});
