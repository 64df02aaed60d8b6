import { answer, anyCaller, form, notAnObject, protocolError, publicAccess, unowned } from "portcullis";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Asked, type Given, type Reply, routeUntyped, sharedDoor, testApi } from "../front-door.ts";

const urlencoded = { "Content-Type": "application/x-www-form-urlencoded" };
const Fields = z.strictObject({
  name: z.string().max(2_000),
  note: z.string().max(200).optional(),
  age: z.int().min(0).max(150).optional(),
  agree: z.boolean().optional(),
});

describe("input: forms", () => {
  let given: unknown;
  const door = sharedDoor(() => {
    const test = testApi({ body: { maxBytes: 4_000 } });
    const keep = (one: Given): undefined => {
      given = one["body"];
      return undefined;
    };
    const access = publicAccess("everybody may write");
    const output = { 204: Object.freeze({ kind: "nothing" }) };
    routeUntyped(test.api, { path: "POST /v1/form", access, input: { body: form(Fields) }, output }, keep);
    routeUntyped(test.api, { path: "PATCH /v1/form", access, input: { body: form(Fields) }, output }, keep);
    routeUntyped(test.api, { path: "POST /v1/json", access, input: { body: Fields }, output }, keep);
    test.api.route(
      {
        path: "POST /v1/typed",
        access: anyCaller,
        input: { body: form(z.strictObject({ clientId: z.string().max(20), times: z.int().min(1).max(9) })) },
        objects: { "body.clientId": notAnObject("the name of a client, public") },
        output: unowned(z.strictObject({ clientId: z.string(), times: z.int() }), "echo of the test"),
      },
      ({ body }) => ({ clientId: body.clientId, times: body.times }),
    );
    return test;
  });
  const send = (body: string, more: Asked = {}, line = "POST /v1/form"): Promise<Reply> => {
    given = undefined;
    return door.ask(line, { body, ...more, headers: { ...urlencoded, ...more.headers } });
  };

  const good: readonly (readonly [string, string, unknown])[] = [
    ["a text", "name=Alice", { name: "Alice" }],
    ["blanks as + and as %20", "name=Alice+B%20C", { name: "Alice B C" }],
    ["a plus that was escaped", "name=1%2B1", { name: "1+1" }],
    ["what is not ASCII, escaped", "name=%C3%A9%F0%9F%98%80", { name: "é😀" }],
    ["signs with a meaning, escaped", "name=a%26b%3Dc%3Bd", { name: "a&b=c;d" }],
    ["an equals sign in a value", "name=a=b", { name: "a=b" }],
    ["lines of a text area", "name=a%0D%0Ab%09c", { name: "a\r\nb\tc" }],
    ["nothing filled in", "name=&note=", { name: "", note: "" }],
    ["numbers and booleans", "name=a&age=42&agree=true", { name: "a", age: 42, agree: true }],
    ["false", "name=a&agree=false", { name: "a", agree: false }],
  ];
  it.each(good)("takes %s", async (_what, body, value) => {
    expect((await send(body)).status).toBe(204);
    expect(given).toEqual(value);
    expect((await send(body, {}, "PATCH /v1/form")).status).toBe(204);
  });

  it("takes whatever a browser's form sends, as it was typed", async () => {
    const typed = fc
      .string({ unit: "grapheme", maxLength: 60 })
      .map((text) => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "\r\n"));
    await fc.assert(
      fc.asyncProperty(typed, typed, async (name, note) => {
        expect((await send(new URLSearchParams({ name, note }).toString())).status).toBe(204);
        expect(given).toEqual({ name, note });
      }),
      { seed: 20_261_122, numRuns: 60 },
    );
  });

  const bad: readonly (readonly [string, string, string])[] = [
    ["a name twice", "name=a&name=b", "bad-body"],
    ["a name twice, once escaped", "name=a&n%61me=b", "bad-body"],
    ["a list in PHP's way", "name[]=a&name[]=b", "bad-body"],
    ["an object in PHP's way", "name[first]=a", "bad-body"],
    ["the same escaped", "name%5Bfirst%5D=a", "bad-body"],
    ["a name of a prototype", "name=a&__proto__=x", "bad-body"],
    ["the same escaped", "name=a&%5F_proto__=x", "bad-body"],
    ["a constructor", "name=a&constructor=x", "bad-body"],
    ["a value without a name", "=a", "bad-body"],
    ["a semicolon between", "name=a;agree=true", "bad-body"],
    ["half an escape", "name=%2", "bad-body"],
    ["an escape of nothing", "name=%zz", "bad-body"],
    ["escapes that are no UTF-8", "name=%FF", "bad-body"],
    ["escapes longer than they may be", "name=%C0%AF", "bad-body"],
    ["half a pair", "name=%ED%A0%80", "bad-body"],
    ["NUL", "name=a%00b", "bad-body"],
    ["an escape sequence", "name=%1B[2J", "bad-body"],
    ["a line break in a name", "na%0Ame=a", "bad-body"],
    ["letters beyond ASCII as they are", "name=é", "bad-body"],
    ["a line break as it is", "name=a\nb", "bad-body"],
    ["a blank as it is", "name=a b", "bad-body"],
    ["JSON", '{"name":"a"}', "invalid-input"],
    ["more pairs than anybody writes", Array.from({ length: 101 }, (_, i) => `n${i}=`).join("&"), "bad-body"],
    ["a name nobody declared", "name=a&isAdmin=true", "invalid-input"],
    ["the charset as a field", "name=a&_charset_=utf-8", "invalid-input"],
    ["nothing", "", "invalid-input"],
    ["a number in another spelling", "name=a&age=0x2a", "invalid-input"],
    ["a number with a blank", "name=a&age=+42", "invalid-input"],
    ["a number with an exponent", "name=a&age=1e1", "invalid-input"],
    ["a number that is empty", "name=a&age=", "invalid-input"],
    ["a box that says on", "name=a&agree=on", "invalid-input"],
    ["a box that says TRUE", "name=a&agree=TRUE", "invalid-input"],
    ["too long a text", `name=${"a".repeat(2_001)}`, "invalid-input"],
  ];
  it.each(bad)("refuses %s", async (_what, body, code) => {
    const reply = await send(body);
    expect([reply.status, reply.code, given]).toEqual([400, code, undefined]);
  });

  it.each([
    ["application/json"],
    ["text/plain"],
    ["multipart/form-data; boundary=x"],
    ["application/x-www-form-urlencoded; charset=iso-8859-1"],
    ["application/x-www-form-urlencoded; charset=utf-16"],
    ["application/x-www-form-urlencoded; charset=utf-8; charset=utf-7"],
    ["application/x-www-form-urlencoded, application/json"],
    ["application/x-www-form-urlencoded;x=y"],
    ["application/x-www-form-urlencode"],
    [""],
  ])("refuses a form that is said to be %j, and says what it takes", async (type) => {
    const reply = await send("name=a", { headers: { "Content-Type": type } });
    expect([reply.status, reply.code, given]).toEqual([415, "media-type", undefined]);
    expect(reply.headers.get("accept-post")).toBe("application/x-www-form-urlencoded");
    const patch = await send("name=a", { headers: { "Content-Type": type } }, "PATCH /v1/form");
    expect(patch.headers.get("accept-patch")).toBe("application/x-www-form-urlencoded");
  });

  it("takes the type in any case, with the one charset there is", async () => {
    for (const type of ["APPLICATION/X-WWW-Form-URLencoded", "application/x-www-form-urlencoded; charset=UTF-8"]) {
      expect((await send("name=a", { headers: { "Content-Type": type } })).status, type).toBe(204);
    }
  });

  it("refuses JSON at a form and a form at JSON, so that no other site's page can send what a script may not", async () => {
    const json = await door.ask("POST /v1/form", { json: { name: "a" } });
    expect([json.status, json.code]).toEqual([415, "media-type"]);
    const formed = await send("name=a", {}, "POST /v1/json");
    expect([formed.status, formed.code, formed.headers.get("accept-post")]).toEqual([
      415,
      "media-type",
      "application/json",
    ]);
  });

  it("counts the bytes of a form as of any body", async () => {
    expect((await send(`name=${"a".repeat(4_000)}`)).status).toBe(413);
    const chunked = `3e8\r\n${"a".repeat(1_000)}\r\n`.repeat(5);
    const headers = { ...urlencoded, "Transfer-Encoding": "chunked" };
    const reply = await door.ask("POST /v1/form", { body: `5\r\nname=\r\n${chunked}0\r\n\r\n`, headers });
    expect(reply.status).toBe(413);
    expect((await send("name=a", { headers: { "Content-Encoding": "gzip" } })).status).toBe(415);
  });

  it("gives the handler what the schema made of it, and asks who an id is", async () => {
    const reply = await send("clientId=web&times=3", { as: "alice" }, "POST /v1/typed");
    expect([reply.status, reply.json]).toEqual([200, { clientId: "web", times: 3 }]);
  });

  it("tells where a form was wrong and records nothing that was sent", async () => {
    const reply = await send("name=a&age=hunter2");
    expect(reply.json).toMatchObject({ errors: [{ pointer: "/body/age" }] });
    expect(JSON.stringify(await door.recorded(reply))).not.toContain("hunter2");
  });
});

