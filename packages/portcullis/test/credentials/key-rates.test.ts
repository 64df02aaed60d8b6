import { anyCaller, nothing } from "portcullis";
import { afterAll, describe, expect, it } from "vitest";
import { apiKeys } from "../../src/gates/api-keys.ts";
import { issueApiKey, rotateApiKey } from "../../src/lib/issue-api-key.ts";
import { memoryKeyStore } from "../../src/lib/memory-key-store.ts";
import { openDoor, routeUntyped, testApi, type FrontDoor } from "../front-door.ts";

describe("api-keys: limits of single keys", () => {
  const store = memoryKeyStore();
  const opened: FrontDoor[] = [];
  afterAll(() => Promise.all(opened.map((door) => door.close())));

  async function open(rates: readonly ("3/h" | "5/h")[], limits = {}) {
    const test = testApi({ credentials: [apiKeys({ prefix: "prj", store, rates })], ...limits });
    routeUntyped(test.api, { path: "GET /v1/me", access: anyCaller, output: nothing });
    const door = await openDoor(test);
    opened.push(door);
    return async (key: string) => {
      const reply = await door.ask("GET /v1/me", { headers: { Authorization: `Bearer ${key}` } });
      return reply.code ?? reply.status;
    };
  }
  const issue = async (rate?: "3/h" | "5/h" | "60/60min") =>
    issueApiKey({ store, prefix: "prj", subject: "alice", scopes: [], name: "k", rate });

  it("count each key by itself, and keys without one not at all", async () => {
    const ask = await open(["3/h", "5/h"]);
    const [slow, other, faster, free] = [await issue("3/h"), await issue("3/h"), await issue("5/h"), await issue()];
    const said = async (key: string) => [await ask(key), await ask(key), await ask(key), await ask(key)];
    expect(await said(slow.key)).toEqual([204, 204, 204, "rate-limited"]);
    expect(await said(other.key)).toEqual([204, 204, 204, "rate-limited"]);
    expect(await said(faster.key)).toEqual([204, 204, 204, 204]);
    expect(await said(free.key)).toEqual([204, 204, 204, 204]);
    expect(await said(slow.key)).toEqual(Array.from({ length: 4 }, () => "rate-limited"));
  });

  it("come on top of the caller's own", async () => {
    const ask = await open(["5/h"], {
      limits: { global: "1000/s", address: "1000/s", caller: "2/h", failures: "1000/s" },
    });
    const { key } = await issue("5/h");
    expect([await ask(key), await ask(key), await ask(key)]).toEqual([204, 204, "rate-limited"]);
  });

  it("refuse a key whose limit nobody counts: it could not be decided", async () => {
    const ask = await open(["3/h"]);
    const { key } = await issue("5/h");
    expect(await ask(key)).toBe("limiter-unavailable");
  });

  it("go with the key when it is rotated, spelled one way", async () => {
    const { record } = await issue("60/60min");
    expect(record.rate).toBe("60/h");
    const next = await rotateApiKey({ store, prefix: "prj", id: record.id, subject: "alice" });
    expect(next?.record.rate).toBe("60/h");
  });

  it("stop the start where they make no sense", () => {
    const credential = apiKeys({ prefix: "prj", store, rates: ["0/min"] });
    const { api } = testApi({ credentials: [credential] });
    expect(api.problems().map(({ problem }) => problem)).toContainEqual(expect.stringContaining("0/min"));
  });
});
