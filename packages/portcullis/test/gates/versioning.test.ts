import { anyCaller, createApi, memorySink, nothing, publicAccess } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { TestApi } from "../front-door.ts";
import { noteIds, routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const Ok = z.strictObject({ ok: z.boolean() });
const Text = z.strictObject({ text: z.string().max(50) });

describe("versioning", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const say = (path: string, text: string): void =>
      routeUntyped(test.api, { path, access: publicAccess("x"), output: Text }, () => ({ text }));
    say("GET /v1/notes/latest", "the latest");
    say("GET /v1/files/latest", "the latest file");
    test.api.route(
      {
        path: "GET /v1/files/:name/raw",
        access: publicAccess("x"),
        input: { params: z.strictObject({ name: z.string().max(20) }) },
        objects: { name: { kind: "not-an-object", reason: "echoed" } },
        output: Text,
        limit: "1000/s",
      },
      ({ params }) => ({ text: params.name }),
    );
    return test;
  });

  it.each([
    "/",
    "/v1",
    "/v2/open",
    "/v1/none",
    "/v1/open/more",
    "/V1/open",
    "/v1/OPEN",
    "/v1/__proto__",
    "/v1/constructor",
    "/v1/toString",
    "/debug",
    "/metrics",
    "/openapi.json",
    "/.env",
    "/.git/config",
    "/index.js.map",
  ])("answers 404 where nobody declared anything: GET %s", async (path) => {
    const reply = await door.ask(`GET ${path}`);
    expect([reply.status, reply.code]).toEqual([404, "route-not-found"]);
  });

  it("says so to everybody alike, before it asks who is calling", async () => {
    const stranger = await door.ask("GET /v1/admin");
    const caller = await door.ask("GET /v1/admin", { as: "alice" });
    const liar = await door.ask("GET /v1/admin", { headers: { Authorization: "Bearer nonsense" } });
    expect([stranger.status, caller.status, liar.status]).toEqual([404, 404, 404]);
  });

  it("records what nobody declared, so that probing shows", async () => {
    const reply = await door.ask("GET /v1/admin/secrets");
    const entries = await door.recorded(reply);
    expect(entries).toContainEqual(
      expect.objectContaining({ type: "refused", protection: "versioning", code: "route-not-found" }),
    );
    expect(JSON.stringify(entries)).not.toContain("secrets");
  });

  it("names the path's own methods on 405", async () => {
    const allow = async (line: string): Promise<unknown> => {
      const reply = await door.ask(line);
      return [reply.status, reply.code, reply.headers.get("allow")];
    };
    expect(await allow("PUT /v1/open")).toEqual([405, "method-not-allowed", "GET, HEAD, OPTIONS"]);
    expect(await allow(`PATCH /v1/notes/${noteIds[0]}`)).toEqual([
      405,
      "method-not-allowed",
      "DELETE, GET, HEAD, OPTIONS",
    ]);
    expect(await allow("GET /v1/notes")).toEqual([405, "method-not-allowed", "OPTIONS, POST"]);
    expect(await allow("HEAD /v1/notes")).toEqual([405, undefined, "OPTIONS, POST"]);
  });

  it.each(["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "_method"])(
    "takes no other method from %s",
    async (name) => {
      const reply = await door.ask(`GET /v1/notes/${noteIds[0]}`, { as: "alice", headers: { [name]: "DELETE" } });
      expect(reply.status).toBe(200);
    },
  );

  it("takes no other path from a header", async () => {
    for (const name of ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"]) {
      const reply = await door.ask("GET /v1/none", { headers: { [name]: "/v1/open" } });
      expect(reply.status, name).toBe(404);
    }
  });

  it("prefers a literal segment, whole: its path has its own methods", async () => {
    expect((await door.ask("GET /v1/notes/latest")).json).toEqual({ text: "the latest" });
    expect((await door.ask("DELETE /v1/notes/latest", { as: "alice" })).code).toBe("method-not-allowed");
  });

  it("goes back to the value where a literal segment leads nowhere", async () => {
    expect((await door.ask("GET /v1/files/latest")).json).toEqual({ text: "the latest file" });
    expect((await door.ask("GET /v1/files/latest/raw")).json).toEqual({ text: "latest" });
    expect((await door.ask("GET /v1/files/other")).code).toBe("route-not-found");
  });

  it("runs HEAD as GET and sends no body", async () => {
    const head = await fetch(`${door.url}/v1/open`, { method: "HEAD" });
    expect([head.status, await head.text(), head.headers.get("content-length")]).toEqual([200, "", "11"]);
    const refused = await door.ask(`HEAD /v1/notes/${noteIds[0]}`);
    expect([refused.status, refused.body]).toEqual([401, ""]);
  });
});

