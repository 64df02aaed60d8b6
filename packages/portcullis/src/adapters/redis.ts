/**
 * What several processes share through Redis or Valkey: counts. The client is yours, an ioredis instance.
 *
 * @packageDocumentation
 */
export type { RedisClient } from "./redis-client.ts";
export { redisLimiter } from "./redis-limiter.ts";
export type { RedisLimiterOptions } from "./redis-limiter.ts";
