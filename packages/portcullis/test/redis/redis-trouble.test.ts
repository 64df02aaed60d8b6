import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { redisLimiter } from "../../src/adapters/redis-limiter.ts";
import type { Decision, Dimension, Limiter } from "../../src/limits/limiter.ts";
import { key } from "../limits/limiter-contract.ts";
import { clientOptions, ready, type RedisServer, startRedis } from "./redis-server.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
beforeEach(() => server.restart());
afterAll(() => server.stop());

const dimensions: readonly Dimension[] = [{ name: "caller", rate: { limit: 100, windowMs: 3_600_000 } }];
let made = 0;

/** Time and timers that pass when the test says so. */
class Hand {
  ms = 1000;
  #timers: { atMs: number; work: () => void }[] = [];

  now = (): number => this.ms;
  schedule = (delayMs: number, work: () => void): void => void this.#timers.push({ atMs: this.ms + delayMs, work });

  async pass(ms: number): Promise<void> {
    this.ms += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.ms);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.ms);
    for (const { work } of due) work();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Made {
  readonly limiter: Limiter;
  readonly hand: Hand;
  readonly said: string[];
  readonly client: Redis;
  readonly prefix: string;
}

async function make(options: { instances?: number; prefix?: string; client?: Redis } = {}): Promise<Made> {
  const hand = new Hand();
  const said: string[] = [];
  const client = options.client ?? (await server.connect());
  const prefix = options.prefix ?? `trouble-${made++}`;
  const limiter = redisLimiter({ client, prefix })({
    dimensions,
    instances: options.instances ?? 4,
    now: hand.now,
    randomBytes: (count) => randomBytes(count),
    service: "trouble",
    schedule: hand.schedule,
    emit: (type) => void said.push(type),
  });
  return { limiter, hand, said, client, prefix };
}

/** What Redis has counted for everybody under this prefix. */
async function counted(client: Redis, prefix: string): Promise<number> {
  let sum = 0;
  for (const counter of await client.keys(`{${prefix}}:caller:*`)) {
    for (const cost of Object.values(await client.hgetall(counter))) sum += Number(cost);
  }
  return sum;
}

/** Waits for what the machine does in its own time: a connection, an answer that was on its way. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Lets time pass until the limiter has found out that Redis is back. */
async function recovery({ hand, said }: Made): Promise<void> {
  await until(async () => {
    await hand.pass(250);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return said.at(-1) === "limiter-recovered";
  });
}

async function admitted(count: number, settle: () => Decision | Promise<Decision>): Promise<number> {
  let passed = 0;
  for (let i = 0; i < count; i++) if ((await settle()).admitted) passed++;
  return passed;
}

describe("rate-limit: Redis limiter, a Redis that stands still", () => {
  it("lets no request wait longer than the budget, and none at all after three", async () => {
    const one = await make();
    const tariff = one.limiter.tariff([{ dimension: 0 }]);
    await tariff.settle([key(1)]);
    server.stall();
    const waiting = [1, 2, 3].map(() => tariff.settle([key(1)]));
    let answered = 0;
    for (const decision of waiting) {
      expect(decision).toBeInstanceOf(Promise);
      void Promise.resolve(decision).then(() => answered++);
    }
    await one.hand.pass(24);
    expect(answered).toBe(0);
    await one.hand.pass(1);
    expect(answered).toBe(3);
    for (const decision of waiting) expect(await decision).toMatchObject({ admitted: true, limit: 25 });
    expect(one.said).toEqual(["limiter-degraded"]);
    // From now on nothing is awaited: the decision is there at once, and nothing is sent.
    for (let i = 0; i < 22; i++) expect(tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 25 });
    expect(tariff.settle([key(1)])).toMatchObject({ admitted: false, limit: 25, remaining: 0 });
  });

  it("counts nothing twice when it goes on: what was decided without it is taken out there", async () => {
    const one = await make();
    const tariff = one.limiter.tariff([{ dimension: 0 }]);
    expect(await admitted(10, () => tariff.settle([key(1)]))).toBe(10);
    server.stall();
    const waiting = [1, 2, 3].map(() => tariff.settle([key(1)]));
    await one.hand.pass(25);
    for (const decision of waiting) expect((await decision).admitted).toBe(true);
    expect(await admitted(22, () => tariff.settle([key(1)]))).toBe(22);
    server.resume();
    await recovery(one);
    await until(async () => (await counted(one.client, one.prefix)) === 10);
    expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 100, remaining: 89 });
    expect(one.said).toEqual(["limiter-degraded", "limiter-recovered"]);
  });

  it("is given up while it is too slow, and asked again in the background only", async () => {
    const one = await make();
    const tariff = one.limiter.tariff([{ dimension: 0 }]);
    await tariff.settle([key(1)]);
    server.stall();
    const waiting = [1, 2, 3].map(() => tariff.settle([key(1)]));
    await one.hand.pass(25);
    for (const decision of waiting) await decision;
    for (let i = 0; i < 10; i++) {
      // A question of our own is on its way now, and late again.
      await one.hand.pass(250);
      expect(tariff.settle([key(1)])).not.toBeInstanceOf(Promise);
      await one.hand.pass(25);
    }
    expect(one.said).toEqual(["limiter-degraded"]);
  });
});

