import { notAnObject, nothing, publicAccess } from "portcullis";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Given } from "../front-door.ts";
import { noteIds, requestText, routeUntyped, sharedDoor, testApi } from "../front-door.ts";
import { raw } from "../node/raw.ts";

const json = { "Content-Type": "application/json" };
const host = "Host: localhost\r\n";

let given: Given | undefined;
beforeEach(() => {
  given = undefined;
});

describe("canonical-request", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const access = publicAccess("the tests look at reading alone");
    const text = z.string().max(60);
    const keep = (all: Given): undefined => {
      given = all;
    };
    routeUntyped(
      test.api,
      {
        path: "GET /v1/names/:name",
        access,
        input: { params: z.strictObject({ name: text }) },
        objects: { name: notAnObject("a name") },
        output: nothing,
      },
      keep,
    );
    const q = z.strictObject({ q: text.optional(), r: text.optional() });
    routeUntyped(test.api, { path: "GET /v1/search", access, input: { query: q }, output: nothing }, keep);
    const body = z.strictObject({ a: z.union([text, z.number().min(-9e15).max(9e15)]), b: text.optional() });
    routeUntyped(test.api, { path: "POST /v1/json", access, input: { body }, output: nothing }, keep);
    return test;
  });

  describe("the target", () => {
    it.each([
      "/v1//open",
      "//v1/open",
      "/v1/open/",
      "/v1/./open",
      "/v1/x/../open",
      "/v1/open/..",
      "/v1/%2e/open",
      "/v1/x/%2e%2e/open",
      "/v1/x/%2E%2E/open",
      "/v1/.%2e/open",
      "/v1/%6fpen",
      "/v1/ope%6e",
      "/v1%2fopen",
      "/v1%5copen",
      "/v1\\open",
      "/v1/open;a=1",
      "/v1/open;",
      "/v1/names/a%00b",
      "/v1/names/a%0ab",
      "/v1/names/%ff",
      "/v1/names/%c0%ae",
      "/v1/names/%e0%80%af",
      "/v1/names/%",
      "/v1/names/%4",
      "/v1/names/%zz",
      "/v1/names/%u0041",
      "/v1/open#x",
      "/v1/names/a|b",
      '/v1/names/a"b',
      "/v1/names/<b>",
      "/v1/names/{b}",
      "/v1/names/a^b",
      "*",
      "http://localhost/v1/open",
      "http://evil.example/v1/open",
      "localhost/v1/open",
      "v1/open",
      "?q=1",
    ])("is refused where two servers could read it differently: %s", async (target) => {
      const reply = await door.ask(`GET ${target}`);
      expect([reply.status, given]).toEqual([400, undefined]);
      expect(reply.headers.get("location")).toBeUndefined();
    });

    it("is refused for every method, and before anybody is asked who he is", async () => {
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        expect((await door.ask(`${method} /v1//notes`, { as: "alice" })).status, method).toBe(400);
      }
    });

    it("reaches no guarded object by another spelling", async () => {
      const [own] = noteIds;
      for (const path of [
        `/v1/notes/${own}/`,
        `/v1/notes/./${own}`,
        `/v1/open/../notes/${own}`,
        `/v1/notes/%31${own.slice(1)}`,
        `/V1/notes/${own}`,
      ]) {
        expect([400, 404]).toContain((await door.ask(`GET ${path}`)).status);
      }
    });

    it("is decoded once, to the one text it can mean", async () => {
      const nameOf = async (segment: string): Promise<unknown> => {
        given = undefined;
        const reply = await door.ask(`GET /v1/names/${segment}`);
        return reply.code ?? Reflect.get(Object(given), "params");
      };
      expect(await nameOf("a%20b")).toEqual({ name: "a b" });
      expect(await nameOf("caf%C3%A9")).toEqual({ name: "café" });
      expect(await nameOf("caf%c3%a9")).toEqual({ name: "café" });
      expect(await nameOf("a%252fb")).toEqual({ name: "a%2fb" });
      expect(await nameOf("a@b")).toEqual({ name: "a@b" });
      expect(await nameOf("a%40b")).toEqual({ name: "a@b" });
      expect(await nameOf("...")).toEqual({ name: "..." });
      expect(await nameOf("a+b")).toEqual({ name: "a+b" });
    });

    it("has an end", async () => {
      expect((await door.ask(`GET /v1/names/${"a".repeat(8_191 - 10)}`)).code).not.toBe("target-too-long");
      const long = await door.ask(`GET /v1/names/${"a".repeat(8_193)}`);
      expect([long.status, long.code]).toEqual([414, "target-too-long"]);
    });
  });

  describe("the query", () => {
    it.each([
      "q=1&q=2",
      "q=1&%71=2",
      "q[]=1",
      "q%5b%5d=1",
      "q[a]=1",
      "=1",
      "&q=1",
      "q=1&",
      "q=1&&r=2",
      "q=1;r=2",
      "__proto__=1",
      "constructor=1",
      "prototype=1",
      "q=%",
      "q=%zz",
      "q=%ff",
      "q=%c0%af",
      "q=a%00b",
      "q=a%0d%0ab",
    ])("is refused without a single reading: %s", async (query) => {
      const reply = await door.ask(`GET /v1/search?${query}`);
      expect([reply.status, reply.code, given]).toEqual([400, "bad-query", undefined]);
    });

    it("is read once where it has one", async () => {
      expect((await door.ask("GET /v1/search?q=a+b%2Bc&r=%C3%A9")).status).toBe(204);
      expect(given?.["query"]).toEqual({ q: "a b+c", r: "é" });
      expect((await door.ask("GET /v1/search?")).status).toBe(204);
      expect((await door.ask("GET /v1/search?q")).status).toBe(204);
      expect(given?.["query"]).toEqual({ q: "" });
      expect((await door.ask("GET /v1/search?q=a?b=c")).status).toBe(204);
      expect(given?.["query"]).toEqual({ q: "a?b=c" });
    });

    it("has 100 pairs and no more", async () => {
      const pairs = (count: number) => Array.from({ length: count }, (_, at) => `k${at}=1`).join("&");
      expect((await door.ask(`GET /v1/search?${pairs(100)}`)).code).toBe("invalid-input");
      expect((await door.ask(`GET /v1/search?${pairs(101)}`)).code).toBe("bad-query");
    });
  });

  describe("the headers", () => {
    const twice: readonly (readonly [string, string])[] = [
      ["Host", "localhost"],
      ["Authorization", "Bearer x"],
      ["Content-Type", "application/json"],
      ["Content-Length", "2"],
      ["Origin", "https://a.example"],
      ["User-Agent", "x"],
    ];
    it.each(twice)("have one value where one decides: %s sent twice", async (name, value) => {
      const reply = await raw(
        door.port,
        `POST /v1/json HTTP/1.1\r\n${name === "Host" ? "" : host}${name}: ${value}\r\n${name}: ${value}\r\n\r\n{}`,
      );
      expect(reply.status).toBe(400);
      expect(given).toBeUndefined();
    });

    it.each([
      ["under an alias with _", "Content_Type: text/plain\r\n"],
      ["under an alias with .", "Content.Type: text/plain\r\n"],
      ["a length under an alias", "Content_Length: 5\r\n"],
      ["an encoding under an alias", "Transfer_Encoding: chunked\r\n"],
      ["a host under an alias", "H_ost: x\r\nX-Forwarded_Host: x\r\n"],
      ["a folded line", "X-A: a\r\n b\r\n"],
      ["a blank before the colon", "Content-Length : 2\r\n"],
      ["a name that is none", "X A: b\r\n"],
      ["a line without a colon", "X-A\r\n"],
      ["an empty name", ": b\r\n"],
      ["a NUL", "X-A: a\0b\r\n"],
      ["a bare carriage return", "X-A: a\rb\r\n"],
      ["a tab inside", "Authorization: Bearer\tx\r\n"],
    ])("are refused where two servers could read them differently: %s", async (_what, lines) => {
      const reply = await raw(
        door.port,
        `POST /v1/json HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 9\r\n${lines}\r\n{"a":"b"}`,
      );
      expect([reply.status, given]).toEqual([400, undefined]);
      expect(reply.body).toMatch(/"code":"bad-(?:header|message)"/);
    });

    it.each([
      "Content-Length: +9\r\n",
      "Content-Length: 9, 9\r\n",
      "Content-Length: 0x9\r\n",
      "Content-Length: 9.0\r\n",
      "Content-Length: -1\r\n",
      "Content-Length: \r\n",
      "Content-Length: 9\r\nContent-Length: 10\r\n",
      "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked, chunked\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: identity\r\n",
      "Transfer-Encoding: xchunked\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: \x0bchunked\r\n",
    ])("leave no doubt where a body ends: %j", async (lines) => {
      const reply = await raw(
        door.port,
        `POST /v1/json HTTP/1.1\r\n${host}Content-Type: application/json\r\n${lines}\r\n{"a":"b"}`,
      );
      // What stands behind the headers is no body: sometimes the connection ends over it before the answer is out.
      expect([400, 0]).toContain(reply.status);
      expect(given).toBeUndefined();
      if (reply.status !== 0) expect(reply.headers.get("connection")).toBe("close");
    });

    it("are 16 KiB and 100 lines at most", async () => {
      const lines = (count: number, value = "b") =>
        Array.from({ length: count }, (_, at) => [`X-${at}`, value] as const);
      const ask = (count: number, value?: string) =>
        door.ask("GET /v1/open", { headers: Object.fromEntries(lines(count, value)) });
      expect((await ask(90)).status).toBe(200);
      expect((await ask(101)).code).toBe("headers-too-large");
      expect((await ask(20, "b".repeat(800))).status).toBe(200);
      expect((await ask(20, "b".repeat(830))).code).toBe("headers-too-large");
    });
  });

  describe("JSON", () => {
    const send = async (body: string) => {
      given = undefined;
      const reply = await door.ask("POST /v1/json", { body, headers: json });
      return reply.code ?? given?.["body"];
    };

    it.each([
      '{"a":"b","a":"c"}',
      '{"a":"b","\\u0061":"c"}',
      '{"a":"b","__proto__":{}}',
      '{"a":"b","\\u005f\\u005fproto\\u005f\\u005f":{}}',
      '{"a":"b","constructor":{}}',
      '{"a":"b","x":{"prototype":{}}}',
      '{"a":9007199254740992}',
      '{"a":-9007199254740993}',
      '{"a":1e309}',
      '{"a":1e20}',
      '\ufeff{"a":"b"}',
      '{"a":"b"} x',
      '{"a":"b",}',
      '{"a":"b"}{"a":"c"}',
      "{'a':'b'}",
      '{a:"b"}',
      '{"a":NaN}',
      '{"a":Infinity}',
      '{"a":0x1}',
      '{"a":01}',
      '{"a":+1}',
      '{"a":.5}',
      '{"a":"b"/* c */}',
      '{"a":"\t"}',
      '{"a":"\\u0000"}',
      '{"a":"\\ud800"}',
      '{"a":"\\x41"}',
      '{"a":"b',
      "",
      " ",
      "undefined",
    ])("is refused without a single reading: %s", async (body) => {
      expect(await send(body)).toBe("bad-body");
      expect(given).toBeUndefined();
    });

    it("is refused where its bytes are no UTF-8", async () => {
      for (const bytes of ["\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe9"]) {
        const text = `{"a":"${bytes}"}`;
        const head = `POST /v1/json HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n`;
        expect((await raw(door.port, head + text)).body).toContain("bad-body");
      }
    });

    it("is read once where it has one", async () => {
      expect(await send('{"a":"\\u00e9\\ud83d\\ude00"}')).toEqual({ a: "é😀" });
      expect(await send(' { "a" : 9007199254740991 } ')).toBe("invalid-input");
      expect(await send('{"a":-1.5e3}')).toEqual({ a: -1500 });
      expect(await send('{"a":"__proto__"}')).toEqual({ a: "__proto__" });
    });
  });

  describe("the method and the rest", () => {
    it.each(["TRACE", "PROPFIND", "LINK", "PURGE", "SEARCH", "MKCOL"])("%s is served by nobody", async (method) => {
      const reply = await door.ask(`${method} /v1/open`);
      expect([reply.status, reply.code]).toEqual([501, "method-refused"]);
    });

    it.each(["get", "Get", "GETT", "FOO"])("%s is no method", async (method) => {
      expect((await door.ask(`${method} /v1/open`)).code).toBe("bad-message");
    });

    it("upgrades to nothing", async () => {
      for (const protocol of ["websocket", "h2c", "TLS/1.0"]) {
        const reply = await door.ask("GET /v1/open", { headers: { Connection: "Upgrade", Upgrade: protocol } });
        expect([reply.status, reply.code], protocol).toEqual([400, "upgrade-refused"]);
      }
    });

    it("takes a request behind a request for what it is, and never for a part of the first", async () => {
      const first = requestText("POST /v1/json", { json: { a: "b" } });
      const second = requestText("GET /v1/none", {});
      const both = await raw(door.port, first + second, 60);
      expect(both.head).toContain("204");
      expect(both.body).toContain("HTTP/1.1 404");
      const smuggled = await raw(
        door.port,
        `POST /v1/json HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/open HTTP/1.1\r\n${host}\r\n`,
        60,
      );
      expect([smuggled.status, smuggled.body.includes("200 OK")]).toEqual([400, false]);
    });
  });

  it("is recorded with the reason and none of what was sent", async () => {
    const secret = "hunter2hunter2";
    const replies = [
      await door.ask(`GET /v1//${secret}`),
      await door.ask(`GET /v1/search?${secret}=1&${secret}=2`),
      await door.ask(`GET /v1/search?${secret}[]=1`),
      await door.ask("GET /v1/open", { headers: { [`X-${secret} `]: "x" } }),
      await door.ask("GET /v1/open", { headers: { Authorization: [secret, secret] } }),
      await door.ask("POST /v1/json", { body: `{"${secret}":1,"${secret}":2}`, headers: json }),
      await door.ask("POST /v1/json", { body: `{"${secret}`, headers: json }),
    ];
    for (const reply of replies) {
      expect(reply.status).toBe(400);
      const entries = await door.recorded(reply);
      expect(entries).toContainEqual(expect.objectContaining({ type: "refused", protection: "canonical-request" }));
      expect(JSON.stringify(entries)).not.toContain(secret);
    }
  });
});
