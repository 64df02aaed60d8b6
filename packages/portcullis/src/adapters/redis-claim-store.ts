import { randomBytes } from "node:crypto";
import type { ClaimStore } from "../webhooks/claim-store.ts";
import { redisScript } from "./redis-script.ts";
import { openRedisStore, type RedisStoreOptions } from "./redis-store.ts";

/**
 * Keeps claims on webhook deliveries in Redis or Valkey, for all instances: each step is one script, leases and memories
 * end by the server's clock. Give it a database that evicts nothing (`maxmemory-policy noeviction`): a delivery that is
 * forgotten can run again. One that must not run again after the server was restarted needs `appendonly yes`.
 *
 * A claim whose answer was late may have been taken: the delivery is then held by nobody until its lease ends.
 *
 * @throws OptionsError for a client that queues or retries, and for a prefix or a time that makes no sense
 */
export function redisClaimStore(options: RedisStoreOptions): ClaimStore {
  const store = openRedisStore({ prefix: "portcullis", ...options }, "redisClaimStore");
  const place = (key: string): readonly string[] => [store.key(`claim:${key}`)];

  return {
    kind: "redis",
    reach: "network",
    async claim(key, leaseMs) {
      const token = randomBytes(16).toString("base64url");
      const answer = await store.ask(claimScript, place(key), [`${heldBy}${token}`, Math.ceil(leaseMs)]);
      if (answer === -1) return { state: "claimed", token };
      if (answer === -2) return { state: "done" };
      if (typeof answer !== "number" || answer < 0) throw new TypeError("Redis did not answer with a claim");
      return { state: "held", forMs: Math.max(1, answer) };
    },
    async done(key, token, { keepMs }) {
      return (await store.ask(doneScript, place(key), [`${heldBy}${token}`, Math.ceil(keepMs)])) === 1;
    },
    async release(key, token) {
      await store.ask(releaseScript, place(key), [`${heldBy}${token}`]);
    },
  };
}

/** Begins the value of a held delivery, so that no token is taken for a done one. */
const heldBy = "held:";

const claimScript = redisScript(`
local held = redis.call("GET", KEYS[1])
if not held then
  redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
  return -1
end
if held == "done" then return -2 end
return redis.call("PTTL", KEYS[1])
`);

// A lease that has ended is forgotten by the server: who comes late is told no, and the delivery is free.
const doneScript = redisScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], "done", "PX", ARGV[2])
return 1
`);

const releaseScript = redisScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])
`);
