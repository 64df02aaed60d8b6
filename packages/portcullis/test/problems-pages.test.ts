import type { ApiConfig } from "portcullis";
import { byRole, createApi, form, html, nothing, protocolError, publicAccess, redirect, session } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { routeUntyped } from "./front-door.ts";

const access = publicAccess("for the tests");
const Ok = z.strictObject({ ok: z.boolean() });
const Denied = z.strictObject({ error: z.enum(["access_denied"]) });
const short = z.string().max(20);

function problems(policy: Readonly<Record<string, unknown>>, change: Partial<ApiConfig> = {}): readonly string[] {
  const sessions = session({ cookies: ["__Host-session"], resolve: () => null });
  const api = createApi({ name: "start", hosts: ["localhost"], credentials: [sessions], ...change });
  routeUntyped(api, { path: "POST /v1/x", access, output: Ok, ...policy });
  return api.problems().map((one) => `${one.field}: ${one.problem}`);
}

describe("output: pages, redirects and refusals at the start", () => {
  it("lets start what says where to, by whom it is said, and nothing more", () => {
    const allows = () => true;
    for (const output of [
      html(),
      html({ style: "p { margin: 0 }", navigatesTo: ["/v1/in", "https://app.example/in"] }),
      redirect(["/v1/in", "/v1/oauth/*", "https://app.example/in", "com.example.app:/in", "http://127.0.0.1:8080/in"]),
      redirect([{ reason: "addresses that clients registered", allows }]),
      { 200: html(), 303: redirect(["/v1/in"]), 401: html() },
      { 302: redirect(["/v1/in"]) },
      { 200: Ok, 400: protocolError(Denied, "RFC 6749 section 5.2") },
      byRole({ admin: html(), otherwise: html({ style: "p {}" }) }),
    ]) {
      expect(problems({ output })).toEqual([]);
    }
  });

  const entries: readonly (readonly [string, unknown, string])[] = [
    ["a star", "*", "* is neither a path nor a whole address without a query"],
    ["hosts with a star", "https://*.example.com/", "https://*.example.com/ is neither a path nor"],
    ["paths elsewhere with a star", "https://app.example/*", "https://app.example/* is neither a path nor"],
    ["a star inside a path", "/v1/*/in", "/v1/*/in is no plain path"],
    ["another host in a path's clothes", "//evil.example/*", "//evil.example/* is no plain path"],
    ["a way up", "/v1/../in", "/v1/../in is no plain path"],
    ["plain http", "http://app.example/in", "http://app.example/in goes over plain http"],
    ["a script", "javascript:alert(1)", "javascript:alert(1) is an address no browser should be sent to"],
    ["a password", "https://user:pw@app.example/", "https://user:pw@app.example/ is an address no browser"],
    ["a host in capitals", "https://APP.example/in", "https://APP.example/in is read by browsers as"],
    ["a look-up without a reason", { reason: "", allows: () => true }, "an entry is a look-up without"],
    ["a look-up that cannot be asked", { reason: "x", allows: true }, "an entry is a look-up without"],
    ["nothing", undefined, "an entry is no address"],
  ];
  it.each(entries)("refuses a list that holds %s, of a redirect and of a page", (_what, entry, problem) => {
    const list = Reflect.apply(redirect, undefined, [[entry]]);
    expect(problems({ output: list })[0]).toContain(`output.303: ${problem}`);
    const page = Reflect.apply(html, undefined, [{ navigatesTo: [entry] }]);
    expect(problems({ output: page })[0]).toContain(`output.200: ${problem}`);
  });

  it("refuses a redirect to nowhere, with another status, or chosen by roles", () => {
    expect(problems({ output: redirect([]) })).toEqual(["output.303: sends browsers nowhere"]);
    for (const status of [200, 201, 204, 300, 301, 304, 307, 308, 400]) {
      expect(problems({ output: { [status]: redirect(["/v1/in"]) } })).toContain(
        `output.${status}: is no status of a redirect`,
      );
    }
    const chosen = Object.freeze({ kind: "by-role", roles: { otherwise: redirect(["/v1/in"]) } });
    expect(problems({ output: chosen })[0]).toBe(
      "output.200.otherwise: has a status of its own, which roles do not choose",
    );
    expect(problems({ output: { 303: Ok } })[0]).toMatch(/^output: 303 is no success/);
  });

  it("refuses a page that ends its own style sheet, is kept, or says no with a status that is a gate's", () => {
    for (const style of ["p {} </style><script>", "</STYLE >", "a::after { content: '</style' }"]) {
      expect(problems({ output: html({ style }) })).toEqual(["output.200: has a style sheet that ends early"]);
    }
    expect(problems({ path: "GET /v1/x", output: html(), cache: "public, max-age=60" })).toEqual([
      "cache: a page holds a nonce, which is good for one answer",
    ]);
    for (const status of [301, 405, 429, 500, 503]) {
      expect(problems({ output: { 200: Ok, [status]: html() } })[0], String(status)).toMatch(/^output/);
    }
    expect(problems({ output: { 200: nothing, 204: html() } })).toContain("output.204: is an answer that has no body");
  });

  it("refuses refusals without a reason, with a status that is a gate's, or in an open schema", () => {
    expect(problems({ output: { 200: Ok, 400: protocolError(Denied, " ") } })).toEqual([
      "output.400: has a shape of its own without a reason",
    ]);
    for (const status of [200, 303, 402, 405, 409, 429, 499, 500, 503]) {
      expect(problems({ output: { [status]: protocolError(Denied, "RFC 6749") } })).toContain(
        `output.${status}: is no refusal a handler declares`,
      );
    }
    expect(problems({ output: protocolError(Denied, "RFC 6749") })[0]).toMatch(/^output\.200: is no refusal/);
    const open = protocolError(z.looseObject({ error: short }), "RFC 6749");
    expect(problems({ output: { 200: Ok, 400: open } })[0]).toMatch(/^output\.400/);
  });

  it("refuses what only looks like one of them", () => {
    for (const output of [
      { kind: "html", navigatesTo: "/v1/in" },
      { kind: "redirect" },
      { kind: "redirect", allowlist: "/v1/in" },
      { kind: "html", navigatesTo: [], style: 1 },
      { kind: "protocol-error", reason: "RFC 6749" },
      { kind: "page" },
    ]) {
      expect(problems({ output })[0]).toMatch(/^output/);
    }
  });
});