describe("rate-limit: Redis limiter, a Redis that is gone", () => {
  it("keeps all processes together within the limit by their shares, and within twice in a window that spans the loss", async () => {
    const prefix = `together-${made++}`;
    const four = await Promise.all([1, 2, 3, 4].map(() => make({ prefix })));
    const tariffs = four.map(({ limiter }) => limiter.tariff([{ dimension: 0 }]));
    let before = 0;
    for (const tariff of tariffs) before += await admitted(40, () => tariff.settle([key(1)]));
    expect(before).toBe(100);
    await server.kill();
    await until(() => four.every(({ client }) => client.status !== "ready"));
    let alone = 0;
    for (const tariff of tariffs) alone += await admitted(40, () => tariff.settle([key(1)]));
    expect(alone).toBe(100);
    expect(four.map(({ said }) => said)).toEqual(four.map(() => ["limiter-degraded"]));
  });

  it("answers at once where the connection is gone, and counts there again when it is back", async () => {
    const one = await make();
    const tariff = one.limiter.tariff([{ dimension: 0 }]);
    expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 100 });
    await server.kill();
    await until(() => one.client.status !== "ready");
    expect(tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 25, remaining: 24 });
    await server.restart();
    await ready(one.client);
    // Nobody is made to try: it is asked in the background first.
    expect(tariff.settle([key(1)])).not.toBeInstanceOf(Promise);
    await recovery(one);
    expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 100, remaining: 99 });
    expect(await counted(one.client, one.prefix)).toBe(1);
  });

  it("sends nothing a second time that was on its way when the connection broke", async () => {
    const one = await make();
    const tariff = one.limiter.tariff([{ dimension: 0 }]);
    await tariff.settle([key(1)]);
    server.stall();
    const cut = tariff.settle([key(1)]);
    await server.kill();
    expect(await cut).toMatchObject({ admitted: true, limit: 25 });
    await server.restart();
    await ready(one.client);
    expect(await counted(one.client, one.prefix)).toBe(0);
    expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 100, remaining: 99 });
  });

  it("refuses to decide where guessing is counted, or where a share is less than one", async () => {
    const one = await make({ instances: 101 });
    const strict = (await make()).limiter.tariff([{ dimension: 0 }], { isStrict: true });
    const small = one.limiter.tariff([{ dimension: 0 }]);
    expect((await strict.settle([key(1)])).admitted).toBe(true);
    await server.kill();
    await until(() => one.client.status !== "ready");
    expect(() => small.settle([key(1)])).toThrow("Redis did not decide");
    await until(() => {
      try {
        return strict.settle([key(1)]) instanceof Promise && false;
      } catch (error) {
        return error instanceof Error && error.message.startsWith("Redis did not decide");
      }
    });
  });

  it("goes on counting failures in each process: its part of the budget, and what it knew of", async () => {
    const one = await make();
    const failures = one.limiter.tariff([{ dimension: 0 }]);
    for (let i = 0; i < 24; i++) failures.charge([key(1)]);
    await server.kill();
    await until(() => one.client.status !== "ready");
    expect(failures.peek([key(1)]).admitted).toBe(true);
    failures.charge([key(1)]);
    expect(failures.peek([key(1)])).toMatchObject({ admitted: false });
    expect(failures.peek([key(2)]).admitted).toBe(true);
  });
});

