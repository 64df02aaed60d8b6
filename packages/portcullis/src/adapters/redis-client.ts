import type { Problem } from "../environment.ts";

/**
 * What is asked of a Redis client: the shape of an ioredis instance, so that the library depends on no client. Valkey
 * speaks the same.
 *
 * @see https://github.com/redis/ioredis
 */
export interface RedisClient {
  /** `ready` while commands are sent at once. */
  readonly status: string;
  readonly options: {
    /** Must be false: what waits in a queue is decided long after its caller has gone. */
    readonly enableOfflineQueue?: boolean | undefined;
    /** Must be 0: what was in flight when the connection broke is refused, and never sent a second time. */
    readonly maxRetriesPerRequest?: number | null | undefined;
  };
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>;
}

/**
 * What would stop the start: a client that holds commands back while Redis is gone, or sends them twice.
 *
 * @param where  who was given the client, as the developer wrote it
 */
export function clientProblems(client: RedisClient, where: string): readonly Problem[] {
  const { enableOfflineQueue, maxRetriesPerRequest } = client.options;
  const problems: Problem[] = [];
  if (enableOfflineQueue !== false) {
    problems.push({
      where,
      field: "client",
      problem:
        "it keeps commands in an offline queue while Redis is gone, and replays them when their callers have left",
      fix: "make it with new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 })",
    });
  }
  if (maxRetriesPerRequest !== 0) {
    problems.push({
      where,
      field: "client",
      problem: "it sends a command again when the connection broke, which counts a call twice",
      fix: "make it with new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 })",
    });
  }
  return problems;
}