describe("versioning at a sunset", () => {
  const sunset = Date.UTC(2027, 0, 1);
  let now = sunset - 1;
  const door = sharedDoor(() => {
    const test = testApi({ clock: { now: () => now, monotonic: () => performance.now() } });
    const route = (path: "GET /v1/old" | "GET /v1/gone", end: string): void =>
      test.api.route(
        {
          path,
          access: publicAccess("old"),
          output: Ok,
          deprecated: { since: "2026-01-01", sunset: end, link: "https://docs.example/v2" },
        },
        () => ({ ok: true }),
      );
    route("GET /v1/old", "2099-01-01");
    route("GET /v1/gone", "2026-02-01");
    test.api.route(
      {
        path: "GET /v1/ending",
        access: anyCaller,
        output: nothing,
        deprecated: { since: "2026-01-01", sunset: new Date(sunset) },
      },
      () => undefined,
    );
    return test;
  });

  it("answers with Deprecation and Sunset before the sunset and 410 after it", async () => {
    const old = await door.ask("GET /v1/old");
    expect(old.headers.get("deprecation")).toBe("@1767225600");
    expect(old.headers.get("sunset")).toBe("Thu, 01 Jan 2099 00:00:00 GMT");
    expect(old.headers.get("link")).toBe('<https://docs.example/v2>; rel="deprecation"');
    const gone = await door.ask("GET /v1/gone");
    expect([gone.status, gone.code]).toEqual([410, "route-gone"]);
  });

  it("ends a route at its very instant, whoever is calling", async () => {
    now = sunset - 1;
    expect((await door.ask("GET /v1/ending")).code).toBe("no-credential");
    now = sunset;
    expect((await door.ask("GET /v1/ending")).code).toBe("route-gone");
    expect((await door.ask("HEAD /v1/ending")).status).toBe(410);
  });
});

describe("versioning by a header", () => {
  const door = sharedDoor(() => {
    const sink = memorySink();
    const api = createApi({
      name: "versions",
      hosts: ["localhost"],
      credentials: [],
      version: { header: "Api-Version", default: "1" },
      audit: { sinks: [sink] },
      limits: { failures: "1000/s" },
    });
    for (const version of ["1", "2"]) {
      routeUntyped(api, { path: "GET /thing", version, access: publicAccess("x"), output: Text }, () => ({
        text: version,
      }));
    }
    routeUntyped(api, { path: "POST /thing", version: "2", access: publicAccess("x"), output: Text }, () => ({
      text: "2",
    }));
    const fixed = { none: "written down elsewhere" };
    routeUntyped(api, { path: "GET /token", version: fixed, access: publicAccess("x"), output: Text }, () => ({
      text: "always",
    }));
    const test: TestApi = { api, entries: sink.entries, errors: [], events: () => [] };
    return test;
  });
  const ask = (line: string, version: string | readonly string[], name = "api-version") =>
    door.ask(line, { headers: { [name]: version } });

  it("takes the named version, or the default where none is named", async () => {
    expect((await door.ask("GET /thing")).json).toEqual({ text: "1" });
    expect((await ask("GET /thing", "1")).json).toEqual({ text: "1" });
    expect((await ask("GET /thing", "2", "API-VERSION")).json).toEqual({ text: "2" });
  });

  it("has no version but those declared, for this method", async () => {
    for (const version of ["3", "", "01", "1.0", "2, 1", "latest", "__proto__"]) {
      expect((await ask("GET /thing", version)).code, version).toBe("route-not-found");
    }
    expect((await door.ask("POST /thing")).code).toBe("route-not-found");
    expect((await ask("POST /thing", "2")).status).toBe(200);
  });

  it("answers where a route has none, whatever version is asked for", async () => {
    expect((await door.ask("GET /token")).json).toEqual({ text: "always" });
    expect((await ask("GET /token", "2")).json).toEqual({ text: "always" });
    expect((await ask("POST /token", "2")).code).toBe("method-not-allowed");
  });

  it("refuses a version that is said twice or under another spelling", async () => {
    expect((await ask("GET /thing", ["1", "2"])).code).toBe("bad-header");
    expect((await door.ask("GET /thing", { headers: { "api-version": "1", api_version: "2" } })).code).toBe(
      "bad-header",
    );
  });

  it("writes every version into the manifest, with the header that selects it", () => {
    const selector = (version: string, required: boolean) => [
      { name: "api-version", in: "header", required, schema: { const: version } },
    ];
    const second = { operationId: "GET /thing", parameters: selector("2", true) };
    expect(door.api.manifest()).toMatchObject({
      "x-portcullis": { version: { header: "Api-Version", default: "1" } },
      paths: {
        "/thing": {
          get: { parameters: selector("1", false), "x-portcullis": { versions: [second] } },
          // Nothing answers POST without the header, so its only version says that it is required.
          post: { parameters: selector("2", true) },
        },
      },
    });
  });

  it("does not start where a route without a version hides one that has it", () => {
    const { api } = testApi({ version: { header: "api-version", default: "1" } });
    for (const version of ["1", { none: "one for all" }]) {
      routeUntyped(api, { path: "GET /thing", version, access: publicAccess("x"), output: Text }, () => ({ text: "" }));
    }
    expect(api.problems().filter(({ where }) => where === "GET /thing")).toMatchObject([{ field: "path" }]);
  });

  it("does not start with a route that names no version", () => {
    const test = testApi({ version: { header: "api-version", default: "1" } });
    expect(test.api.problems().some((one) => one.field === "version")).toBe(true);
  });
});
