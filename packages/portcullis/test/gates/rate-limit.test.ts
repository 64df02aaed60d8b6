import type { ApiConfig, RoutePolicy } from "portcullis";
import { anyCaller, createApi, jwt, nothing, publicAccess, refuse, secret, signIn } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Limiter, Tariff } from "../../src/limits/limiter.ts";
import { createMemoryLimiter } from "../../src/limits/memory-limiter.ts";
import type { FrontDoor, Reply } from "../front-door.ts";
import { bearer, jwtSecret, noteIds, openDoor, testApi } from "../front-door.ts";

let nowMs = 1_000_000;
/** The clock stands still until a test moves it. */
const clock = { now: () => 1_800_000_000_000 + nowMs, monotonic: () => nowMs };

const high = {
  global: "100000/s",
  address: "100000/s",
  wideAddress: "100000/s",
  caller: "100000/s",
  failures: "100000/s",
} as const;

let door: FrontDoor | undefined;
afterEach(async () => {
  await door?.close();
  door = undefined;
});

async function serve(limits: ApiConfig["limits"] = {}, more: Partial<ApiConfig> = {}): Promise<FrontDoor> {
  const test = testApi({ clock, limits: { ...high, ...limits }, ...more });
  const add = (path: "GET /v1/mine" | "GET /v1/other"): void =>
    test.api.route({ path, access: anyCaller, output: nothing, limit: "3/min" }, () => undefined);
  add("GET /v1/mine");
  add("GET /v1/other");
  test.api.route(
    { path: "GET /v1/public", access: publicAccess("x"), output: nothing, limit: "3/min" },
    () => undefined,
  );
  test.api.route({ path: "GET /v1/unlimited", access: anyCaller, output: nothing, limit: "100000/s" }, () => undefined);
  test.api.route(
    {
      path: "POST /v1/sign-in",
      access: publicAccess("signing in"),
      input: { body: z.strictObject({ user: z.string().max(50), password: z.string().max(50) }) },
      output: nothing,
      startsSession: { account: "body.user" },
      limit: [
        { rate: "100/min", by: "address" },
        { rate: "5/min", by: "body.user" },
        { rate: "2/h", by: "body.user", counts: "failures" },
      ],
    },
    ({ body }) => (body.password === "right" ? undefined : refuse("sign-in-failed", "wrong password")),
  );
  door = await openDoor(test);
  return door;
}

/** A token of the tests' time. */
function as(subject: string, claims: Readonly<Record<string, unknown>> = {}) {
  const seconds = Math.floor(clock.now() / 1000);
  return bearer(subject, { iat: seconds, exp: seconds + 600, ...claims });
}

async function times<T>(count: number, run: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < count; i++) results.push(await run(i));
  return results;
}

const statusOf = (reply: Reply): number => reply.status;

