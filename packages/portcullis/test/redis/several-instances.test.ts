import {
  anyCaller,
  type ApiConfig,
  createApi,
  dangerouslyDivideLimits,
  nothing,
  publicAccess,
  refuse,
  type RouteLimit,
  signIn,
} from "portcullis";
import { redisLimiter } from "portcullis/redis";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { type FrontDoor, openDoor, type Reply, testApi } from "../front-door.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

let server: RedisServer;
let doors: readonly FrontDoor[] = [];
let clients: readonly Redis[] = [];
beforeAll(async () => {
  server = await startRedis();
});
beforeEach(() => server.restart());
afterEach(async () => {
  for (const door of doors) await door.close();
});
afterAll(() => server.stop());

type ApiLimits = NonNullable<ApiConfig["limits"]>;

const wide = { global: "100000/s", address: "100000/s", wideAddress: "100000/s", caller: "100000/s" } as const;
const secretOfCursors = "several instances: 0123456789abcdef";

/** Four instances of one API behind one Redis, with a sign-in and two counted routes. */
async function openFour(limit: RouteLimit["rate"] = "6/min", failures: RouteLimit["rate"] = "100000/s"): Promise<void> {
  clients = await Promise.all([1, 2, 3, 4].map(() => server.connect()));
  doors = await Promise.all(
    clients.map(async (client) => {
      const test = testApi({
        limits: { ...wide, failures, instances: 4, limiter: redisLimiter({ client, budgetMs: 1000 }) },
        cursors: { secret: secretOfCursors },
      });
      test.api.route({ path: "GET /v1/counted", access: anyCaller, output: nothing, limit }, () => undefined);
      test.api.route(
        {
          path: "POST /v1/sign-in",
          access: publicAccess("who signs in has no credential yet"),
          input: { body: z.strictObject({ email: z.email().max(254), password: z.string().max(128) }) },
          output: nothing,
          startsSession: { account: "body.email" },
          limit: signIn("body.email").filter((one) => one.counts === "failures"),
        },
        ({ body }) => (body.password === "right" ? undefined : refuse("sign-in-failed", "wrong")),
      );
      return openDoor(test);
    }),
  );
}

async function ask(turn: number, line: string, request?: Parameters<FrontDoor["ask"]>[1]): Promise<Reply> {
  const door = doors[turn % 4];
  if (door === undefined) throw new Error("there are four");
  return door.ask(line, request);
}

describe("rate-limit, four instances and one Redis", () => {
  it("goes on counting over a release that puts other routes in front, while both versions run", async () => {
    const released = ["9/min", "6/min"] as const;
    doors = await Promise.all(
      [[], released].map(async (before) => {
        const client = await server.connect();
        const test = testApi({
          limits: { ...wide, instances: 2, limiter: redisLimiter({ client, budgetMs: 1000 }) },
          cursors: { secret: secretOfCursors },
        });
        for (const [n, limit] of before.entries()) {
          const path = `GET /v1/new-${n}` as const;
          test.api.route({ path, access: anyCaller, output: nothing, limit }, () => undefined);
        }
        const limit = "6/min";
        test.api.route({ path: "GET /v1/counted", access: anyCaller, output: nothing, limit }, () => undefined);
        return openDoor(test);
      }),
    );
    const statuses: (number | undefined)[] = [];
    for (let turn = 0; turn < 10; turn++) {
      statuses.push((await doors[turn % 2]?.ask("GET /v1/counted", { as: "alice" }))?.status);
    }
    expect(statuses).toEqual([204, 204, 204, 204, 204, 204, 429, 429, 429, 429]);
    expect((await doors[1]?.ask("GET /v1/new-1", { as: "alice" }))?.status).toBe(204);
  });

  it("counts a caller's requests once, whichever instance answers, and tells him what is left over all", async () => {
    await openFour();
    const replies: Reply[] = [];
    for (let turn = 0; turn < 10; turn++) replies.push(await ask(turn, "GET /v1/counted", { as: "alice" }));
    expect(replies.map(({ status }) => status)).toEqual([204, 204, 204, 204, 204, 204, 429, 429, 429, 429]);
    expect(replies.map(({ headers }) => /r=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1])).toEqual([
      "5",
      "4",
      "3",
      "2",
      "1",
      "0",
      "0",
      "0",
      "0",
      "0",
    ]);
    expect((await ask(0, "GET /v1/counted", { as: "bob" })).status).toBe(204);
  });

  it("gives a guesser the same few tries of an account, however he spreads them, all at once too", async () => {
    await openFour();
    const guess = (turn: number, password = "wrong", email = "alice@example.com") =>
      ask(turn, "POST /v1/sign-in", { json: { email, password } });
    const replies = await Promise.all(Array.from({ length: 24 }, (_, turn) => guess(turn)));
    const statuses = replies.map(({ status }) => status);
    expect([statuses.filter((one) => one === 401).length, statuses.filter((one) => one === 429).length]).toEqual([
      5, 19,
    ]);
    // Successes cost no try, on no instance.
    for (let turn = 0; turn < 12; turn++) expect((await guess(turn, "right", "bob@example.com")).status).toBe(204);
  });

  it("bounds an address that tries doors by one failure budget, not by four", async () => {
    await openFour("6/min", "20/h");
    let tried = 0;
    for (let turn = 0; turn < 120; turn++) {
      if ((await ask(turn, `GET /v1/none-${turn}`)).status === 404) tried++;
      // Answered after what was told before it, on the same connection: what is on its way comes on top.
      await clients[turn % 4]?.ping();
    }
    expect(tried).toBeGreaterThanOrEqual(20);
    expect(tried).toBeLessThanOrEqual(23);
  });

  it("while Redis is gone, lets each instance pass its share, refuses sign-ins, and says so once", async () => {
    await openFour("8/min");
    expect((await ask(0, "GET /v1/counted", { as: "alice" })).status).toBe(204);
    await server.kill();
    const statuses: number[] = [];
    for (let turn = 0; turn < 24; turn++) statuses.push((await ask(turn, "GET /v1/counted", { as: "bob" })).status);
    expect(statuses.filter((status) => status === 204)).toHaveLength(8);
    expect(statuses.filter((status) => status === 429)).toHaveLength(16);
    const refused = await ask(0, "POST /v1/sign-in", { json: { email: "alice@example.com", password: "right" } });
    expect([refused.status, refused.code]).toEqual([503, "limiter-unavailable"]);
    for (const door of doors) {
      const told = () => door.events().filter(({ type }) => type === "limiter-degraded");
      while (told().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(told().map(({ protection }) => protection)).toEqual(["rate-limit"]);
    }
  });
});

