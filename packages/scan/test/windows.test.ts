import { createServer, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { identityOf, scan } from "../src/scan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

// A machine that stands still between the end of a window and the next misses it, and that it does so is no fault of ours.
const moments = { retry: 2 };

describe("declared limits", { timeout: 60_000 }, () => {
  it("finds windows that begin anew by the clock, on whichever operation they are looked at", moments, async () => {
    expect(await broken((at) => at - (at % windowMs))).toContain("route-window");
  });

  it("finds windows that begin anew with the first request", moments, async () => {
    expect(await broken((at, began) => (at - began < windowMs ? began : at))).toContain("route-window");
  });

  it("finds nothing where every interval counts", async () => {
    expect(await broken(undefined)).toEqual([]);
  });
});

const windowMs = 1000;
const limit = 10;

const operation = {
  security: [{ bearer: [] }],
  responses: { 200: { description: "It", content: { "application/json": { schema: { type: "object" } } } } },
  "x-portcullis": {
    access: { kind: "caller", scopes: [], roles: [] },
    limits: [{ limit, windowMs, by: "caller" }],
  },
};

const manifest = {
  openapi: "3.1.0",
  info: { title: "windows", version: "1" },
  "x-portcullis": { format: 1, name: "windows", limits: { caller: { limit: 200, windowMs } } },
  paths: { "/me": { get: operation }, "/news": { get: operation }, "/status": { get: operation } },
};

/** @param beginOf  when the window of a moment began, told by when the last one did; none: every interval counts */
async function broken(beginOf: ((at: number, began: number) => number) | undefined): Promise<readonly string[]> {
  const windows = new Map<string, { began: number; times: number[] }>();
  const isFull = (key: string) => {
    const at = Date.now();
    const last = windows.get(key) ?? { began: 0, times: [] };
    const began = beginOf === undefined ? at - windowMs : beginOf(at, last.began);
    const times = last.times.filter((time) => (beginOf === undefined ? time > began : time >= began));
    windows.set(key, { began, times });
    if (times.length >= limit) return true;
    times.push(at);
    return false;
  };
  const listening = createServer((request, response) => {
    const { authorization = "" } = request.headers;
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const answer = (status: number, headers = {}) =>
      response.writeHead(status, { "content-type": "application/json", ...headers }).end("{}");
    if (!["/me", "/news", "/status"].includes(path)) return answer(404);
    if (!/^Bearer token-of-(?:alice|bob)$/.test(authorization)) return answer(401);
    return isFull(`${path} ${authorization}`) ? answer(429, { "retry-after": "1" }) : answer(200);
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  const { verdicts } = await scan({
    url: `http://127.0.0.1:${address.port}`,
    manifest,
    only: ["rate-limit"],
    identities: [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")],
    seed: 1,
  });
  return verdicts.filter(({ verdict }) => verdict === "broken").map(({ check }) => check);
}