describe("rate-limit: Redis limiter, a Redis that says something else", () => {
  it("sends the script again where the server has forgotten it, and counts once", async () => {
    const one = await make();
    const tariff = one.limiter.tariff([{ dimension: 0 }]);
    for (let remaining = 99; remaining > 95; remaining--) {
      await one.client.script("FLUSH");
      expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 100, remaining });
    }
    expect(one.said).toEqual([]);
  });

  const troubles: readonly (readonly [
    string,
    (redis: Redis) => Promise<unknown>,
    (redis: Redis) => Promise<unknown>,
  ])[] = [
    [
      "READONLY, a replica that was a primary",
      (redis) => redis.replicaof("127.0.0.1", 1),
      (redis) => redis.replicaof("NO", "ONE"),
    ],
    [
      "OOM, its memory is full",
      (redis) => redis.config("SET", "maxmemory", "1"),
      (redis) => redis.config("SET", "maxmemory", "0"),
    ],
  ];
  it.each(troubles)("goes on by its share: %s; and comes back", async (_name, begin, end) => {
    const one = await make();
    const other = await server.connect();
    const tariff = one.limiter.tariff([{ dimension: 0 }]);
    expect(await tariff.settle([key(1)])).toMatchObject({ limit: 100, remaining: 99 });
    await begin(other);
    try {
      // Each of the first three asks and is told; the fourth asks no more.
      for (const remaining of [24, 23, 22]) {
        expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 25, remaining });
      }
      expect(tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 25, remaining: 21 });
      await one.hand.pass(250);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(one.said).toEqual(["limiter-degraded"]);
    } finally {
      await end(other);
    }
    await recovery(one);
    expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 100, remaining: 98 });
  });

  it.each([
    ["LOADING", "-LOADING Redis is loading the dataset in memory\r\n"],
    ["nonsense", "+OK\r\n"],
    ["numbers that are no decision", "*2\r\n:1\r\n:1\r\n"],
    ["a decision in words", "*5\r\n$1\r\n1\r\n:1\r\n:0\r\n:0\r\n:0\r\n"],
  ])("takes no word for a decision that is none: %s", async (_name, said) => {
    // Not Redis, but a socket that answers like one: what a proxy, or a server that starts, may say.
    const impostor = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (data) => {
        for (const _command of data.toString().matchAll(/\*\d+\r\n/g)) socket.write(said);
      });
    });
    await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
    const address = impostor.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    const options = { ...clientOptions, enableReadyCheck: false, disableClientInfo: true, protocol: 2 } as const;
    const client = new Redis({ port: address.port, host: "127.0.0.1", ...options });
    client.on("error", () => undefined);
    await ready(client);
    const { limiter } = await make({ client });
    const tariff = limiter.tariff([{ dimension: 0 }]);
    expect(await tariff.settle([key(1)])).toMatchObject({ admitted: true, limit: 25, remaining: 24 });
    client.disconnect();
    await new Promise((resolve) => impostor.close(resolve));
  });
});

describe("rate-limit: Redis limiter, failures that several processes see", () => {
  it("closes a budget in the other processes at their next look after a failure of their own", async () => {
    const prefix = `failures-${made++}`;
    const four = await Promise.all([1, 2, 3, 4].map(() => make({ prefix })));
    const budgets = four.map(({ limiter }) => limiter.tariff([{ dimension: 0 }]));
    let failed = 0;
    // One guesser, sent to the processes in turn, who waits for each answer.
    for (let turn = 0; turn < 400; turn++) {
      const budget = budgets[turn % 4];
      if (budget?.peek([key(1)]).admitted !== true) continue;
      failed++;
      budget.charge([key(1)]);
      await four[turn % 4]?.client.ping();
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Each process lets one more through before it hears of it.
    expect(failed).toBeGreaterThanOrEqual(100);
    expect(failed).toBeLessThanOrEqual(103);
    expect(budgets[0]?.peek([key(1)])).toMatchObject({ admitted: false, remaining: 0 });
    expect(budgets[0]?.peek([key(2)])).toMatchObject({ admitted: true });
  });

  it("gives a try back to all of them", async () => {
    const prefix = `tries-${made++}`;
    const [one, other] = await Promise.all([make({ prefix }), make({ prefix })]);
    const tries = one.limiter.tariff([{ dimension: 0, cost: 100 }], { isStrict: true });
    const decision = await tries.settle([key(1)]);
    const elsewhere = other.limiter.tariff([{ dimension: 0, cost: 100 }], { isStrict: true });
    expect((await elsewhere.settle([key(1)])).admitted).toBe(false);
    if (decision.admitted) decision.giveBack();
    await until(async () => (await counted(one.client, prefix)) === 0);
    expect((await elsewhere.settle([key(1)])).admitted).toBe(true);
  });
});