describe("input: a form with two fields in Authorization: Basic", () => {
  let given: unknown;
  const basic = { user: "client_id", password: "client_secret" } as const;
  const Client = z.strictObject({
    client_id: z.string().max(50).optional(),
    client_secret: z.string().max(50).optional(),
    note: z.string().max(50).optional(),
  });
  const objects = { "body.client_id": notAnObject("the name of a client, public") };
  const access = publicAccess("the handler proves them");
  const door = sharedDoor(() => {
    const test = testApi();
    const output = { 204: Object.freeze({ kind: "nothing" }), 401: protocolError(z.strictObject({}), "RFC 6749") };
    const keep = ({ body }: Given) => {
      given = body;
      return Reflect.get(Object(body), "client_secret") === "wrong" ? answer({}, { status: 401 }) : undefined;
    };
    const policy = { path: "POST /v1/token", access, input: { body: form(Client, { basic }) }, objects, output };
    routeUntyped(test.api, policy, keep);
    const without = { path: "POST /v1/form", access, input: { body: form(Client) }, objects, output };
    routeUntyped(test.api, without, keep);
    return test;
  });
  const send = (authorization: string, body = "note=x", line = "POST /v1/token"): Promise<Reply> => {
    given = undefined;
    return door.ask(line, { body, headers: { ...urlencoded, Authorization: authorization } });
  };
  const encoded = (text: string) => `Basic ${btoa(text)}`;

  it.each([
    ["a:b", "a", "b"],
    ["a%3Ab:c%3Ad", "a:b", "c:d"],
    ["a+b:c%20d%2B", "a b", "c d+"],
    ["%C3%A9:%F0%9F%98%80", "é", "😀"],
    ["a:b:c", "a", "b:c"],
    ["a:b=/c==", "a", "b=/c=="],
  ])("reads %s as OAuth has it", async (text, client_id, client_secret) => {
    expect((await send(encoded(text))).status).toBe(204);
    expect(given).toEqual({ client_id, client_secret, note: "x" });
    expect((await send(`basic ${btoa(text)}`, `client_id=${encodeURIComponent(client_id)}`)).status).toBe(204);
  });

  it.each([
    "Basic",
    "Basic ",
    "Basic *",
    "Basic YTpi YTpi",
    "Basic  YTpi",
    "Basic YTpi=",
    // The same bytes in another spelling.
    "Basic YTpiYx==",
    encoded("a"),
    encoded(":b"),
    encoded("a:"),
    encoded("a b:c"),
    encoded("a:b&client_id=c"),
    encoded("a&x:b"),
    encoded("a:%zz"),
    encoded("a:%FF"),
    encoded("a:%00"),
    encoded("a:\u00e9"),
  ])("refuses %j, and asks for Basic", async (authorization) => {
    const reply = await send(authorization);
    expect([reply.status, given]).toEqual([401, undefined]);
    expect(reply.headers.get("www-authenticate")).toBe('Basic realm="notes", charset="UTF-8"');
  });

  it("refuses a password in both places, and another name in the form", async () => {
    for (const body of ["client_secret=b", "client_secret=c", "client_secret=", "client_id=b", "client_id=A"]) {
      const reply = await send(encoded("a:b"), body);
      expect([body, reply.status, reply.code, given]).toEqual([body, 400, "several-credentials", undefined]);
    }
  });

  it("asks for Basic whoever tried it and was wrong, and nobody else", async () => {
    expect((await send(encoded("a:wrong"))).headers.get("www-authenticate")).toMatch(/^Basic /);
    const posted = await door.ask("POST /v1/token", { body: "client_id=a&client_secret=wrong", headers: urlencoded });
    expect([posted.status, posted.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="notes"']);
  });

  it("takes it where the form says so alone, and proves nobody by it", async () => {
    expect((await send(encoded("a:b"), "note=x", "POST /v1/form")).status).toBe(401);
    expect((await send(encoded("alice:x"), "note=x", "POST /v1/notes")).status).toBe(401);
    expect((await send("Bearer x.y.z")).status).toBe(401);
  });

  it("stops the start where the form has no such fields, or where Authorization proves the caller", () => {
    const problems = (policy: Readonly<Record<string, unknown>>) => {
      const test = testApi();
      const output = { 204: Object.freeze({ kind: "nothing" }) };
      routeUntyped(test.api, { path: "POST /v1/x", objects, output, access, ...policy });
      return test.api.problems().map(({ problem }) => problem);
    };
    const body = form(Client, { basic });
    expect(problems({ input: { body } })).toEqual([]);
    expect(problems({ input: { body: form(Client, { basic: { user: "client_id", password: "pw" } }) } })).toEqual([
      "has no pw for Authorization",
    ]);
    expect(problems({ input: { body }, access: anyCaller })).toEqual([
      "takes Authorization, which proves the caller here",
    ]);
  });
});
