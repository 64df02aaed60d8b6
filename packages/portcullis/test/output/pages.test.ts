import { anyCaller, answer, html, markup, nothing, publicAccess, redirect } from "portcullis";
import { parse, type DefaultTreeAdapterTypes } from "parse5";
import { describe, expect, it } from "vitest";
import type { Reply } from "../front-door.ts";
import { routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const access = publicAccess("the tests look at pages");
const page = { title: "Hello", body: markup`<h1>Hello</h1>` };

describe("output: pages", () => {
  let next: () => unknown = () => page;
  const door = sharedDoor(() => {
    const test = testApi();
    const route = (path: string, output: unknown, more: object = {}): void =>
      routeUntyped(test.api, { path, access, output, ...more }, () => next());
    route(
      "GET /v1/page",
      html({ style: "h1 { color: #123456 }", navigatesTo: ["/v1/next", "https://app.example/in"] }),
    );
    route("GET /v1/plain", html());
    route("POST /v1/either", { 200: html(), 303: redirect(["/v1/next"]), 204: nothing });
    route("GET /v1/mine", html(), { access: anyCaller });
    return test;
  });
  const get = (path: string, value: () => unknown = () => page): Promise<Reply> => {
    next = value;
    return door.ask(path.includes(" ") ? path : `GET ${path}`);
  };
  const policyOf = (reply: Reply): string => reply.headers.get("content-security-policy") ?? "";
  const nonceOf = (reply: Reply): string => /'nonce-([^']+)'/.exec(policyOf(reply))?.[1] ?? "";

  it("answers a whole document as UTF-8 HTML that nobody keeps, sniffs, frames or opens from elsewhere", async () => {
    const reply = await get("/v1/page");
    expect(reply.status).toBe(200);
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "content-length": String(Buffer.byteLength(reply.body)),
    });
    const all = elements(reply.body);
    expect(all.map(({ tagName }) => tagName)).toEqual(["html", "head", "meta", "meta", "title", "style", "body", "h1"]);
    expect(reply.body.startsWith("<!doctype html>")).toBe(true);
    expect(all[0]?.attrs).toEqual([{ name: "lang", value: "en" }]);
  });

  it("loads and runs nothing but its own style sheet, by a nonce that is new for every answer", async () => {
    const replies = await Promise.all([get("/v1/page"), get("/v1/page"), get("/v1/page")]);
    for (const reply of replies) {
      const nonce = nonceOf(reply);
      expect(nonce).toMatch(/^[A-Za-z0-9_-]{20,}$/);
      expect(policyOf(reply)).toBe(
        `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      );
      const style = elements(reply.body).find(({ tagName }) => tagName === "style");
      expect(style?.attrs).toEqual([{ name: "nonce", value: nonce }]);
      expect(nonce).not.toBe(reply.id);
    }
    expect(new Set(replies.map(nonceOf)).size).toBe(3);
  });

  it("allows no style where the route has none, and a script nowhere", async () => {
    const reply = await get("/v1/plain");
    expect(policyOf(reply)).toBe("default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    expect(policyOf(reply)).not.toMatch(/unsafe|script-src|\*/);
  });

  it("answers JSON and refusals under the stricter policy as before", async () => {
    for (const line of ["GET /v1/open", "GET /v1/nowhere", "POST /v1/page", "GET /v1/mine", "GET /v1/page?x=1"]) {
      const reply = await get(line);
      expect(policyOf(reply), line).toBe("default-src 'none'; frame-ancestors 'none'");
      expect([reply.headers.get("referrer-policy"), reply.headers.has("cross-origin-opener-policy")]).toEqual([
        "no-referrer",
        false,
      ]);
    }
    expect((await get("/v1/mine")).headers.get("content-type")).toBe("application/problem+json");
  });

  it("answers HEAD with the headers of the page and without it", async () => {
    const reply = await get("HEAD /v1/page");
    expect([reply.status, reply.body, reply.headers.get("content-type")]).toEqual([
      200,
      "",
      "text/html; charset=utf-8",
    ]);
    expect(nonceOf(reply)).not.toBe("");
  });

  it("escapes title and language, whatever they hold", async () => {
    const nasty = `</title><script>alert(1)</script>"'&`;
    const reply = await get("/v1/page", () => ({ ...page, title: nasty, lang: `de" onload="x` }));
    const all = elements(reply.body);
    expect(all.map(({ tagName }) => tagName)).not.toContain("script");
    expect(all[0]?.attrs).toEqual([{ name: "lang", value: `de" onload="x` }]);
    expect(textOf(all.find(({ tagName }) => tagName === "title"))).toBe(nasty);
  });

  it("goes on by itself only to what is on its list", async () => {
    for (const to of ["/v1/next", "/v1/next?a='b\"&c=1;url=x", "https://app.example/in?code=1"]) {
      const reply = await get("/v1/page", () => ({ ...page, navigateTo: to }));
      const [refresh] = elements(reply.body)
        .flatMap(({ tagName, attrs }) =>
          tagName === "meta" && attrs.some(({ value }) => value === "refresh") ? attrs : [],
        )
        .slice(1);
      expect(refresh, to).toEqual({ name: "content", value: `0;url=${to}` });
    }
    for (const to of [
      "//evil.example",
      "https://evil.example",
      "javascript:alert(1)",
      "/v1/next/../x",
      "",
      "/v1/next\n",
    ]) {
      const reply = await get("/v1/page", () => ({ ...page, navigateTo: to }));
      expect([reply.status, reply.code], to).toEqual([500, "internal"]);
      expect(await door.recordedCode(reply)).toBe("undeclared-output");
      expect(reply.body).not.toContain("evil");
    }
    expect((await get("/v1/plain", () => ({ ...page, navigateTo: "/v1/next" }))).status).toBe(500);
  });

  const wrong: readonly (readonly [string, () => unknown])[] = [
    ["a text", () => "<h1>Hello</h1>"],
    ["nothing", () => undefined],
    ["a body that is a text", () => ({ title: "x", body: "<h1>Hello</h1>" })],
    ["a body that only looks like markup", () => ({ title: "x", body: { toString: () => "<h1>Hello</h1>" } })],
    ["a body out of JSON", () => JSON.parse('{"title":"x","body":{"text":"<h1>Hello</h1>"}}')],
    ["no title", () => ({ body: page.body })],
    ["a title that is no text", () => ({ ...page, title: { toString: () => "<h1>" } })],
    ["a language that is no text", () => ({ ...page, lang: 1 })],
    ["an address that is no text", () => ({ ...page, navigateTo: new URL("https://app.example/in") })],
    ["bare markup", () => page.body],
  ];
  it.each(wrong)("answers 500 and lets nothing leave: %s", async (_what, value) => {
    const reply = await get("/v1/page", value);
    expect([reply.status, reply.code, reply.body.includes("Hello")]).toEqual([500, "internal", false]);
    expect(reply.headers.get("content-type")).toBe("application/problem+json");
    expect(await door.recordedCode(reply)).toBe("undeclared-output");
  });

  it("answers by status with a page, a redirect or nothing", async () => {
    expect((await get("POST /v1/either")).headers.get("content-type")).toBe("text/html; charset=utf-8");
    const onward = await get("POST /v1/either", () => answer("/v1/next", { status: 303 }));
    expect([onward.status, onward.headers.get("location"), onward.body]).toEqual([303, "/v1/next", ""]);
    const empty = await get("POST /v1/either", () => answer(undefined, { status: 204 }));
    expect([empty.status, empty.headers.has("content-type"), empty.headers.has("location")]).toEqual([
      204,
      false,
      false,
    ]);
    expect((await get("POST /v1/either", () => answer(page, { status: 303 }))).status).toBe(500);
    expect((await get("POST /v1/either", () => "/v1/next")).status).toBe(500);
  });

  it("sets cookies beside a page", async () => {
    const cookies = [{ name: "__Host-session", value: "x" }];
    const reply = await get("/v1/page", () => answer(page, { cookies }));
    expect(reply.headers.get("set-cookie")).toBe("__Host-session=x; Path=/; Secure; HttpOnly; SameSite=Strict");
  });
});

function elements(document: string): readonly DefaultTreeAdapterTypes.Element[] {
  const found: DefaultTreeAdapterTypes.Element[] = [];
  const walk = (nodes: readonly DefaultTreeAdapterTypes.ChildNode[]): void => {
    for (const node of nodes) {
      if (!("attrs" in node)) continue;
      found.push(node);
      walk(node.childNodes);
    }
  };
  walk(parse(document).childNodes);
  return found;
}

function textOf(element: DefaultTreeAdapterTypes.Element | undefined): string {
  return (element?.childNodes ?? []).map((node) => ("value" in node ? node.value : "")).join("");
}