describe("input: forms at the start", () => {
  it("takes a closed and bounded form of texts, numbers and booleans", () => {
    const body = form(z.strictObject({ name: short, age: z.int().min(0).max(150), agree: z.boolean().optional() }));
    expect(problems({ input: { body } })).toEqual([]);
  });

  it("refuses what a form cannot say: objects and lists", () => {
    const inside = z.strictObject({ city: short });
    expect(problems({ input: { body: form(z.strictObject({ address: inside })) } })).toEqual([
      "input.body/address/city: stands inside another value, which a form cannot say",
    ]);
    const listed = problems({ input: { body: form(z.strictObject({ tags: z.array(short).max(3) })) } });
    expect(listed[0]).toMatch(/stands inside another value/);
    for (const body of [form(z.array(short).max(3)), form(short), form(z.int().min(0).max(9))]) {
      expect(problems({ input: { body } })[0]).toBe("input.body: is no object, and a form is nothing else");
    }
    expect(problems({ input: { body: form(z.strictObject({})) } })).toEqual([]);
  });

  it("refuses an open form, one without bounds, on a GET, and where no body is", () => {
    expect(problems({ input: { body: form(z.looseObject({ name: short })) } })[0]).toMatch(/^input\.body/);
    expect(problems({ input: { body: form(z.strictObject({ name: z.string() })) } })[0]).toMatch(/^input\.body\/name/);
    const body = form(z.strictObject({ name: short }));
    expect(problems({ path: "GET /v1/x", input: { body } })).toEqual(["input.body: a GET has no body"]);
    expect(problems({ input: { query: body } })).toEqual(["input.query: is no body, and cannot come as a form"]);
    expect(problems({ input: { cookies: form(z.strictObject({ "__Host-a": short })) } })).toEqual([
      "input.cookies: is no body, and cannot come as a form",
    ]);
  });

  it("asks whose an id in a form is", () => {
    const body = form(z.strictObject({ projectId: z.uuid() }));
    expect(problems({ input: { body } })).toEqual(["objects: no rule consumes the id body.projectId"]);
  });
});
