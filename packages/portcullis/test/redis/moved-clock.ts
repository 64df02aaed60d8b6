import type { Redis } from "ioredis";
import type { RedisClient } from "../../src/adapters/redis-client.ts";

/**
 * The same client, to a server whose clock the test moves. Redis has no way to set its time, and the contract suite
 * chooses instants a microsecond apart; so the one place of a script that reads the time reads it from two more
 * arguments. Everything else is what production sends, run by the real server.
 *
 * @param now  milliseconds; negative ones, which no server's clock has, count as 0
 */
export function withMovedClock(client: Redis, now: () => number): RedisClient {
  const moved = new Map<string, string>();
  const instant = (): readonly [number, number] => {
    const micros = Math.max(0, Math.floor(now() * 1000));
    return [Math.floor(micros / 1e6), micros % 1e6];
  };
  return {
    get status() {
      return client.status;
    },
    options: client.options,
    evalsha(sha1, keyCount, ...rest) {
      const source = moved.get(sha1);
      // Not known yet: the library then sends the source itself.
      if (source === undefined) return client.evalsha(sha1, keyCount, ...rest);
      return client.evalsha(source, keyCount, ...rest, ...instant());
    },
    async eval(script, keyCount, ...rest) {
      const source = script.replace('redis.call("TIME")', "{ ARGV[#ARGV - 1], ARGV[#ARGV] }");
      if (source === script) return client.eval(script, keyCount, ...rest);
      const sha1 = await client.script("LOAD", source);
      const original = await sha1Of(script);
      if (typeof sha1 === "string") moved.set(original, sha1);
      return client.eval(source, keyCount, ...rest, ...instant());
    },
  };
}

async function sha1Of(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Buffer.from(digest).toString("hex");
}