describe("rate-limit, several instances, start-up", () => {
  const base = { name: "x", hosts: ["localhost"], credentials: [], cursors: { secret: secretOfCursors } };
  const problemsOf = (limits: ApiLimits) => {
    const api = createApi({ ...base, limits });
    api.route({ path: "GET /v1/a", access: publicAccess("a test"), output: nothing }, () => undefined);
    return api.problems();
  };
  const careful = () => new Redis({ lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 });

  it("refuses several processes that would each count for itself, and names both ways out", () => {
    const found = problemsOf({ instances: 4 });
    expect(found).toMatchObject([{ where: "createApi", field: "limits.limiter" }]);
    expect(found[0]?.fix).toContain("redisLimiter");
    expect(found[0]?.fix).toContain("dangerouslyDivideLimits");
    expect(problemsOf({ instances: 1 })).toEqual([]);
  });

  it("takes divided limits for a written reason only, and where every part is at least 1", () => {
    const reason = "one machine, four workers, no Redis there";
    expect(problemsOf({ instances: 4, limiter: dangerouslyDivideLimits(reason) })).toEqual([]);
    expect(problemsOf({ instances: 4, limiter: dangerouslyDivideLimits(" ") })).toMatchObject([
      { field: "limits.limiter" },
    ]);
    expect(problemsOf({ limiter: dangerouslyDivideLimits(reason) })).toMatchObject([{ field: "limits.instances" }]);
    expect(problemsOf({ instances: 4, address: "3/min", limiter: dangerouslyDivideLimits(reason) })).toMatchObject([
      { field: "limits" },
    ]);
  });

  it("refuses a Redis client that queues while it is offline, and one that sends twice", () => {
    const found = problemsOf({ instances: 4, limiter: redisLimiter({ client: new Redis({ lazyConnect: true }) }) });
    expect(found.map(({ where, field }) => [where, field])).toEqual([
      ["redisLimiter", "client"],
      ["redisLimiter", "client"],
    ]);
    for (const { fix } of found) expect(fix).toContain("{ enableOfflineQueue: false, maxRetriesPerRequest: 0 }");
    const client = careful();
    expect(problemsOf({ instances: 4, limiter: redisLimiter({ client }) })).toEqual([]);
  });

  it.each([
    ["instances unsaid", { instances: undefined }, {}, "limits.instances"],
    ["no instance", { instances: 0 }, {}, "limits.instances"],
    ["half an instance", { instances: 1.5 }, {}, "limits.instances"],
    ["no budget", { instances: 2 }, { budgetMs: 0 }, "budgetMs"],
    ["a budget of an hour", { instances: 2 }, { budgetMs: 3_600_000 }, "budgetMs"],
    ["a prefix that ends the hash tag", { instances: 2 }, { prefix: "a}b" }, "prefix"],
  ])("refuses %s", (_name, { instances }, options, field) => {
    const client = careful();
    const limiter = redisLimiter({ client, ...options });
    const found = problemsOf({ limiter, ...(instances !== undefined && { instances }) });
    expect(found.map((one) => one.field)).toEqual([field]);
  });
});
