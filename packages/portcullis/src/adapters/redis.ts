/**
 * What several processes share through Redis or Valkey: counts, API keys, sessions and claims on webhook deliveries. The
 * client is yours, an ioredis instance.
 *
 * @packageDocumentation
 */
export { redisClaimStore } from "./redis-claim-store.ts";
export type { RedisClient } from "./redis-client.ts";
export { redisKeyStore } from "./redis-key-store.ts";
export { redisLimiter } from "./redis-limiter.ts";
export type { RedisLimiterOptions } from "./redis-limiter.ts";
export { redisSessionStore } from "./redis-session-store.ts";
export type { DurableRedisStoreOptions, RedisStoreClient, RedisStoreOptions } from "./redis-store.ts";
