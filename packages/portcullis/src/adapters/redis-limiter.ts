import type { Problem } from "../environment.ts";
import { ClosedKeys } from "../limits/closed-keys.ts";
import { completeDemands, enforceDimensions } from "../limits/dimensions.ts";
import { createKeyHash } from "../limits/key-hash.ts";
import type { Demand, Dimension, Limiter, TariffOptions } from "../limits/limiter.ts";
import type { DeclaredCounting, LimiterOptions, MakeLimiter } from "../limits/make-limiter.ts";
import { createMemoryLimiter } from "../limits/memory-limiter.ts";
import { parseRate } from "../limits/rate.ts";
import { clientProblems, type RedisClient } from "./redis-client.ts";
import { decideScript } from "./redis-limiter-scripts.ts";
import { RedisLink } from "./redis-link.ts";
import { RedisTariff, timeKey } from "./redis-tariff.ts";

/** How counts are kept in Redis. */
export interface RedisLimiterOptions {
  /**
   * An ioredis instance of its own, or one that the rest of the application may wait for just as little:
   * `new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 })`. Anything else stops the start.
   */
  readonly client: RedisClient;
  /** Longest time a request waits for Redis, once, in milliseconds; whole, 1 .. 1000, default 25. */
  readonly budgetMs?: number;
  /**
   * Begins every key. Default `portcullis:` and the API's name. Letters, digits, `.`, `_`, `-` and `:`; at most 64. It
   * becomes the hash tag, so that all counters of one decision lie on one node.
   */
  readonly prefix?: string;
}

/**
 * Counts in Redis (6.2 or newer) or Valkey, so that all processes together stay within every limit.
 *
 *     limits: { instances: 4, limiter: redisLimiter({ client: new Redis(url, redisClientOptions) }) }
 *
 * What a proved caller, a route or a sign-in may use is decided there: one script call per request and decision, by the
 * server's clock, never more than the limit in any window over all processes. What is decided before anything is proved
 * stays in each process: strangers have `limit / instances` per address in each, and failures are told to the others as
 * they happen.
 *
 * Redis gone, slow or read-only: no request waits longer than `budgetMs`, and none at all once three answers in a row
 * were missed. Each process then enforces `limit / instances`, rounded down, so that all together still stay within the
 * limit; a window that spans the change holds at most twice. Tries of a sign-in, and limits of fewer than one per
 * process, answer 503 `limiter-unavailable` instead. Events say `limiter-degraded` and `limiter-recovered`.
 *
 * Give the limiter a database that evicts nothing (`maxmemory-policy noeviction`): a counter that is dropped forgets.
 *
 * @returns for `limits.limiter`; a client with an offline queue or with retries, and `instances` unsaid, stop the start
 */
export function redisLimiter(options: RedisLimiterOptions): MakeLimiter {
  const { client, budgetMs = 25, prefix } = options;

  function makeRedisLimiter(api: LimiterOptions): Limiter {
    return createRedisLimiter(client, budgetMs, `{${prefix ?? `portcullis:${api.service}`}}`, api);
  }

  makeRedisLimiter.problems = ({ instances }: DeclaredCounting): readonly Problem[] => {
    const problems: Problem[] = [...clientProblems(client, "redisLimiter")];
    if (instances === undefined || !(Number.isInteger(instances) && instances >= 1 && instances <= 10_000)) {
      problems.push({
        where: "createApi",
        field: "limits.instances",
        problem:
          "nothing says how many processes share the limits, and each would take all of them while Redis is gone",
        fix: "say limits: { instances: 4 } with the largest number of processes that run at a time",
      });
    }
    if (!(Number.isInteger(budgetMs) && budgetMs >= 1 && budgetMs <= 1000)) {
      const fix = "write whole milliseconds from 1 to 1000";
      problems.push({ where: "redisLimiter", field: "budgetMs", problem: `${budgetMs} is no budget`, fix });
    }
    if (prefix !== undefined && !/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) {
      const fix = "write 1 to 64 letters, digits, dots, underscores, hyphens and colons";
      problems.push({ where: "redisLimiter", field: "prefix", problem: "it cannot be a hash tag", fix });
    }
    return problems;
  };
  return makeRedisLimiter;
}

function createRedisLimiter(client: RedisClient, budgetMs: number, prefix: string, api: LimiterOptions): Limiter {
  const { now, randomBytes, schedule, emit } = api;
  const instances = api.instances ?? 1;
  const dimensions = enforceDimensions(api.dimensions, 1);
  const shares = dimensions.map((dimension) => Math.floor(dimension.rate.limit / instances));
  const whole = createMemoryLimiter({ dimensions, now, randomBytes });
  // A part of less than one is one: what is reserved has to start somewhere. Settling refuses there instead.
  const share =
    instances === 1
      ? whole
      : createMemoryLimiter({
          dimensions: dimensions.map((one, i) => withLimit(one, shares[i] ?? 1)),
          now,
          randomBytes,
        });
  const closed = new ClosedKeys();
  const link = new RedisLink({
    client,
    budgetMs,
    now,
    schedule,
    // A decision about nothing writes the time, so a server that only reads is not taken for one that decides.
    probe: (redis) => decideScript.run(redis, [timeKey(prefix)], [0]),
    onChange: (isGone, reason) => emit(isGone ? "limiter-degraded" : "limiter-recovered", reason),
  });
  const counting = { link, prefix, now, closed, hash: createKeyHash(randomBytes(8)) };

  return Object.freeze({
    dimensions,
    tariff(demands: readonly Demand[], { isStrict = false }: TariffOptions = {}) {
      const complete = completeDemands(demands, dimensions);
      const isAllowedAlone = complete.every(({ dimension, cost }) => cost <= (shares[dimension] ?? 0));
      const own = share.tariff(
        complete.map(({ dimension, cost, scope }) => {
          return { dimension, cost: Math.min(cost, Math.max(1, shares[dimension] ?? 1)), scope };
        }),
      );
      return new RedisTariff(complete, counting, {
        whole: whole.tariff(demands),
        wholeByShare: whole.tariff(
          complete.map(({ dimension, cost, scope, of }) => {
            // Room for this much of the whole limit is room for `cost` of the part.
            const held = of.rate.limit - Math.max(1, shares[dimension] ?? 1);
            return { dimension, cost: Math.min(of.rate.limit, held + cost), scope };
          }),
        ),
        share: own,
        alone: isAllowedAlone && !isStrict ? own : undefined,
      });
    },
    memoryBytes: () => closed.bytes + whole.memoryBytes() + (share === whole ? 0 : share.memoryBytes()),
  });
}

function withLimit(dimension: Dimension, limit: number): Dimension {
  const { windowMs } = parseRate(dimension.rate);
  return { ...dimension, rate: { limit: Math.max(1, limit), windowMs } };
}
