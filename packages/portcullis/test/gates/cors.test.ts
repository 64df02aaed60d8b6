import { anyCaller, apiKeys, createApi, memoryKeyStore, memorySink, nothing, publicAccess, session } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { routeUntyped, sharedDoor, testApi, tokens } from "../front-door.ts";
import type { Reply } from "../front-door.ts";

const app = "https://app.example";

function corsHeaders(reply: Reply): readonly string[] {
  return [...reply.headers.keys()].filter((name) => name.startsWith("access-control"));
}

describe("cors where headers decide", () => {
  const door = sharedDoor(() => {
    const sink = memorySink();
    const api = createApi({
      name: "versions",
      hosts: ["localhost"],
      origins: [app],
      credentials: [],
      version: { header: "Api-Version", default: "1" },
      audit: { sinks: [sink] },
    });
    const headers = z.strictObject({ "x-language": z.enum(["en", "de"]).optional() });
    const policy = { access: publicAccess("read by pages"), output: z.strictObject({ text: z.string().max(9) }) };
    const kept = { ...policy, cache: "public, max-age=60" };
    routeUntyped(api, { ...kept, path: "GET /thing", version: "1", input: { headers } }, () => ({ text: "one" }));
    routeUntyped(api, { ...kept, path: "GET /thing", version: "2" }, () => ({ text: "two" }));
    routeUntyped(api, { ...policy, path: "GET /new", version: "2" }, () => ({ text: "new" }));
    return { api, entries: sink.entries, errors: [], events: () => [] };
  });

  it.each(["api-version", "x-language", "api-version,x-language"])(
    "lets a page send what is read: %s",
    async (asked) => {
      const reply = await door.ask("OPTIONS /thing", {
        headers: { Origin: app, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": asked },
      });
      const allowed = reply.headers.get("access-control-allow-headers")?.split(", ") ?? [];
      expect([reply.status, asked.split(",").filter((name) => !allowed.includes(name))]).toEqual([204, []]);
    },
  );

  it("tells caches what decides an answer they may keep, so that nobody gets another version's", async () => {
    const vary = async (line: string, version: string): Promise<unknown> => {
      const reply = await door.ask(line, { headers: { "Api-Version": version } });
      return [reply.status, reply.headers.get("cache-control"), reply.headers.get("vary")];
    };
    expect(await vary("GET /thing", "1")).toEqual([200, "public, max-age=60", "Origin, api-version, x-language"]);
    expect(await vary("GET /thing", "2")).toEqual([200, "public, max-age=60", "Origin, api-version"]);
    expect(await vary("GET /new", "2")).toEqual([200, "no-store", "Origin"]);
    expect(await vary("GET /thing", "3")).toEqual([404, "no-store", "Origin"]);
  });
});

describe("cors", () => {
  const door = sharedDoor(() => {
    const sessions = session({ cookies: ["__Host-session"], resolve: () => null });
    const test = testApi({ origins: [app, "https://second.example:8443"], credentials: [tokens, sessions] });
    test.api.route({ path: "POST /v1/writes", access: anyCaller, output: nothing, limit: "1000/s" }, () => undefined);
    test.api.route({ path: "GET /v1/throws", access: publicAccess("throws"), output: nothing, limit: "1000/s" }, () => {
      throw new Error("boom");
    });
    return test;
  });
  const preflight = (origin: string, method: string, headers: Readonly<Record<string, string>> = {}) =>
    door.ask("OPTIONS /v1/writes", {
      headers: { Origin: origin, "Access-Control-Request-Method": method, ...headers },
    });

  it("names a configured origin, with Vary, and lets cookies along", async () => {
    const reply = await door.ask("GET /v1/open", { headers: { Origin: app } });
    expect(reply.headers.get("access-control-allow-origin")).toBe(app);
    expect(reply.headers.get("access-control-allow-credentials")).toBe("true");
    expect(reply.headers.get("vary")).toBe("Origin");
    const second = await door.ask("GET /v1/open", { headers: { Origin: "https://second.example:8443" } });
    expect(second.headers.get("access-control-allow-origin")).toBe("https://second.example:8443");
  });

  it.each([
    "https://evil.example",
    "null",
    "",
    "*",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "http://app.example",
    "https://app.example:444",
    "https://app.example:443",
    "https://app.example/",
    "https://APP.example",
    "https://sub.app.example",
    "https://app.example_.evil.example",
    "https://app.example, https://evil.example",
    "https://second.example",
    "__proto__",
    "constructor",
  ])("names no other origin: %s", async (origin) => {
    const reply = await door.ask("GET /v1/open", { headers: { Origin: origin } });
    expect(corsHeaders(reply)).toEqual([]);
    expect(reply.headers.get("vary")).toBe("Origin");
    expect(reply.status).toBe(200);
  });

  it("varies by Origin where none was sent, so that no cache hands the answer to a browser", async () => {
    const reply = await door.ask("GET /v1/open");
    expect([reply.headers.get("vary"), corsHeaders(reply)]).toEqual(["Origin", []]);
  });

  it("refuses two Origins instead of choosing one", async () => {
    const reply = await door.ask("GET /v1/open", { headers: { Origin: [app, "https://evil.example"] } });
    expect([reply.status, corsHeaders(reply)]).toEqual([400, []]);
  });

  it("tells a refusal apart from nothing: every status carries the CORS headers", async () => {
    const headers = { Origin: app };
    const cases = [
      ["GET /v1/notes/11111111-1111-4111-8111-111111111111", 401],
      ["GET /v1/none", 404],
      ["PUT /v1/open", 405],
      ["GET /v1/open?nobody=declared", 400],
      ["GET /v1/throws", 500],
    ] as const;
    for (const [line, status] of cases) {
      const reply = await door.ask(line, { headers });
      expect([reply.status, reply.headers.get("access-control-allow-origin"), reply.headers.get("vary")], line).toEqual(
        [status, app, "Origin"],
      );
    }
  });

  it("lets a page read the request id and the limits, and no other header", async () => {
    const reply = await door.ask("GET /v1/open", { headers: { Origin: app } });
    expect(reply.headers.get("access-control-expose-headers")).toBe(
      "x-request-id, retry-after, ratelimit, ratelimit-policy",
    );
  });

  it("answers a preflight from the path's own methods and refuses other origins, methods and headers", async () => {
    const granted = await preflight(app, "POST", { "Access-Control-Request-Headers": "authorization, content-type" });
    expect(granted.status).toBe(204);
    expect(granted.headers.get("access-control-allow-origin")).toBe(app);
    expect(granted.headers.get("access-control-allow-methods")).toBe("OPTIONS, POST");
    expect(granted.headers.get("access-control-max-age")).toBe("7200");
    expect((await preflight("https://evil.example", "POST")).status).toBe(403);
    expect((await preflight("null", "POST")).status).toBe(403);
    expect((await preflight(`${app}.evil.example`, "POST")).status).toBe(403);
    expect((await preflight(`${app}:8443`, "POST")).status).toBe(403);
    expect((await preflight(app, "DELETE")).status).toBe(403);
    expect((await preflight(app, "post")).status).toBe(403);
    expect((await preflight(app, "*")).status).toBe(403);
    expect((await preflight(app, "POST", { "Access-Control-Request-Headers": "x-evil" })).status).toBe(403);
    expect((await preflight(app, "POST", { "Access-Control-Request-Headers": "*" })).status).toBe(403);
  });

  it("reads the header names of a preflight without regard to case and blanks", async () => {
    const headers = { "Access-Control-Request-Headers": "Authorization,,  CONTENT-TYPE ,if-match" };
    expect((await preflight(app, "POST", headers)).status).toBe(204);
  });

  it("gives a refused preflight no header that a browser could take for a yes", async () => {
    expect(corsHeaders(await preflight("https://evil.example", "POST"))).toEqual([]);
    const method = await preflight(app, "DELETE");
    expect(method.headers.has("access-control-allow-methods")).toBe(false);
  });

  it("answers a preflight before any credential is looked at, as browsers send none", async () => {
    const reply = await preflight(app, "POST", { Authorization: "Bearer nonsense" });
    expect(reply.status).toBe(204);
  });

  it("does not answer for a path that is not there", async () => {
    const headers = { Origin: app, "Access-Control-Request-Method": "GET" };
    expect((await door.ask("OPTIONS /v1/none", { headers })).status).toBe(404);
  });

  it("answers an OPTIONS that is no preflight with Allow alone", async () => {
    const reply = await door.ask("OPTIONS /v1/open");
    expect([reply.status, reply.headers.get("allow"), reply.body]).toEqual([204, "GET, HEAD, OPTIONS", ""]);
  });

  it("asks for no private network on anybody's behalf", async () => {
    const reply = await preflight(app, "POST", { "Access-Control-Request-Private-Network": "true" });
    expect(reply.headers.has("access-control-allow-private-network")).toBe(false);
  });
});

describe("cors without cookies", () => {
  const door = sharedDoor(() =>
    testApi({
      origins: [app],
      credentials: [tokens, apiKeys({ prefix: "prj", store: memoryKeyStore(), header: "X-Api-Key" })],
    }),
  );

  it("lets no credentials along that the browser would add by itself", async () => {
    const reply = await door.ask("GET /v1/open", { headers: { Origin: app } });
    expect(reply.headers.get("access-control-allow-origin")).toBe(app);
    expect(reply.headers.has("access-control-allow-credentials")).toBe(false);
  });

  it("lets a page send the header the API's keys travel in", async () => {
    const reply = await door.ask("OPTIONS /v1/open", {
      headers: {
        Origin: app,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-api-key",
      },
    });
    expect(reply.status).toBe(204);
    expect(reply.headers.get("access-control-allow-headers")).toContain("x-api-key");
  });
});

describe("cors without origins", () => {
  const door = sharedDoor(() => testApi());

  it("names nobody and refuses every preflight", async () => {
    expect(corsHeaders(await door.ask("GET /v1/open", { headers: { Origin: app } }))).toEqual([]);
    const headers = { Origin: app, "Access-Control-Request-Method": "GET" };
    const reply = await door.ask("OPTIONS /v1/open", { headers });
    expect([reply.status, reply.code, corsHeaders(reply)]).toEqual([403, "preflight-refused", []]);
  });
});
