import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Listening } from "portcullis";
import { publicAccess } from "portcullis";
import { developmentCertificate } from "portcullis/node";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";
import { raw } from "../node/raw.ts";

let open: Listening | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await open?.close();
  open = undefined;
});

const host = "Host: localhost\r\n";

/** A connection that never reads what it is sent. */
function deaf(port: number): Socket & { readonly isClosed: () => boolean } {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  let closed = false;
  socket.on("error", () => undefined);
  socket.on("close", () => {
    closed = true;
  });
  socket.pause();
  return Object.assign(socket, { isClosed: () => closed });
}

async function within(ms: number, isTrue: () => boolean): Promise<boolean> {
  for (let waited = 0; waited < ms; waited += 50) {
    if (isTrue()) return true;
    await wait(50);
  }
  return isTrue();
}

describe("no client keeps a connection by doing nothing", () => {
  function large() {
    const test = testApi();
    const output = z.strictObject({ texts: z.array(z.string()).max(200) });
    const texts = Array.from({ length: 200 }, () => "x".repeat(100_000));
    const policy = { access: publicAccess("for the tests"), output, limit: "100000/s" } as const;
    test.api.route({ ...policy, path: "GET /v1/large" }, () => ({ texts }));
    test.api.route({ ...policy, path: "GET /v1/later" }, async () => {
      await wait(200);
      return { texts };
    });
    return test;
  }

  it("not by never reading its answer", async () => {
    const test = large();
    open = await test.api.listen({ port: 0, handleSignals: false, sendTimeoutMs: 300 });
    const socket = deaf(open.port);
    socket.write(`GET /v1/large HTTP/1.1\r\n${host}\r\n`);
    expect(await within(20_000, () => test.entries.some((entry) => entry.kind === "call" && entry.aborted))).toBe(true);
  });

  it("not by never reading the second of two answers, nor one to a body nobody wanted", async () => {
    const test = large();
    open = await test.api.listen({ port: 0, handleSignals: false, sendTimeoutMs: 300 });
    deaf(open.port).write(`GET /v1/later HTTP/1.1\r\n${host}\r\nGET /v1/large HTTP/1.1\r\n${host}\r\n`);
    deaf(open.port).write(`GET /v1/large HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\n`);
    // A call is recorded when it is over: sent, where the system took all of a small answer, or cut off.
    const over = () =>
      test.entries.flatMap((entry) => (entry.kind === "call" ? [[entry.route, entry.status, entry.aborted]] : []));
    expect(await within(20_000, () => over().length >= 2)).toBe(true);
    expect(over()).toContainEqual(["GET /v1/later", 200, true]);
  });

  it("and one that reads gets its answer", async () => {
    const test = large();
    open = await test.api.listen({ port: 0, handleSignals: false, sendTimeoutMs: 60_000 });
    const socket = deaf(open.port);
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.resume();
    socket.write(`GET /v1/large HTTP/1.1\r\n${host}\r\n`);
    expect(await within(25_000, () => bytes > 20_000_000)).toBe(true);
  });

  it("not by connecting for TLS and saying nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "portcullis-"));
    try {
      const { cert, key } = developmentCertificate({ folder: join(folder, "tls") });
      const { api } = testApi();
      open = await api.listen({ port: 0, handleSignals: false, tls: { cert, key }, headersTimeoutMs: 300 });
      const socket = deaf(open.port);
      socket.resume();
      expect(await within(20_000, socket.isClosed)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("not by connecting and saying nothing, or half a line", async () => {
    const { api } = testApi();
    open = await api.listen({ port: 0, handleSignals: false, headersTimeoutMs: 300 });
    const silent = deaf(open.port);
    const slow = deaf(open.port);
    slow.write("GET /v1/op");
    silent.resume();
    slow.resume();
    expect(await within(20_000, () => silent.isClosed() && slow.isClosed())).toBe(true);
  });
});

describe("what stands behind a refused request is no request of somebody else's", () => {
  it("a body left unread is never read as a request", async () => {
    const test = testApi();
    open = await test.api.listen({ port: 0, handleSignals: false });
    const smuggled = `GET /v1/open HTTP/1.1\r\n${host}\r\n`;
    for (const length of [`Content-Length: ${smuggled.length}`, `Content-Length: ${smuggled.length + 5}`]) {
      const text = `POST /v1/notes HTTP/1.1\r\n${host}${length}\r\n\r\n${smuggled}`;
      const answer = await raw(open.port, text, 1_500);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("connection")).toBe("close");
      expect(answer.body.match(/HTTP\/1\.1/g)).toBeNull();
    }
    await open.close();
    const routes = test.entries.flatMap((entry) => (entry.kind === "call" ? [entry.route] : []));
    expect(routes).toEqual(["POST /v1/notes", "POST /v1/notes"]);
  });

  it("nor is what stands behind an expectation nobody knows, whose answer ends the connection", async () => {
    const test = testApi();
    open = await test.api.listen({ port: 0, handleSignals: false });
    const behind = `GET /v1/open HTTP/1.1\r\n${host}\r\n`;
    const text = `GET /v1/open HTTP/1.1\r\n${host}\r\nGET /v1/none HTTP/1.1\r\n${host}Expect: tea\r\n\r\n${behind}${behind}`;
    const { head, body } = await raw(open.port, text, 300);
    expect(`${head}${body}`.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 417"]);
    await open.close();
    const codes = test.entries.flatMap((entry) => (entry.kind === "call" ? [entry.code ?? entry.status] : []));
    expect(codes).toEqual([200, "expectation-failed"]);
  });

  it("requests sent ahead are answered one after the other, each with its own answer", async () => {
    const test = testApi();
    open = await test.api.listen({ port: 0, handleSignals: false });
    const bearer = `Authorization: Bearer ${await token("alice")}\r\n`;
    const body = '{"text":"x"}';
    const text = [
      `GET /v1/open HTTP/1.1\r\n${host}\r\n`,
      `POST /v1/notes HTTP/1.1\r\n${host}${bearer}Content-Type: application/json\r\nContent-Length: 12\r\n\r\n${body}`,
      `HEAD /v1/open HTTP/1.1\r\n${host}\r\n`,
      `GET /v1/none HTTP/1.1\r\n${host}\r\n`,
      `GET /v1/open HTTP/1.1\r\n${host}\r\n`,
    ].join("");
    const { head, body: rest } = await raw(open.port, text, 500);
    expect(`${head}${rest}`.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => line.slice(-3))).toEqual([
      "200",
      "201",
      "200",
      "404",
      "200",
    ]);
  });

  it("and who sends ever more of them before the first is answered is cut off", async () => {
    const test = testApi();
    let ran = 0;
    const output = z.strictObject({ ok: z.boolean() });
    const policy = { access: publicAccess("for the tests"), output, limit: "100000/s" } as const;
    test.api.route({ ...policy, path: "GET /v1/slow" }, async () => {
      ran++;
      // Longer than anything here waits: whoever is cut off is cut off before the first answer.
      await wait(60_000, undefined, { ref: false });
      return { ok: true };
    });
    open = await test.api.listen({ port: 0, handleSignals: false });
    const socket = deaf(open.port);
    socket.resume();
    socket.write(`GET /v1/slow HTTP/1.1\r\n${host}\r\n`.repeat(500));
    expect(await within(20_000, socket.isClosed)).toBe(true);
    // The first may have had its turn already; nothing behind it ever has.
    expect(ran).toBeLessThan(2);
  });

  const ambiguous: readonly (readonly [string, string])[] = [
    ["both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked"],
    ["two lengths", "Content-Length: 5\r\nContent-Length: 6"],
    ["two equal lengths", "Content-Length: 5\r\nContent-Length: 5"],
    ["a list of lengths", "Content-Length: 5, 5"],
    ["a signed length", "Content-Length: +5"],
    ["a length with a blank in it", "Content-Length: 1 0"],
    ["a hexadecimal length", "Content-Length: 0x5"],
    ["a blank before the colon", "Content-Length : 5"],
    ["a folded header", "Content-Type: application/json\r\n Transfer-Encoding: chunked"],
    ["an encoding that is not chunked", "Transfer-Encoding: identity"],
    ["an encoding hidden by a list", "Transfer-Encoding: chunked, identity"],
    ["two encodings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
    ["an encoding in a name with an underscore", "Transfer_Encoding: chunked\r\nContent-Length: 5"],
    ["a vertical tab before chunked", "Transfer-Encoding: \x0bchunked"],
    ["a lone line feed between headers", "X-A: b\nTransfer-Encoding: chunked"],
  ];
  it.each(ambiguous)("%s is refused, and the connection with it", async (_name, lines) => {
    const test = testApi();
    open = await test.api.listen({ port: 0, handleSignals: false });
    const bearer = `Authorization: Bearer ${await token("alice")}\r\n`;
    const text = `POST /v1/notes HTTP/1.1\r\n${host}${bearer}${lines}\r\n\r\n0\r\n\r\nGET /v1/open HTTP/1.1\r\n${host}\r\n`;
    const answer = await raw(open.port, text, 1_500);
    // Where the parser gives up after the headers, the connection ends without an answer.
    expect([400, 0]).toContain(answer.status);
    if (answer.status === 400) expect(answer.headers.get("connection")).toBe("close");
    expect(answer.body.match(/HTTP\/1\.1 /g)).toBeNull();
    await open.close();
    expect(test.entries.some((entry) => entry.kind === "call" && entry.status < 400)).toBe(false);
  });
});
