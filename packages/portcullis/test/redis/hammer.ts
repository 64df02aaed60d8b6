/**
 * One of several processes that hammer one Redis: makes the limiter of the scenario it is sent, calls as fast as it can,
 * and sends back what the server answered to each call. Run by `several-processes.test.ts`.
 */
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { redisLimiter } from "../../src/adapters/redis-limiter.ts";
import type { RedisClient } from "../../src/adapters/redis-client.ts";
import { key } from "../limits/limiter-contract.ts";
import type { Answered, Scenario } from "./scenario.ts";
import { clientOptions, ready } from "./redis-server.ts";

const client = new Redis({ host: "127.0.0.1", port: Number(process.argv[2]), ...clientOptions });
await ready(client);

process.on("message", (scenario: Scenario) => {
  void hammer(scenario).then((answered) => process.send?.(answered));
});
process.on("disconnect", () => client.disconnect());
process.send?.([]);

async function hammer({ name, rates, costs, keys, calls, atATime }: Scenario): Promise<readonly Answered[]> {
  const answered: Answered[] = [];
  const limiter = redisLimiter({ client: listening(answered), budgetMs: 1000, prefix: name })({
    dimensions: rates.map((rate, index) => ({ name: `d${index}`, rate })),
    instances: 4,
    now: () => performance.now(),
    randomBytes: (count) => randomBytes(count),
    service: name,
    schedule: (delayMs, work) => void setTimeout(work, delayMs).unref(),
    emit: (type, reason) => {
      throw new Error(`${type}: ${reason}`);
    },
  });
  const tariffs = costs.map((each) => limiter.tariff(each.map((cost, dimension) => ({ dimension, cost }))));
  await Promise.all(
    Array.from({ length: atATime }, async (_, worker) => {
      for (let turn = worker; turn < calls; turn += atATime) {
        const tariff = tariffs[turn % tariffs.length];
        // The first dimension counts a few keys, the second all of them together.
        await tariff?.settle(rates.map((_rate, dimension) => key(dimension === 0 ? turn % keys : 0)));
        // A pause now and then, so that windows pass and processes overtake each other.
        if (turn % 5 === 0) await new Promise((resolve) => setTimeout(resolve, turn % 7));
      }
    }),
  );
  return answered;
}

/** The same client; remembers what each decision was asked and answered. */
function listening(answered: Answered[]): RedisClient {
  const remember = async (asking: Promise<unknown>, keyCount: number, rest: (string | number)[]) => {
    const answer = await asking;
    const [admitted, tick, ...standings]: readonly unknown[] = Array.isArray(answer) ? answer : [];
    const counters = rest.slice(1, keyCount).map(String);
    answered.push({
      counters,
      costs: counters.map((_, i) => Number(rest[keyCount + 2 + 4 * i])),
      admitted: admitted === 1,
      tick: Number(tick),
      waits: counters.map((_, i) => Number(standings[3 * i + 1])),
    });
    return answer;
  };
  return {
    get status() {
      return client.status;
    },
    options: client.options,
    evalsha: (sha1, keyCount, ...rest) => remember(client.evalsha(sha1, keyCount, ...rest), keyCount, rest),
    eval: (script, keyCount, ...rest) => remember(client.eval(script, keyCount, ...rest), keyCount, rest),
  };
}
