import { createHash } from "node:crypto";
import type { RedisClient } from "./redis-client.ts";

/** A Lua script that runs on the server in one piece: nothing else runs in between. */
export interface RedisScript {
  /**
   * Runs it by its digest, and sends the source where the server does not have it (any more): after a restart, a
   * failover or SCRIPT FLUSH. That is no second try, because the first has run nothing.
   *
   * @param isWanted  asked before the source is sent: nobody may wait for the answer any longer
   * @returns what the script returns
   * @throws (rejects) whatever the client or the server says; the script may have run
   */
  run(
    client: RedisClient,
    keys: readonly string[],
    parameters: readonly (string | number)[],
    isWanted?: () => boolean,
  ): Promise<unknown>;
}

/** @param source  Lua; every key it touches comes in KEYS */
export function redisScript(source: string): RedisScript {
  const sha1 = createHash("sha1").update(source).digest("hex");
  return {
    async run(client, keys, parameters, isWanted) {
      try {
        return await client.evalsha(sha1, keys.length, ...keys, ...parameters);
      } catch (error) {
        if (!isUnknownScript(error) || isWanted?.() === false) throw error;
        return client.eval(source, keys.length, ...keys, ...parameters);
      }
    },
  };
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}
