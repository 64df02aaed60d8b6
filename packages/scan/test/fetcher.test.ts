import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createFetcher, type Fetcher } from "../src/fetcher.ts";
import { createPacer } from "../src/pace.ts";
import type { Policy } from "../src/target.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function fetcherFor(limits: Policy["limits"], answer: RequestListener): Promise<Fetcher> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  const url = new URL(`http://127.0.0.1:${address.port}/`);
  const fetcher = createFetcher({ url, policy: { ...policy, limits }, pacer: createPacer(() => 15_000) });
  closing.push(
    () =>
      new Promise((resolve) => {
        fetcher.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return fetcher;
}

const policy: Omit<Policy, "limits"> = {
  hosts: [],
  origins: undefined,
  transport: {},
  proxies: { trusted: [], header: undefined },
  credentials: [],
  version: undefined,
  bodyMaxBytes: undefined,
  json: {},
  resources: {},
  unknown: [],
};

const stranger = { method: "GET", target: "/secret", headers: [], label: "nobody" } as const;

describe("what strangers send", () => {
  it("comes from other addresses of this machine where one has used its limit up, and exceeds it from none", async () => {
    const counts = new Map<string, number>();
    const fetcher = await fetcherFor({ failures: { limit: 10, windowMs: 60_000 } }, (request, response) => {
      const from = request.socket.remoteAddress ?? "";
      counts.set(from, (counts.get(from) ?? 0) + 1);
      response.writeHead(401).end();
    });
    // Where a system knows one loopback address only, the tenth request would have to wait for a minute, and is refused.
    const sent = await Promise.allSettled(Array.from({ length: 20 }, () => fetcher.send(stranger)));
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(10);
    const isPossible = counts.size > 1;
    expect(sent.filter(({ status }) => status === "fulfilled").length).toBe(isPossible ? 20 : 9);
  });

  it("leaves half of what the usual address may fail at to those that have to come from there", async () => {
    const counts = new Map<string, number>();
    const fetcher = await fetcherFor({ failures: { limit: 20, windowMs: 60_000 } }, (request, response) => {
      const from = request.socket.remoteAddress ?? "";
      counts.set(from, (counts.get(from) ?? 0) + 1);
      response.writeHead(401).end();
    });
    await Promise.allSettled(Array.from({ length: 19 }, () => fetcher.send(stranger)));
    expect(counts.get("127.0.0.1")).toBe(counts.size > 1 ? 9 : 19);
    const claims = { ...stranger, headers: [["x-forwarded-for", "203.0.113.7"]] as const };
    await Promise.allSettled(Array.from({ length: 10 }, () => fetcher.send(claims)));
    expect(counts.get("127.0.0.1")).toBe(19);
  });

  it("comes from the usual address where a request says where it is from", async () => {
    const from = new Set<string | undefined>();
    const fetcher = await fetcherFor({ failures: { limit: 3, windowMs: 60_000 } }, (request, response) => {
      from.add(request.socket.remoteAddress);
      response.writeHead(401).end();
    });
    const claims = { ...stranger, headers: [["x-forwarded-for", "203.0.113.7"]] as const };
    await Promise.allSettled(Array.from({ length: 6 }, () => fetcher.send(claims)));
    expect([...from]).toEqual(["127.0.0.1"]);
  });

  it("waits together until a limit is over, and does not find that out one by one", async () => {
    let asked = 0;
    let openAt = Number.POSITIVE_INFINITY;
    const fetcher = await fetcherFor({}, (_request, response) => {
      asked += 1;
      if (openAt === Number.POSITIVE_INFINITY) openAt = performance.now() + 1000;
      response.writeHead(performance.now() >= openAt ? 200 : 429, { "retry-after": "1" }).end();
    });
    const first = fetcher.send(stranger);
    await expect.poll(() => asked).toBe(1);
    const rest = await Promise.all([first, ...Array.from({ length: 8 }, () => fetcher.send(stranger))]);
    expect(rest.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => 200));
    expect(asked).toBeLessThanOrEqual(11);
  });
});

/** A server that says the same bytes again and again as soon as it is asked, and never closes. */
async function talking(bytes: string, everyMs: number): Promise<Fetcher> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(bytes);
      const timer = setInterval(() => socket.write(bytes), everyMs);
      socket.once("close", () => clearInterval(timer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  const url = new URL(`http://127.0.0.1:${address.port}/`);
  const limits = {};
  const fetcher = createFetcher({
    url,
    policy: { ...policy, limits },
    pacer: createPacer(() => 15_000),
    timeoutMs: 1000,
  });
  closing.push(async () => {
    fetcher.close();
    server.close();
  });
  return fetcher;
}

describe("a name below localhost", () => {
  it("is this machine, whatever a resolver says, and stays the name that is asked for", async () => {
    const hosts: (string | undefined)[] = [];
    const { url } = await fetcherFor({}, (request, response) => {
      hosts.push(request.headers.host);
      response.end();
    });
    const named = new URL(`http://no-such-name.portcullis.localhost:${url.port}/`);
    const fetcher = createFetcher({ url: named, policy: { ...policy, limits: {} }, pacer: createPacer(() => 15_000) });
    expect((await fetcher.send(stranger)).status).toBe(200);
    const wire = { parts: [`GET / HTTP/1.1\r\nHost: ${named.host}\r\n\r\n`] };
    expect((await fetcher.raw(wire)).answers[0]?.status).toBe(200);
    fetcher.close();
    expect(hosts).toEqual([named.host, named.host]);
  });
});

describe("a server that does not want to end", () => {
  it("has answered when it switches to another protocol", async () => {
    const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
    const fetcher = await talking(switching, 20);
    expect((await fetcher.send(stranger)).status).toBe(101);
  });

  it("is not listened to for ever, whether it gives hints, drips or answers again and again", async () => {
    for (const bytes of ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "x"]) {
      const fetcher = await talking(bytes, 20);
      expect((await fetcher.send(stranger)).status).toBe(0);
    }
    const fetcher = await talking("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 20);
    const { answers } = await fetcher.raw({ parts: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"] });
    expect(answers[0]?.status).toBe(200);
  });

  it("is not read in circles where it gives a length that leads back", async () => {
    const lengths = ["Content-Length: -40\r\n\r\n", "X: 000000001c\r\nTransfer-Encoding: chunked\r\n\r\n-2d\r\n"];
    for (const length of lengths) {
      const fetcher = await talking(`HTTP/1.1 200 OK\r\n${length}`, 500);
      const { answers } = await fetcher.raw({ parts: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"], timeoutMs: 300 });
      expect(answers).toEqual([]);
    }
  });

  it("is not asked what HTTP cannot write", async () => {
    const fetcher = await fetcherFor({}, (_request, response) => response.end());
    for (const odd of [{ target: "/a b" }, { headers: [["x-a", "1\r\nx-b: 2"]] as const }])
      await expect(fetcher.send({ ...stranger, ...odd })).rejects.toThrow(/cannot be written as an HTTP request/);
  });
});
