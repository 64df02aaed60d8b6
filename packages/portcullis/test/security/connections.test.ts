import { once } from "node:events";
import { Agent, request } from "node:http";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { nothing, publicAccess } from "portcullis";
import { developmentCertificate } from "portcullis/node";
import { afterEach, describe, expect, it } from "vitest";
import type { FrontDoor, TestApi } from "../front-door.ts";
import { openDoor, requestText, testApi } from "../front-door.ts";

let door: FrontDoor | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await door?.close();
  door = undefined;
});

async function open(test: TestApi, options: Parameters<typeof openDoor>[1] = {}): Promise<FrontDoor> {
  door = await openDoor(test, options);
  return door;
}

/** A connection that says nothing; `from` is any address of this machine. */
async function idle(port: number, from = "127.0.0.1", to = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host: to, localAddress: from });
  sockets.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Whether the other side lets a connection live: it gets an answer to a request. */
async function answers(socket: Socket): Promise<number | "closed"> {
  if (socket.destroyed) return "closed";
  const answer = new Promise<number | "closed">((resolve) => {
    socket.once("data", (chunk: Buffer) => resolve(Number(chunk.toString("latin1").split(" ")[1])));
    socket.once("close", () => resolve("closed"));
  });
  socket.write(requestText("GET /v1/open", {}));
  return answer;
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !isTrue(); tries++) await wait(20);
  expect(isTrue()).toBe(true);
}

