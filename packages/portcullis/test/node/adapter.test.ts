import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Listening } from "portcullis";
import { publicAccess } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";
import type { TestApi } from "../front-door.ts";
import { raw } from "./raw.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function serve(
  test: TestApi,
  options: Parameters<TestApi["api"]["listen"]>[0] = { port: 0 },
): Promise<Listening> {
  open = await test.api.listen({ handleSignals: false, ...options });
  return open;
}

const securityHeaders = [
  "x-content-type-options",
  "x-frame-options",
  "content-security-policy",
  "referrer-policy",
  "cross-origin-resource-policy",
  "cache-control",
  "x-request-id",
] as const;

describe("canonical-request: the node adapter answers what never became a request", () => {
  const host = "Host: localhost\r\n";
  const cases: readonly (readonly [string, string, number])[] = [
    ["a request line that is none", "HELLO\r\n\r\n", 400],
    ["TRACE", `TRACE / HTTP/1.1\r\n${host}\r\n`, 501],
    ["TRACK", `TRACK / HTTP/1.1\r\n${host}\r\n`, 400],
    ["CONNECT", `CONNECT example.com:443 HTTP/1.1\r\n${host}\r\n`, 501],
    ["an upgrade", `GET /v1/open HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, 400],
    ["an expectation nobody knows", `GET /v1/open HTTP/1.1\r\n${host}Expect: tea\r\n\r\n`, 417],
    ["a header block without end", `GET /v1/open HTTP/1.1\r\n${host}X-A: ${"a".repeat(40_000)}\r\n\r\n`, 431],
    ["a header block over 16 KiB", `GET /v1/open HTTP/1.1\r\n${host}X-A: ${"a".repeat(17_000)}\r\n\r\n`, 431],
    ["no Host", "GET /v1/open HTTP/1.1\r\n\r\n", 421],
    ["an unknown Host", "GET /v1/open HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421],
    ["two Hosts", `GET /v1/open HTTP/1.1\r\n${host}${host}\r\n`, 400],
    [
      "Content-Length beside Transfer-Encoding",
      `POST /v1/notes HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ["absolute-form", `GET http://localhost/v1/open HTTP/1.1\r\n${host}\r\n`, 400],
    ["a target over 8 KiB", `GET /${"a".repeat(9_000)} HTTP/1.1\r\n${host}\r\n`, 414],
    ["a path that is not there", `GET /v1/none HTTP/1.1\r\n${host}\r\n`, 404],
    ["a method the path does not have", `PUT /v1/open HTTP/1.1\r\n${host}\r\n`, 405],
    ["OPTIONS *", `OPTIONS * HTTP/1.1\r\n${host}\r\n`, 400],
  ];
  it.each(cases)("%s, with our own headers and a request id", async (_name, bytes, status) => {
    const { port } = await serve(testApi());
    const answer = await raw(port, bytes);
    expect(answer.status).toBe(status);
    for (const name of securityHeaders) expect(answer.headers.has(name), name).toBe(true);
    expect(answer.headers.has("server")).toBe(false);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(JSON.parse(answer.body)).toMatchObject({ status, requestId: answer.headers.get("x-request-id") });
  });

  it("names Allow on 405 and never a stack", async () => {
    const { port } = await serve(testApi());
    const answer = await raw(port, `PUT /v1/open HTTP/1.1\r\n${host}\r\n`);
    expect(answer.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    expect(answer.body).not.toMatch(/at .*\.ts|node:/);
  });

  it("goes on serving after all of them", async () => {
    const { port, url } = await serve(testApi());
    for (const [, bytes] of cases) await raw(port, bytes, 20);
    expect((await fetch(`${url}/v1/open`)).status).toBe(200);
  });
});

describe("body-size: the node adapter and bodies", () => {
  it("answers before a body nobody wants has come, and reads at most a little of it", async () => {
    const { port } = await serve(testApi());
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const chunk = (bytes: number): string => `${bytes.toString(16)}\r\n${"a".repeat(bytes)}\r\n`;
    const answered = once(socket, "data");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(
      "POST /v1/notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    socket.write(chunk(1_000));
    const answer = String(await answered);
    expect(answer).toContain("HTTP/1.1 401");
    expect(answer.toLowerCase()).toContain("connection: close");
    for (let i = 0; i < 200 && !socket.destroyed; i++) {
      socket.write(chunk(65_536));
      await wait(5);
    }
    await closed;
    // What the server has read is bounded; the rest waits in the kernel's buffers.
    expect(socket.bytesWritten).toBeLessThan(10_000_000);
  });

  it("says 100 Continue only to a body it will read", async () => {
    const { port } = await serve(testApi());
    const head = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n";
    const refused = await raw(port, `POST /v1/notes HTTP/1.1\r\n${head}\r\n`);
    expect(refused.status).toBe(401);
    const admitted = await raw(
      port,
      `POST /v1/notes HTTP/1.1\r\n${head}Authorization: Bearer ${await token("alice")}\r\n\r\n`,
    );
    expect(admitted.status).toBe(100);
  });

  it("answers 408 to a header block that comes a byte at a time", async () => {
    const { port } = await serve(testApi(), { port: 0, headersTimeoutMs: 300 });
    const answer = await raw(port, "GET /v1/open HTTP/1.1\r\nHo", 4_000);
    expect(answer.status).toBe(408);
    for (const name of securityHeaders) expect(answer.headers.has(name), name).toBe(true);
  });

  it("records a client that went away as aborted, once", async () => {
    const test = testApi();
    const begun = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    test.api.route(
      { path: "GET /v1/slow", access: publicAccess("slow on purpose"), output: z.strictObject({ ok: z.boolean() }) },
      async ({ request }) => {
        request.signal.addEventListener("abort", () => gone.resolve());
        begun.resolve();
        await gone.promise;
        return { ok: true };
      },
    );
    const { port } = await serve(test);
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("GET /v1/slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await begun.promise;
    socket.destroy();
    await gone.promise;
    await open?.close();
    const calls = test.entries.filter((entry) => entry.kind === "call");
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ aborted: true, route: "GET /v1/slow" });
  });
});

describe("the node adapter stops gracefully", () => {
  it("lets a request under way end, refuses new ones, and hands out the last records", async () => {
    const test = testApi();
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    test.api.route(
      { path: "GET /v1/slow", access: publicAccess("slow on purpose"), output: z.strictObject({ ok: z.boolean() }) },
      async () => {
        begun.resolve();
        await goOn.promise;
        return { ok: true };
      },
    );
    const { url, close } = await serve(test);
    const slow = fetch(`${url}/v1/slow`);
    await begun.promise;
    const closing = close();
    goOn.resolve();
    expect((await slow).status).toBe(200);
    await closing;
    await expect(fetch(`${url}/v1/open`)).rejects.toThrow();
    expect(test.entries.filter((entry) => entry.kind === "call")).toHaveLength(1);
    expect(test.events().map((event) => event.type)).toEqual(["started", "stopped"]);
  });

  it("answers health on its own port only", async () => {
    const { url, healthPort } = await serve(testApi(), { port: 0, healthPort: 0 });
    expect((await fetch(`http://127.0.0.1:${healthPort}/live`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${healthPort}/ready`)).status).toBe(200);
    expect((await fetch(`${url}/live`)).status).toBe(404);
  });
});

describe("the node adapter refuses to start with a hole", () => {
  it("names the route, the field and the fix before anything listens", async () => {
    const test = testApi();
    // @ts-expect-error the id has no rule, which is a type error too
    test.api.route({ path: "GET /v1/holes/:id", access: {}, output: z.object({}).loose() }, () => ({}));
    await expect(serve(test)).rejects.toThrow(/GET \/v1\/holes\/:id[\s\S]*access[\s\S]*fix:/);
  });
});