describe("rate-limit", () => {
  it("admits exactly the limit, then 429 with an exact Retry-After, then again", async () => {
    const { ask } = await serve();
    const headers = await as("alice");
    const statuses = (await times(3, () => ask("GET /v1/mine", { headers }))).map(statusOf);
    const refused = await ask("GET /v1/mine", { headers });
    expect([...statuses, refused.status]).toEqual([204, 204, 204, 429]);
    expect(refused.json).toMatchObject({ code: "rate-limited", title: "Too many requests" });
    const wait = Number(refused.headers.get("retry-after"));
    expect(wait).toBe(60);
    expect(refused.headers.get("ratelimit")).toBe('"route-2";r=0;t=60');
    nowMs += wait * 1000 - 1;
    expect((await ask("GET /v1/mine", { headers })).status).toBe(429);
    nowMs += 1;
    expect((await ask("GET /v1/mine", { headers })).status).toBe(204);
  });

  it("does not lengthen the wait of a client that keeps knocking", async () => {
    const { ask } = await serve();
    const headers = await as("alice");
    await times(3, () => ask("GET /v1/mine", { headers }));
    nowMs += 30_000;
    const knocking = await times(20, () => ask("GET /v1/mine", { headers }));
    expect(knocking.every((reply) => reply.headers.get("retry-after") === "30")).toBe(true);
    nowMs += 30_000;
    expect((await ask("GET /v1/mine", { headers })).status).toBe(204);
  });

  it("never admits more than the limit in any window, also across a boundary", async () => {
    const { ask } = await serve();
    const headers = await as("alice");
    nowMs += 59_000 - (nowMs % 60_000);
    expect((await times(4, () => ask("GET /v1/mine", { headers }))).map(statusOf)).toEqual([204, 204, 204, 429]);
    nowMs += 2_000;
    expect((await ask("GET /v1/mine", { headers })).status).toBe(429);
  });

  it("counts routes apart, callers apart, and not by any header a client can write", async () => {
    // A proxy that says nothing here; without one, headers of proxies are refused on plain http.
    const { ask } = await serve({}, { proxies: { trusted: ["127.0.0.1"], header: "fly-client-ip" } });
    await times(3, async () => ask("GET /v1/mine", { headers: await as("alice") }));
    await times(3, () => ask("GET /v1/public"));
    expect((await ask("GET /v1/other", { headers: await as("alice") })).status).toBe(204);
    expect((await ask("GET /v1/mine", { headers: await as("bob") })).status).toBe(204);
    for (const name of [
      "x-forwarded-for",
      "forwarded",
      "x-real-ip",
      "true-client-ip",
      "cf-connecting-ip",
      "x-client-ip",
    ]) {
      const value = name === "forwarded" ? "for=9.9.9.9" : "9.9.9.9";
      const spoofed = { ...(await as("alice")), [name]: value };
      expect((await ask("GET /v1/mine", { headers: spoofed })).status, name).toBe(429);
      expect((await ask("GET /v1/public", { headers: { [name]: value } })).status, name).toBe(429);
    }
  });

  it("counts a caller's tokens together and a HEAD like a GET", async () => {
    const { ask } = await serve();
    await ask("GET /v1/mine", { headers: await as("alice", { jti: "1" }) });
    await ask("HEAD /v1/mine", { headers: await as("alice", { jti: "2" }) });
    await ask("GET /v1/mine", { headers: await as("alice", { jti: "3" }) });
    expect((await ask("GET /v1/mine", { headers: await as("alice", { jti: "4" }) })).status).toBe(429);
  });

  it("bounds an address that proves nothing, on every path, and lets proved callers behind it through", async () => {
    const { ask } = await serve({ address: "5/min" });
    const headers = await as("alice");
    const statuses = (await times(7, (i) => ask(`GET /v1/none${i}`))).map(statusOf);
    expect(statuses).toEqual([404, 404, 404, 404, 404, 429, 429]);
    nowMs += 61_000;
    // A proved caller gives the address its reservation back.
    expect((await times(3, () => ask("GET /v1/mine", { headers }))).map(statusOf)).toEqual([204, 204, 204]);
    expect((await times(3, () => ask("GET /v1/other", { headers }))).map(statusOf)).toEqual([204, 204, 204]);
  });

  it("keeps forged tokens in the narrow share of strangers", async () => {
    const { ask } = await serve({ address: "3/min" });
    const forged = (i: number) => ask("GET /v1/mine", { headers: { Authorization: `Bearer forged${i}.a.b` } });
    expect((await times(4, forged)).map(statusOf)).toEqual([401, 401, 401, 429]);
  });

  it("lets strangers hold their share of the whole and no more", async () => {
    const { ask } = await serve({ global: "10/min", unprovedShare: 0.3 });
    const statuses = (await times(4, (i) => ask(`GET /v1/none${i}`))).map(statusOf);
    expect(statuses).toEqual([404, 404, 404, 429]);
    nowMs += 61_000;
    const headers = await as("alice");
    expect((await times(8, () => ask("GET /v1/unlimited", { headers }))).every(({ status }) => status === 204)).toBe(
      true,
    );
  });

  it("takes nothing from others for a call it refuses", async () => {
    const { ask } = await serve({ global: "8/min", unprovedShare: 1 });
    const mallory = await as("mallory");
    const flood = (await times(30, () => ask("GET /v1/mine", { headers: mallory }))).map(statusOf);
    expect(flood.filter((status) => status === 204)).toHaveLength(3);
    const alice = await as("alice");
    const honest = (await times(5, () => ask("GET /v1/unlimited", { headers: alice }))).map(statusOf);
    expect(honest).toEqual([204, 204, 204, 204, 204]);
  });

  it("takes nothing from a stranger's address either for a call it refuses", async () => {
    const { ask } = await serve({ address: "5/min" });
    const statuses = (await times(10, () => ask("GET /v1/public"))).map(statusOf);
    expect(statuses.filter((status) => status === 204)).toHaveLength(3);
    expect((await times(3, () => ask("GET /v1/open"))).map(statusOf)).toEqual([200, 200, 429]);
  });

  it("does not show one caller what all of them together use", async () => {
    const { ask } = await serve({ global: "1/min", unprovedShare: 1 });
    const headers = await as("alice");
    await ask("GET /v1/unlimited", { headers });
    nowMs += 1_000;
    const refused = await ask("GET /v1/unlimited", { headers });
    expect([refused.status, refused.headers.has("ratelimit"), refused.headers.get("retry-after")]).toEqual([
      429,
      false,
      "59",
    ]);
  });

  it("bounds a tenant whoever calls in its name", async () => {
    const tenants = jwt({
      issuer: "https://id.example",
      audience: "https://api.example",
      keys: secret(jwtSecret),
      tenant: (claims) => (typeof claims["tid"] === "string" ? claims["tid"] : undefined),
    });
    const { ask } = await serve({ tenant: "3/min" }, { credentials: [tenants] });
    const ofTenant = async (subject: string, tid: string) =>
      (await ask("GET /v1/unlimited", { headers: await as(subject, { tid }) })).status;
    expect(await ofTenant("a", "acme")).toBe(204);
    expect(await ofTenant("b", "acme")).toBe(204);
    expect(await ofTenant("c", "acme")).toBe(204);
    expect(await ofTenant("d", "acme")).toBe(429);
    expect(await ofTenant("a", "globex")).toBe(204);
  });

  it("stops guessing once the failure budget is spent, and neighbours who are known already do not notice", async () => {
    const { ask } = await serve({ failures: "4/5min" });
    const headers = await as("alice");
    expect((await ask("GET /v1/mine", { headers })).status).toBe(204);
    expect((await times(4, () => ask("GET /v1/mine"))).map(statusOf)).toEqual([401, 401, 401, 401]);
    expect((await ask("GET /v1/mine")).code).toBe("failure-budget-spent");
    expect((await ask("GET /v1/mine", { headers: await as("mallory") })).status).toBe(429);
    expect((await ask("GET /v1/mine", { headers })).status).toBe(204);
    nowMs += 300_000;
    expect((await ask("GET /v1/mine")).status).toBe(401);
  });

  it("charges a proved caller's failures to himself and not to the address", async () => {
    const { ask } = await serve({ failures: "3/5min" });
    const mallory = { headers: await as("mallory") };
    const guesses = await times(4, () => ask(`GET /v1/notes/${noteIds[1]}`, mallory));
    expect(guesses.map((reply) => reply.code)).toEqual([
      "object-not-found",
      "object-not-found",
      "object-not-found",
      "failure-budget-spent",
    ]);
    expect((await ask("GET /v1/mine", mallory)).status).toBe(429);
    expect((await ask(`GET /v1/notes/${noteIds[1]}`, { headers: await as("bob") })).status).toBe(200);
    expect((await ask("GET /v1/open")).status).toBe(200);
  });

  it("charges nobody for what the server broke or the client misspelt", async () => {
    const { ask } = await serve({ failures: "2/5min" });
    const misspelt = (await times(5, () => ask("GET /v1/open?no=field"))).map(statusOf);
    expect(misspelt).toEqual([400, 400, 400, 400, 400]);
  });

  it("counts failures of one account from wherever they come, and successes not at all", async () => {
    const { ask } = await serve();
    const enter = async (user: string, password: string): Promise<number> =>
      (await ask("POST /v1/sign-in", { json: { user, password } })).status;
    for (let i = 0; i < 4; i++) expect(await enter("alice", "right")).toBe(204);
    nowMs += 61_000;
    expect(await enter("alice", "wrong")).toBe(401);
    expect(await enter("ALICE", "wrong")).toBe(401);
    expect(await enter("alice", "wrong")).toBe(429);
    expect(await enter("bob", "right")).toBe(204);
  });

  it("counts a limit that several forms share in one place, whichever of them is tried", async () => {
    const test = testApi({ clock, limits: high });
    const form = (path: `POST /${string}`, limit: RoutePolicy["limit"]) =>
      test.api.route(
        {
          path,
          access: publicAccess("signing in"),
          input: { body: z.strictObject({ user: z.string().max(50), password: z.string().max(50) }) },
          output: nothing,
          startsSession: { account: "body.user" },
          ...(limit === undefined ? {} : { limit }),
        },
        ({ body }) => (body.password === "right" ? undefined : refuse("sign-in-failed", "wrong password")),
      );
    form("POST /v1/sign-in", undefined);
    form("POST /v1/change", signIn("body.user"));
    // In another place of its list, and after a limit of its own.
    form("POST /v1/delete", [{ rate: "100/min", by: "address" }, ...signIn("body.user").slice(1)]);
    form("POST /v1/apart", [{ rate: "5/h", by: "body.user", counts: "failures" }]);
    const { ask } = (door = await openDoor(test));
    const guess = async (path: string, user: string) => {
      nowMs += 60_000;
      return (await ask(`POST /v1/${path}`, { json: { user, password: "wrong" } })).status;
    };
    const forms = ["sign-in", "change", "delete"];
    expect(await times(5, (at) => guess(forms[at % 3] ?? "", "alice"))).toEqual([401, 401, 401, 401, 401]);
    expect(await times(3, (at) => guess(forms[at] ?? "", "alice"))).toEqual([429, 429, 429]);
    expect([await guess("apart", "alice"), await guess("delete", "bob")]).toEqual([401, 401]);
    expect(test.api.problems()).toEqual([]);
    form("POST /v1/twice", [...signIn("body.user"), ...signIn("body.user")]);
    expect(test.api.problems().map(({ problem }) => problem)).toEqual(["shares one count with itself"]);
  });

  it("gives one account one budget however its name is spelt", async () => {
    const { ask } = await serve();
    const spellings = [
      "alice@example.com",
      " Alice@Example.com ",
      "ＡＬＩＣＥ@example.com",
      "alice@EXAMPLE.com",
      "alice@example.com",
    ];
    const codes = await times(6, async (i) => {
      const user = spellings[i] ?? "alice@example.com";
      return (await ask("POST /v1/sign-in", { json: { user, password: "right" } })).status;
    });
    expect(codes).toEqual([204, 204, 204, 204, 204, 429]);
  });

  it("lets no number of tries at the same time past the failures that are left", async () => {
    const { ask } = await serve();
    const tries = await Promise.all(
      Array.from({ length: 4 }, () => ask("POST /v1/sign-in", { json: { user: "carol", password: "wrong" } })),
    );
    expect(tries.map(statusOf).sort()).toEqual([401, 401, 429, 429]);
  });

  it("writes one event a second for an address that floods, with an exact count", async () => {
    const { ask, close, events } = await serve({ failures: "2/5min" });
    await times(50, () => ask("GET /v1/none"));
    await close();
    const flood = events().filter((event) => event.code === "failure-budget-spent");
    expect(flood).toHaveLength(1);
    expect(flood[0]?.count).toBe(48);
  });

  it("says the older headers where it is asked to, and none where it is asked to", async () => {
    const both = await serve({}, { rateLimitHeaders: "both" });
    const answer = await both.ask("GET /v1/mine", { headers: await as("alice") });
    expect(answer.headers.get("x-ratelimit-limit")).toBe("3");
    expect(answer.headers.get("x-ratelimit-remaining")).toBe("2");
    expect(answer.headers.get("ratelimit-policy")).toBe('"route-2";q=3;w=60');
    await both.close();
    const none = await serve({}, { rateLimitHeaders: "none" });
    const silent = await times(4, async () => none.ask("GET /v1/mine", { headers: await as("alice") }));
    expect(silent.map((reply) => [reply.headers.has("ratelimit"), reply.headers.has("retry-after")])).toEqual([
      [false, false],
      [false, false],
      [false, false],
      [false, true],
    ]);
  });

  it("refuses to start where a limit makes no sense", () => {
    const found = createApi({
      name: "x",
      hosts: ["localhost"],
      credentials: [],
      limits: { global: { limit: 0, windowMs: 1 } },
    }).problems();
    expect(found.map((one) => one.field)).toContain("limits");
  });
});

