import { anyCaller, answer, publicAccess, redirect } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Reply } from "../front-door.ts";
import { routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const access = publicAccess("the tests are sent on");

describe("output: redirects", () => {
  let next: () => unknown = () => "/v1/account";
  let asked: string[] = [];
  const door = sharedDoor(() => {
    const test = testApi();
    const route = (path: string, output: unknown, more: object = {}): void =>
      routeUntyped(test.api, { path, access, output, ...more }, () => next());
    const list = ["/v1/account", "/v1/oauth/*", "https://app.example/callback"];
    route("POST /v1/go", redirect(list));
    route("GET /v1/go", { 302: redirect(list) });
    route("GET /v1/mine", redirect(list), { access: anyCaller });
    const allows = async (url: URL): Promise<boolean> => {
      asked.push(url.href);
      if (url.hostname === "throws.example") throw new Error("the registry is down");
      if (url.hostname === "hangs.example") return await new Promise<boolean>(() => undefined);
      return url.href.startsWith("https://client.example/cb");
    };
    route("GET /v1/registered", redirect([{ reason: "redirect addresses of clients", allows }]), { timeoutMs: 500 });
    test.api.route(
      {
        path: "GET /v1/reflects",
        access,
        input: { query: z.strictObject({ to: z.string().max(200) }) },
        output: redirect(list),
      },
      ({ query }) => query.to,
    );
    return test;
  });
  const go = (line: string, value: () => unknown): Promise<Reply> => {
    next = value;
    asked = [];
    return door.ask(line);
  };

  it("sends on with 303, without a body, kept by nobody", async () => {
    const reply = await go("POST /v1/go", () => "/v1/account?welcome=1");
    expect([reply.status, reply.headers.get("location"), reply.body]).toEqual([303, "/v1/account?welcome=1", ""]);
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(reply.headers.has("content-type")).toBe(false);
    expect(reply.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(reply.headers.get("referrer-policy")).toBe("no-referrer");
  });

  it("sends on to addresses elsewhere that are listed, with 302 where a specification says so", async () => {
    const onward = "https://app.example/callback?code=a&iss=https%3A%2F%2Fid.example";
    const reply = await go("GET /v1/go", () => answer(onward, { status: 302 }));
    expect([reply.status, reply.headers.get("location")]).toEqual([302, onward]);
    expect((await go("GET /v1/go", () => onward)).status).toBe(302);
    const head = await go("HEAD /v1/go", () => onward);
    expect([head.status, head.headers.get("location"), head.body]).toEqual([302, onward, ""]);
  });

  it("carries cookies along", async () => {
    const cookies = [{ name: "__Host-state", value: "", maxAgeSeconds: 0 }];
    const reply = await go("POST /v1/go", () => answer("/v1/account", { cookies }));
    expect([reply.status, reply.headers.get("set-cookie")?.startsWith("__Host-state=;")]).toEqual([303, true]);
  });

  it.each([
    "//evil.example",
    "//evil.example/v1/oauth/x",
    "/\\evil.example",
    "/%5cevil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "https:evil.example",
    "https:///evil.example",
    "https://evil.example/callback",
    "https://app.example@evil.example/callback",
    "https://app.example.evil.example/callback",
    "HTTPS://app.example/callback",
    "https://app.example./callback",
    "http://app.example/callback",
    "javascript:alert(1)",
    "/v1/oauth/../account/delete",
    "/v1/oauth/%2e%2e/x",
    "https://\u0430pp.example/callback",
    "/v1/account\r\nset-cookie: a=b",
    "/v1/account\r\n\r\n<script>",
    "",
  ])("sends nobody to %j, whoever says so", async (target) => {
    const replies = [await go("POST /v1/go", () => target), await go("GET /v1/go", () => target)];
    if (/^[\x20-\x7e]+$/.test(target)) {
      replies.push(await go(`GET /v1/reflects?to=${encodeURIComponent(target)}`, () => undefined));
    }
    for (const reply of replies) {
      expect([reply.status, reply.code]).toEqual([500, "internal"]);
      expect([reply.headers.has("location"), reply.headers.has("set-cookie")]).toEqual([false, false]);
      expect(await door.recordedCode(reply)).toBe("undeclared-output");
      expect(reply.body).not.toContain("evil");
    }
  });

  it.each([
    ["nothing", () => undefined],
    ["a URL", () => new URL("https://app.example/callback")],
    ["a list", () => ["/v1/account"]],
    ["what says it is a text", () => ({ toString: (): string => "/v1/account", startsWith: () => true })],
    [
      "a location of the handler's beside it",
      () => answer("/v1/account", { headers: { location: "https://evil.example" } }),
    ],
    ["the same in capitals", () => answer("/v1/account", { headers: { LOCATION: "https://evil.example" } })],
    ["another status", () => answer("/v1/account", { status: 307 })],
    ["no redirect at all", () => answer("/v1/account", { status: 200 })],
  ])("answers 500 in place of a redirect: %s", async (_what, value) => {
    const reply = await go("POST /v1/go", value);
    expect([reply.status, reply.headers.has("location")]).toEqual([500, false]);
    expect(await door.recordedCode(reply)).toBe("undeclared-output");
  });

  it("sends on to an address that is registered, and asks about none that browsers might read otherwise", async () => {
    const good = await go("GET /v1/registered", () => "https://client.example/cb?code=1");
    expect([good.status, good.headers.get("location")]).toEqual([303, "https://client.example/cb?code=1"]);
    expect(asked).toEqual(["https://client.example/cb?code=1"]);
    expect((await go("GET /v1/registered", () => "https://evil.example/cb")).status).toBe(500);
    for (const target of [
      "//client.example/cb",
      "https:client.example/cb",
      "/cb",
      "https://client.example\\@evil/cb",
    ]) {
      expect((await go("GET /v1/registered", () => target)).status).toBe(500);
      expect(asked).toEqual([]);
    }
  });

  it("sends nobody on while it cannot be decided: a look-up that throws, or never answers", async () => {
    const down = await go("GET /v1/registered", () => "https://throws.example/");
    expect([down.status, down.headers.has("location")]).toEqual([500, false]);
    const late = await go("GET /v1/registered", () => "https://hangs.example/");
    expect([late.status, late.code, late.headers.has("location")]).toEqual([503, "handler-timeout", false]);
  });

  it("sends on only whom the route admits", async () => {
    expect((await go("GET /v1/mine", () => "/v1/account")).status).toBe(401);
  });
});