describe("rate-limit: one address does not take every connection there is", () => {
  it("has as many as it may; one more is closed at once, and others do not notice", async () => {
    const { port } = await open(testApi(), { maxConnectionsPerAddress: 3 });
    const held = [await idle(port), await idle(port), await idle(port)];
    expect(await answers(await idle(port))).toBe("closed");
    expect(await answers(await idle(port, "127.0.0.2"))).toBe(200);
    for (const socket of held) expect(await answers(socket)).toBe(200);
  });

  it("has room again as soon as one of them ends", async () => {
    const { port } = await open(testApi(), { maxConnectionsPerAddress: 2 });
    const first = await idle(port);
    await idle(port);
    expect(await answers(await idle(port))).toBe("closed");
    first.destroy();
    let outcome: number | "closed" = "closed";
    for (let tries = 0; tries < 100 && outcome === "closed"; tries++) {
      outcome = await answers(await idle(port));
      await wait(10);
    }
    expect(outcome).toBe(200);
  });

  it("what is closed at once takes no connection from the others either", async () => {
    const { port } = await open(testApi(), { maxConnectionsPerAddress: 1, maxConnections: 2 });
    await idle(port);
    for (let i = 0; i < 20; i++) expect(await answers(await idle(port))).toBe("closed");
    expect(await answers(await idle(port, "127.0.0.2"))).toBe(200);
  });

  it("is one address by IPv4 and by the IPv6 that means it", async () => {
    const { port } = await open(testApi({ proxies: { trusted: ["10.0.0.0/8"], header: "x-forwarded-for" } }), {
      host: "::",
      maxConnectionsPerAddress: 1,
    });
    await idle(port);
    expect(await answers(await idle(port))).toBe("closed");
    expect(await answers(await idle(port, "127.0.0.2"))).not.toBe("closed");
  });

  it("over TLS before any handshake", async () => {
    const folder = mkdtempSync(join(tmpdir(), "portcullis-"));
    try {
      const { cert, key, ca } = developmentCertificate({ folder });
      const { port } = await open(testApi(), { tls: { cert, key }, host: "127.0.0.1", maxConnectionsPerAddress: 1 });
      const secured = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca });
      sockets.push(secured);
      await once(secured, "secureConnect");
      expect(await answers(await idle(port))).toBe("closed");
      expect(await answers(secured)).toBe(200);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("a trusted proxy carries everybody, and is not counted", async () => {
    const { port } = await open(testApi({ proxies: { trusted: ["127.0.0.1"], header: "x-forwarded-for" } }), {
      maxConnectionsPerAddress: 1,
    });
    const held = [await idle(port), await idle(port), await idle(port)];
    for (const socket of held) expect(await answers(socket)).toBe(200);
    await idle(port, "127.0.0.2");
    expect(await answers(await idle(port, "127.0.0.2"))).toBe("closed");
  });

  it("leaves an event a second with a count, and no line for each", async () => {
    const { port, events, entries } = await open(testApi(), { maxConnectionsPerAddress: 1 });
    await idle(port);
    for (let i = 0; i < 30; i++) await answers(await idle(port));
    await until(() => events().some((event) => event.type === "connections-refused"));
    const refused = events().filter((event) => event.type === "connections-refused");
    expect(refused.length).toBeLessThan(10);
    expect(refused[0]).toMatchObject({ protection: "rate-limit", reason: expect.stringContaining("127.0.0.1") });
    expect(entries.filter((entry) => entry.kind === "call")).toEqual([]);
  });

  it("256 where nothing is said, and only numbers that make sense", async () => {
    const { port } = await open(testApi());
    const held: Socket[] = [];
    for (let i = 0; i < 256; i++) held.push(await idle(port));
    expect(await answers(await idle(port))).toBe("closed");
    expect(await answers(held[255] ?? (await idle(port)))).toBe(200);
    for (const maxConnectionsPerAddress of [0, -1, 1.5, Number.NaN]) {
      await expect(openDoor(testApi(), { maxConnectionsPerAddress })).rejects.toThrow(/maxConnectionsPerAddress/);
    }
  });
});

describe("errors: too many, too late, and never dropped without a trace", () => {
  it("beyond maxConnections the answer is 503 overloaded; beyond twice as many they are closed, with an event", async () => {
    const { port, events, entries } = await open(testApi(), { maxConnections: 1 });
    await idle(port);
    const second = await idle(port);
    expect(await answers(second)).toBe(503);
    await idle(port);
    await until(() => entries.some((entry) => entry.kind === "call" && entry.code === "overloaded"));
    const third = await idle(port);
    expect(await answers(third)).toBe("closed");
    await until(() => events().some((event) => event.type === "connections-refused"));
    expect(events()).toContainEqual(
      expect.objectContaining({ type: "refused", code: "overloaded", reason: expect.stringContaining("connections") }),
    );
  });

  it("a request that arrives while the process stops is 503 stopping, and the one under way gets its answer", async () => {
    const test = testApi();
    let goOn: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      test.api.route(
        { path: "GET /v1/slow", access: publicAccess("x"), output: nothing, limit: "1000/s" },
        () =>
          new Promise<void>((answer) => {
            goOn = answer;
            resolve();
          }),
      );
    });
    const { port, entries, close } = await open(test);
    const slow = await idle(port);
    const slowAnswer = new Promise<string>((resolve) => {
      slow.once("data", (chunk: Buffer) => resolve(chunk.toString("latin1")));
    });
    slow.write(requestText("GET /v1/slow", {}));
    await asked;
    // Half a request: the connection is not idle when the process begins to stop.
    const late = await idle(port);
    const text = requestText("GET /v1/open", {});
    late.write(text.slice(0, 20));
    await wait(100);
    const closed = close();
    const lateAnswer = new Promise<string>((resolve) => {
      late.once("data", (chunk: Buffer) => resolve(chunk.toString("latin1")));
    });
    late.write(text.slice(20));
    const said = await lateAnswer;
    expect(said).toMatch(/^HTTP\/1\.1 503 /);
    expect(said).toContain('"code":"stopping"');
    expect(said.toLowerCase()).toContain("connection: close");
    goOn();
    expect(await slowAnswer).toMatch(/^HTTP\/1\.1 204 /);
    await closed;
    door = undefined;
    expect(entries).toContainEqual(expect.objectContaining({ kind: "event", type: "refused", code: "stopping" }));
  });

  it("a connection may be used as often as it likes: Node drops no request of it, and has no answer of its own", async () => {
    const { port } = await open(testApi());
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const used = new Set<number | undefined>();
    const statuses = new Set<number | undefined>();
    for (let i = 0; i < 1_200; i++) {
      await new Promise<void>((resolve, reject) => {
        const sent = request({ host: "127.0.0.1", port, path: "/v1/open", agent, headers: { host: "localhost" } });
        sent.once("error", reject);
        sent.once("response", (answer) => {
          statuses.add(answer.statusCode);
          used.add(answer.socket.localPort);
          answer.resume();
          answer.once("end", resolve);
        });
        sent.end();
      });
    }
    agent.destroy();
    expect([[...statuses], used.size]).toEqual([[200], 1]);
  });
});

describe("transport: where an API can be reached", () => {
  it("an IPv6 address stands in brackets in the URL, as RFC 3986 has it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "portcullis-"));
    try {
      const { cert, key } = developmentCertificate({ folder });
      const { url, port } = await open(testApi(), { tls: { cert, key }, host: "::ffff:127.0.0.1" });
      expect(url).toBe(`https://[::ffff:127.0.0.1]:${port}`);
      expect(new URL(url).port).toBe(String(port));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
