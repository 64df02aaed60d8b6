import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import type { Redis } from "ioredis";
import { redisLimiter } from "../../src/adapters/redis-limiter.ts";
import { describeLimiter } from "../limits/limiter-contract.ts";
import { withMovedClock } from "./moved-clock.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

let server: RedisServer;
let client: Redis;
beforeAll(async () => {
  server = await startRedis();
  client = await server.connect();
});
afterAll(() => server.stop());

let made = 0;

describeLimiter(
  "Redis limiter",
  (dimensions, now) =>
    redisLimiter({ client: withMovedClock(client, now), budgetMs: 1000, prefix: `contract-${made++}` })({
      dimensions,
      instances: 1,
      now,
      randomBytes: (count) => randomBytes(count),
      service: "contract",
      schedule: (delayMs, work) => void setTimeout(work, delayMs).unref(),
      emit: (type, reason) => {
        throw new Error(`${type}: ${reason}`);
      },
    }),
  { counts: "by stage", runs: 0.1 },
);
