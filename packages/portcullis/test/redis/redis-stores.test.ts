import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redisClaimStore } from "../../src/adapters/redis-claim-store.ts";
import { redisKeyStore } from "../../src/adapters/redis-key-store.ts";
import { apiKeyStoreContract, record } from "../credentials/api-key-store.contract.ts";
import { claimStoreContract } from "../webhooks/claim-store-contract.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

let server: RedisServer;
let client: Redis;
beforeAll(async () => {
  server = await startRedis();
  client = await server.connect();
});
afterAll(() => server.stop());

let made = 0;
const dangerouslyMayForget = "a server of the tests";
const fresh = () => `store-${made++}`;

apiKeyStoreContract("the Redis store", () => redisKeyStore({ client, prefix: fresh(), dangerouslyMayForget }));

claimStoreContract(
  "Redis",
  () => ({
    store: redisClaimStore({ client, prefix: fresh() }),
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }),
  { unitMs: 50 },
);

describe("api-keys: the Redis store", () => {
  it("shows a revocation to another process within half a second, while keys are used there", async () => {
    const prefix = fresh();
    const here = redisKeyStore({ client, prefix, dangerouslyMayForget });
    const there = redisKeyStore({ client: await server.connect(), prefix, dangerouslyMayForget });
    await here.insert(record({ id: "k" }));
    await there.find("k");
    const before = there.generation();
    expect(before).toBeTypeOf("number");
    await here.revoke("k", 7);
    const revokedAt = performance.now();
    // As a process under load does: it asks at every use of a cached key.
    while (there.generation() === before) {
      expect(performance.now() - revokedAt).toBeLessThan(1000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  it("believes nothing any more half a second after Redis was last heard", async () => {
    const own = await startRedis();
    const store = redisKeyStore({ client: await own.connect(), prefix: "own", timeoutMs: 300, dangerouslyMayForget });
    await store.insert(record({ id: "k" }));
    expect(store.generation()).toBeTypeOf("number");
    own.stall();
    await expect((async () => store.find("k"))()).rejects.toThrow("did not answer within 300 ms");
    await expect.poll(() => store.generation()).toBeUndefined();
    await own.stop();
  });

  it("comes to no generation it had before when the server has forgotten everything", async () => {
    const prefix = fresh();
    const store = redisKeyStore({ client, prefix, dangerouslyMayForget });
    await store.insert(record({ id: "k" }));
    await store.revoke("k", 1);
    const before = store.generation();
    for (const key of await client.keys(`{${prefix}}*`)) await client.del(key);
    await store.insert(record({ id: "k" }));
    await store.revoke("k", 1);
    expect(store.generation()).toBeGreaterThan(before ?? Number.POSITIVE_INFINITY);
  });

  it("comes to no generation it had before after a failover to a server that had not heard of the last change", async () => {
    const prefix = fresh();
    const store = redisKeyStore({ client, prefix, dangerouslyMayForget });
    await store.insert(record({ id: "lost" }));
    await store.insert(record({ id: "k" }));
    const replicated = await client.get(`{${prefix}}:generation`);
    await store.revoke("lost", 1);
    const cachedAt = store.generation();
    // What a replica has that was promoted a moment too early.
    await client.set(`{${prefix}}:generation`, replicated ?? "");
    await client.hdel(`{${prefix}}:api-key:lost`, "revokedAt");
    await store.revoke("k", 1);
    expect(store.generation()).toBeTypeOf("number");
    expect(store.generation()).not.toBe(cachedAt);
  });

  it("refuses to write where the server would forget a revocation, unless somebody said why it may", async () => {
    const store = redisKeyStore({ client, prefix: fresh() });
    await expect((async () => store.insert(record()))()).rejects.toThrow("no append-only file");
    await expect((async () => store.revoke("id", 1))()).rejects.toThrow("no append-only file");
    expect(() => redisKeyStore({ client, prefix: fresh(), dangerouslyMayForget: " " })).toThrow("dangerouslyMayForget");
  });

  it("keeps a revocation that was answered when the server is killed, with an append-only file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "portcullis-redis-"));
    const own = await startRedis("--dir", folder, "--appendonly", "yes", "--appendfsync", "always");
    try {
      const store = redisKeyStore({ client: await own.connect(), prefix: "own" });
      await store.insert(record({ id: "k" }));
      await store.revoke("k", 7);
      await own.restart();
      const again = redisKeyStore({ client: await own.connect(), prefix: "own" });
      expect(await again.find("k")).toMatchObject({ revokedAt: 7 });
    } finally {
      await own.stop();
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses a client that queues or retries, and options that make no sense", () => {
    const careless = new Redis({ lazyConnect: true });
    expect(() => redisKeyStore({ client: careless, prefix: "own" })).toThrow("enableOfflineQueue: false");
    expect(() => redisClaimStore({ client: careless })).toThrow("enableOfflineQueue: false");
    expect(() => redisClaimStore({ client, prefix: "a}b" })).toThrow("prefix");
    expect(() => redisClaimStore({ client, timeoutMs: 0 })).toThrow("timeoutMs");
  });
});

describe("webhook-receive: the Redis claim store", () => {
  it("gives a delivery to one of two processes, and ends by itself", async () => {
    const prefix = fresh();
    const stores = [redisClaimStore({ client, prefix }), redisClaimStore({ client: await server.connect(), prefix })];
    const claims = await Promise.all(
      Array.from({ length: 40 }, async (_, turn) => stores[turn % 2]?.claim("delivery", 5_000)),
    );
    expect(claims.filter((claim) => claim?.state === "claimed")).toHaveLength(1);
    for (const key of await client.keys(`{${prefix}}*`)) {
      expect(await client.pttl(key)).toBeGreaterThan(0);
    }
  });

  it("decides nothing while the server does not answer", async () => {
    const own = await startRedis();
    const store = redisClaimStore({ client: await own.connect(), timeoutMs: 50 });
    own.stall();
    await expect((async () => store.claim("delivery", 1000))()).rejects.toThrow("did not answer within 50 ms");
    await own.stop();
    await expect((async () => store.claim("delivery", 1000))()).rejects.toThrow(Error);
  });
});