describe("rate-limit, a limiter that cannot decide", () => {
  const ways: readonly (readonly [string, Tariff["settle"]])[] = [
    [
      "throws",
      () => {
        throw new Error("the store is gone");
      },
    ],
    ["rejects", () => Promise.reject(new Error("the store is gone"))],
    ["never answers", () => new Promise(() => undefined)],
  ];
  it.each(ways)("refuses with 503 where it %s, and runs nothing", async (_way, settle) => {
    const test = testApi({
      handlerTimeoutMs: 50,
      limits: {
        limiter: (options): Limiter => {
          const memory = createMemoryLimiter(options);
          return { ...memory, tariff: (demands) => ({ ...boundTariff(memory.tariff(demands)), settle }) };
        },
      },
    });
    let ran = 0;
    test.api.route({ path: "GET /v1/counted", access: anyCaller, output: nothing }, () => void ran++);
    door = await openDoor(test);
    const reply = await door.ask("GET /v1/counted", { as: "alice" });
    expect([reply.status, reply.code, ran]).toEqual([503, "limiter-unavailable", 0]);
    expect(reply.said).not.toContain("store is gone");
    expect((await door.ask("GET /v1/open")).status).toBe(503);
  });
});

/** The tariff's methods, free of the object they came from. */
function boundTariff(tariff: Tariff): Tariff {
  return {
    demands: tariff.demands,
    reserve: (keys) => tariff.reserve(keys),
    settle: (keys, reservation) => tariff.settle(keys, reservation),
    peek: (keys) => tariff.peek(keys),
    charge: (keys) => tariff.charge(keys),
  };
}
