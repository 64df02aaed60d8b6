import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { anyCaller, createApi, nothing, publicAccess } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Asked } from "../front-door.ts";
import { bearer, requestText, routeUntyped, sharedDoor, testApi } from "../front-door.ts";
import { raw } from "../node/raw.ts";

const json = { "Content-Type": "application/json" };

describe("body-size", () => {
  let ran = 0;
  const door = sharedDoor(() => {
    const test = testApi({ body: { maxBytes: 200, timeoutMs: 400 } });
    const access = publicAccess("the tests look at size alone");
    const body = z.strictObject({ text: z.string().max(100_000) });
    const run = (): void => void ran++;
    routeUntyped(test.api, { path: "POST /v1/texts", access, input: { body }, output: nothing }, run);
    routeUntyped(
      test.api,
      { path: "POST /v1/large", access, input: { body }, output: nothing, bodyMaxBytes: 70_000 },
      run,
    );
    routeUntyped(test.api, { path: "POST /v1/small", access, input: { body }, output: nothing, bodyMaxBytes: 20 }, run);
    routeUntyped(test.api, { path: "POST /v1/private", access: anyCaller, input: { body }, output: nothing }, run);
    routeUntyped(
      test.api,
      { path: "POST /v1/admin", access: { scopes: ["admin"] }, input: { body }, output: nothing },
      run,
    );
    return test;
  });
  /** A body of exactly so many bytes. */
  const ofBytes = (bytes: number): string => `{"text":"${"a".repeat(bytes - 11)}"}`;
  const send = (path: string, asked: Asked) =>
    door.ask(`POST ${path}`, { ...asked, headers: { ...json, ...asked.headers } });
  const chunks = (...parts: readonly string[]): string =>
    [...parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`), "0\r\n\r\n"].join("");

  it("takes a body of the limit's size and refuses one byte more, announced or in chunks", async () => {
    expect((await send("/v1/texts", { body: ofBytes(200) })).status).toBe(204);
    expect((await send("/v1/texts", { body: ofBytes(201) })).code).toBe("body-too-large");
    const chunked = { headers: { "Transfer-Encoding": "chunked" } };
    expect((await send("/v1/texts", { ...chunked, body: chunks(ofBytes(200)) })).status).toBe(204);
    const refused = await send("/v1/texts", { ...chunked, body: chunks(ofBytes(201)) });
    expect([refused.status, refused.code]).toEqual([413, "body-too-large"]);
  });

  it("counts what arrives, in however small parts", async () => {
    const parts = [...ofBytes(201)];
    const reply = await send("/v1/texts", { headers: { "Transfer-Encoding": "chunked" }, body: chunks(...parts) });
    expect(reply.status).toBe(413);
    const fits = await send("/v1/texts", {
      headers: { "Transfer-Encoding": "chunked" },
      body: chunks(...ofBytes(200)),
    });
    expect(fits.status).toBe(204);
  });

  it("counts bytes and not characters", async () => {
    expect((await send("/v1/texts", { body: `{"text":"${"é".repeat(94)}"}` })).status).toBe(204);
    expect((await send("/v1/texts", { body: `{"text":"${"é".repeat(95)}"}` })).status).toBe(413);
  });

  it("believes no length that is smaller than the body", async () => {
    ran = 0;
    const body = ofBytes(5_000);
    const text = requestText("POST /v1/texts", { body, headers: { ...json, "Content-Length": "11" } });
    // What stands behind the body is no request: the connection ends over it.
    expect([0, 400]).toContain((await raw(door.port, text)).status);
    expect(ran).toBe(0);
  });

  it("holds a route to its own limit, larger or smaller", async () => {
    expect((await send("/v1/large", { body: ofBytes(70_000) })).status).toBe(204);
    expect((await send("/v1/large", { body: ofBytes(70_001) })).status).toBe(413);
    expect((await send("/v1/small", { body: ofBytes(20) })).status).toBe(204);
    expect((await send("/v1/small", { body: ofBytes(21) })).status).toBe(413);
  });

  it("refuses by size before it looks at the type or the text", async () => {
    expect((await door.ask("POST /v1/texts", { body: "a".repeat(201) })).code).toBe("body-too-large");
    expect((await send("/v1/texts", { body: "{".repeat(201) })).code).toBe("body-too-large");
  });

  it("closes the connection over a body it did not read, and keeps it where it did", async () => {
    ran = 0;
    const unread = await send("/v1/texts", { body: ofBytes(201) });
    expect(unread.headers.get("connection")).toBe("close");
    const read = await send("/v1/texts", { body: '{"wrong":1}' });
    expect([read.code, read.headers.get("connection")]).toEqual(["invalid-input", "keep-alive"]);
    expect(ran).toBe(0);
  });

  it("reads no body of whom it refuses anyway", async () => {
    const huge = { ...json, "Content-Length": "1000000000" };
    expect((await door.ask("POST /v1/private", { headers: huge })).code).toBe("no-credential");
    expect((await door.ask("POST /v1/none", { headers: huge })).code).toBe("route-not-found");
    const scoped = await door.ask("POST /v1/admin", { headers: { ...huge, ...(await bearer("alice")) } });
    expect([scoped.code, scoped.headers.get("connection")]).toEqual(["scope-missing", "close"]);
  });

  it("says 100 Continue to no body that is too large", async () => {
    const headers = { ...json, "Content-Length": "201", Expect: "100-continue" };
    expect((await door.ask("POST /v1/texts", { headers })).status).toBe(413);
    const fits = await raw(
      door.port,
      requestText("POST /v1/texts", { headers: { ...headers, "Content-Length": "20" } }),
      60,
    );
    expect(fits.status).toBe(100);
  });

  it.each(["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "compress", "gzip, identity", "identity, gzip", "*", ""])(
    "refuses a body that is encoded: %s",
    async (encoding) => {
      const reply = await send("/v1/texts", { body: ofBytes(50), headers: { "Content-Encoding": encoding } });
      expect([reply.status, reply.code, reply.headers.get("accept-encoding")]).toEqual([
        415,
        "content-encoding",
        "identity",
      ]);
    },
  );

  it("unpacks nothing, so that no small body becomes a large one", async () => {
    const bomb = gzipSync(ofBytes(60_000)).toString("latin1");
    expect(bomb.length).toBeLessThan(200);
    const headers = `Host: localhost\r\nContent-Type: application/json\r\nContent-Length: ${bomb.length}\r\n`;
    const sent = (more: string) => raw(door.port, `POST /v1/texts HTTP/1.1\r\n${headers}${more}\r\n${bomb}`);
    expect((await sent("Content-Encoding: gzip\r\n")).status).toBe(415);
    expect((await sent("")).status).toBe(400);
    expect((await sent("Transfer-Encoding: gzip, chunked\r\n")).status).toBe(400);
  });

  it("takes identity for what it is", async () => {
    for (const encoding of ["identity", "Identity"]) {
      expect((await send("/v1/texts", { body: ofBytes(50), headers: { "Content-Encoding": encoding } })).status).toBe(
        204,
      );
    }
  });

  it("answers 408 to a body that does not come, or comes too slowly", async () => {
    const head = requestText("POST /v1/texts", { headers: { ...json, "Content-Length": "50" } });
    const silent = await raw(door.port, `${head}{"te`);
    expect([silent.status, silent.body.includes("body-timeout")]).toEqual([408, true]);
    const socket = connect(door.port, "127.0.0.1");
    await once(socket, "connect");
    const answer = once(socket, "data");
    socket.on("error", () => undefined);
    socket.write(head);
    // Every byte comes in time; all of them together do not.
    const drip = setInterval(() => socket.write("a"), 25);
    expect(String(await answer)).toContain("408");
    clearInterval(drip);
    socket.destroy();
  });

  it("records a client that goes away in the middle, and runs nothing", async () => {
    ran = 0;
    const before = door.entries.length;
    const socket = connect(door.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(requestText("POST /v1/texts", { headers: { ...json, "Content-Length": "50" } }));
    await wait(20);
    socket.destroy();
    for (let i = 0; i < 50 && !door.entries.slice(before).some((entry) => entry.code === "body-aborted"); i++)
      await wait(20);
    expect(door.entries.slice(before)).toContainEqual(
      expect.objectContaining({ kind: "call", code: "body-aborted", aborted: true, route: "POST /v1/texts" }),
    );
    expect(ran).toBe(0);
  });
});

describe("body-size: what JSON may hold", () => {
  const door = sharedDoor(() => {
    const test = testApi();
    const body = z.strictObject({ a: z.boolean() });
    routeUntyped(test.api, { path: "POST /v1/json", access: publicAccess("x"), input: { body }, output: nothing });
    return test;
  });
  const codeOf = async (body: string) => (await door.ask("POST /v1/json", { body, headers: json })).code;

  it("is 32 levels deep and no deeper", async () => {
    const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    expect(await codeOf(deep(32))).toBe("invalid-input");
    expect(await codeOf(deep(33))).toBe("bad-body");
    expect(await codeOf(deep(50_000))).toBe("bad-body");
    expect(await codeOf("[".repeat(100_000))).toBe("bad-body");
    expect(await codeOf('{"a":'.repeat(20_000))).toBe("bad-body");
  });

  it("has 1000 keys and no more, wherever they stand", async () => {
    const keys = (count: number) => `{${Array.from({ length: count }, (_, at) => `"k${at}":0`).join()}}`;
    expect(await codeOf(keys(1_000))).toBe("invalid-input");
    expect(await codeOf(keys(1_001))).toBe("bad-body");
    expect(await codeOf(`[${`${keys(500)},`.repeat(2)}${keys(1)}]`)).toBe("bad-body");
  });

  it("has no key twice, however it is spelt", async () => {
    expect(await codeOf('{"a":true,"a":false}')).toBe("bad-body");
    expect(await codeOf('{"a":true,"\\u0061":false}')).toBe("bad-body");
    expect(await codeOf('{"b":{"c":1,"c":2}}')).toBe("bad-body");
  });

  it("takes 100 KiB where nobody says otherwise", async () => {
    const text = (bytes: number) => `"${"a".repeat(bytes - 2)}"`;
    expect(await codeOf(text(102_400))).toBe("invalid-input");
    expect(await codeOf(text(102_401))).toBe("body-too-large");
  });
});

describe("body-size at the start", () => {
  it("refuses limits that are none", () => {
    for (const bodyMaxBytes of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      const api = createApi({ name: "start", hosts: ["localhost"], credentials: [] });
      const body = z.strictObject({ a: z.boolean() });
      routeUntyped(api, {
        path: "POST /v1/x",
        access: publicAccess("x"),
        input: { body },
        output: nothing,
        bodyMaxBytes,
      });
      expect(
        api.problems().map((one) => one.field),
        String(bodyMaxBytes),
      ).toEqual(["bodyMaxBytes"]);
    }
    const api = createApi({
      name: "start",
      hosts: ["localhost"],
      credentials: [],
      body: { maxBytes: 0, timeoutMs: 0 },
    });
    routeUntyped(api, { path: "GET /v1/x", access: publicAccess("x"), output: nothing });
    expect(api.problems().map((one) => one.field)).toContain("body.maxBytes");
  });
});
