import { createApi, notAnObject, publicAccess, session } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Given, type Reply, routeUntyped, sharedDoor, testApi, tokens } from "../front-door.ts";

const State = z.strictObject({ "__Host-state": z.string().min(1).max(100), "__Host-step": z.int().optional() });

describe("input: cookies", () => {
  let given: Given | undefined;
  const door = sharedDoor(() => {
    const sessions = session({
      cookies: ["__Host-session"],
      resolve: (values) => (values["__Host-session"] === "alices" ? { subject: "alice" } : null),
    });
    const test = testApi({ origins: ["https://app.example"] }, (config) =>
      createApi({ ...config, credentials: [tokens, sessions] }),
    );
    const access = publicAccess("for the tests");
    const output = Object.freeze({ kind: "nothing" });
    for (const method of ["GET", "POST", "DELETE"]) {
      routeUntyped(test.api, { path: `${method} /v1/state`, access, input: { cookies: State }, output }, (one) => {
        given = one;
        return undefined;
      });
    }
    routeUntyped(test.api, { path: "POST /v1/none", access, output }, (one) => {
      given = one;
      return undefined;
    });
    return test;
  });
  const ask = (cookie: string | readonly string[], line = "GET /v1/state", headers: object = {}): Promise<Reply> => {
    given = undefined;
    return door.ask(line, { headers: { ...headers, Cookie: cookie } });
  };

  it("hands the handler the declared cookies and no others, as the schema reads them", async () => {
    expect((await ask("a=b; __Host-state=xyz; __Host-session=guess; __Host-step=2; c")).status).toBe(204);
    expect(given?.["cookies"]).toEqual({ "__Host-state": "xyz", "__Host-step": 2 });
    expect(JSON.stringify(given)).not.toContain("guess");
    await ask("__Host-state=xyz", "POST /v1/none");
    expect(JSON.stringify(given)).not.toContain("xyz");
  });

  it("reads it where the credential's own cookie proves the caller", async () => {
    expect((await ask("__Host-session=alices; __Host-state=xyz")).status).toBe(204);
    expect(given).toMatchObject({ cookies: { "__Host-state": "xyz" }, caller: { subject: "alice" } });
    expect(given?.["cookies"]).not.toHaveProperty("__Host-session");
  });

  it.each([
    ["a cookie twice", "__Host-state=a; __Host-state=b", "bad-header"],
    ["a cookie twice over two lines", ["__Host-state=a", "__Host-state=b"], "bad-header"],
    ["a name without a value", "__Host-state", "bad-header"],
    ["a blank before the sign", "__Host-state =a", "bad-header"],
    ["quotes", '__Host-state="a"', "bad-header"],
    ["a backslash", "__Host-state=a\\b", "bad-header"],
    ["a comma", "__Host-state=a,b", "bad-header"],
    ["too long a value", `__Host-state=${"a".repeat(4_097)}`, "bad-header"],
    ["a value over the schema's bound", `__Host-state=${"a".repeat(101)}`, "invalid-input"],
    ["no value", "__Host-state=", "invalid-input"],
    ["another spelling of the name", "__host-state=a", "invalid-input"],
    ["none", "a=b", "invalid-input"],
    ["a number in another spelling", "__Host-state=a; __Host-step=02", "invalid-input"],
  ])("refuses %s", async (_what, cookie, code) => {
    const reply = await ask(cookie);
    expect([reply.status, reply.code, given]).toEqual([400, code, undefined]);
  });

  it("names the place in the answer and keeps the value out of it and of the records", async () => {
    const reply = await ask(`__Host-state=${"s3cret".repeat(20)}`);
    expect(reply.json).toMatchObject({ errors: [{ pointer: "/cookies/__Host-state" }] });
    expect(reply.body).not.toContain("s3cret");
    expect(JSON.stringify(await door.recorded(reply))).not.toContain("s3cret");
  });

  it.each([
    [{ "Sec-Fetch-Site": "cross-site" }, 403],
    [{ "Sec-Fetch-Site": "same-site" }, 403],
    [{ Origin: "https://evil.example" }, 403],
    [{ Origin: "null" }, 403],
    [{ "Sec-Fetch-Site": "same-site", Origin: "https://app.example" }, 204],
    [{ "Sec-Fetch-Site": "same-origin" }, 204],
    [{ Origin: "http://localhost" }, 204],
    [{}, 204],
  ])("lets no other site's page write with it: %j is %i", async (headers, status) => {
    for (const method of ["POST", "DELETE"]) {
      const reply = await ask("__Host-state=a", `${method} /v1/state`, headers);
      expect([reply.status, reply.code]).toEqual([status, status === 403 ? "cross-site" : undefined]);
    }
    expect((await ask("__Host-state=a", "GET /v1/state", headers)).status).toBe(204);
  });
});

describe("input: cookies at the start", () => {
  const problems = (cookies: unknown, more: object = {}): readonly string[] => {
    const sessions = session({ cookies: ["__Host-session"], resolve: () => null });
    const api = createApi({ name: "start", hosts: ["localhost"], credentials: [sessions] });
    const output = Object.freeze({ kind: "nothing" });
    const access = publicAccess("for the tests");
    routeUntyped(api, { path: "GET /v1/x", access, output, input: { cookies }, ...more });
    return api.problems().map((one) => `${one.field}: ${one.problem}`);
  };
  const text = z.string().max(20);

  it("takes names a sibling host cannot set, none of a credential, in a closed and bounded schema", () => {
    expect(problems(z.strictObject({ "__Host-a": text }))).toEqual([]);
    expect(problems(z.strictObject({ a: text }))).toEqual(["input.cookies: a may be set by any sibling host"]);
    expect(problems(z.strictObject({ "__host-a": text }))[0]).toMatch(/may be set by any sibling host$/);
    expect(problems(z.strictObject({ "__Secure-a": text }))[0]).toMatch(/may be set by any sibling host$/);
    expect(problems(z.strictObject({ "__Host-session": text }))).toEqual([
      "input.cookies: hands the credential __Host-session to the handler",
    ]);
    expect(problems(z.looseObject({ "__Host-a": text }))[0]).toMatch(/^input\.cookies/);
    expect(problems(z.strictObject({ "__Host-a": z.string() }))[0]).toMatch(/^input\.cookies\/__Host-a/);
  });

  it("asks whose an id in a cookie is, and keeps no answer that a cookie decides", () => {
    const ids = z.strictObject({ "__Host-a": z.uuid() });
    expect(problems(ids)).toEqual(["objects: no rule consumes the id cookie.__Host-a"]);
    expect(problems(ids, { objects: { "cookie.__Host-a": notAnObject("a random name of a sign-in") } })).toEqual([]);
    expect(problems(z.strictObject({ "__Host-a": text }), { cache: "public, max-age=60" })).toEqual([
      "cache: an answer that a cookie decides may not be kept",
    ]);
  });
});
