import type { ApiConfig, Listening, RouteLimit, SecurityEvent } from "portcullis";
import {
  anyCaller,
  apiKeys,
  issueApiKey,
  memoryKeyStore,
  nothing,
  publicAccess,
  refuse,
  revokeApiKey,
  session,
} from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createMemoryLimiter } from "../../src/limits/memory-limiter.ts";
import { testApi, token } from "../front-door.ts";
import { raw } from "../node/raw.ts";

let open: Listening | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** The clock stands still until a test moves it. */
let nowMs = 5_000_000;
const clock = { now: () => 1_800_000_000_000 + nowMs, monotonic: () => nowMs };

const high = {
  global: "100000/s",
  address: "100000/s",
  wideAddress: "100000/s",
  caller: "100000/s",
  failures: "100000/s",
} as const;

async function serve(limits: ApiConfig["limits"], more: Partial<ApiConfig> = {}) {
  const test = testApi({ clock, limits: { ...high, ...limits }, ...more });
  test.api.route({ path: "GET /v1/mine", access: anyCaller, output: nothing, limit: "100000/s" }, () => undefined);
  open = await test.api.listen({ port: 0, handleSignals: false });
  const { port } = open;
  return {
    test,
    port,
    get: async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> => {
      const lines = Object.entries({ Host: "localhost", ...headers });
      const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      return (await raw(port, `GET ${path} HTTP/1.1\r\n${text}Connection: close\r\n\r\n`)).status;
    },
  };
}

async function as(subject: string): Promise<Readonly<Record<string, string>>> {
  const seconds = Math.floor(clock.now() / 1000);
  return { Authorization: `Bearer ${await token(subject, { iat: seconds, exp: seconds + 3_000 })}` };
}

async function times(count: number, run: () => Promise<number>): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) statuses.push(await run());
  return statuses;
}

describe("rate-limit: strangers use up what strangers have, and nothing of those who are proved", () => {
  it("lets a caller who was proved before through an address that a stranger has used up", async () => {
    const { get } = await serve({ address: "5/min" });
    const alice = await as("alice");
    expect(await get("/v1/mine", alice)).toBe(204);
    expect(await times(6, () => get("/v1/open"))).toEqual([200, 200, 200, 200, 200, 429]);
    expect(await get("/v1/mine", alice)).toBe(204);
    expect(await get("/v1/mine", await as("bob"))).toBe(429);
  });

  it("lets a caller who was proved before through when strangers hold their whole share", async () => {
    const { get } = await serve({ global: "20/min", unprovedShare: 0.25 });
    const alice = await as("alice");
    expect(await get("/v1/mine", alice)).toBe(204);
    expect(await times(6, () => get("/v1/open"))).toEqual([200, 200, 200, 200, 200, 429]);
    expect(await get("/v1/mine", alice)).toBe(204);
  });

  it("bounds what such a caller does before being proved again, such as asking for paths nobody declared", async () => {
    const { get } = await serve({ address: "2/min", wideAddress: "4/min" });
    const alice = await as("alice");
    expect(await get("/v1/mine", alice)).toBe(204);
    const statuses = await times(12, () => get("/v1/none", alice));
    expect(statuses.filter((status) => status === 404).length).toBeLessThanOrEqual(6);
    expect(statuses.at(-1)).toBe(429);
  });

  it("forgets that a credential was proved as soon as it is refused", async () => {
    const store = memoryKeyStore();
    const { key, record } = await issueApiKey({ store, prefix: "prj", subject: "alice", name: "a key", scopes: [] });
    const { get } = await serve({ failures: "2/5min" }, { credentials: [apiKeys({ prefix: "prj", store })] });
    const alice = { Authorization: `Bearer ${key}` };
    expect(await get("/v1/mine", alice)).toBe(204);
    expect(await times(3, () => get("/v1/mine"))).toEqual([401, 401, 429]);
    expect(await get("/v1/mine", alice)).toBe(204);
    await revokeApiKey({ store, id: record.id, subject: "alice" });
    expect(await times(3, () => get("/v1/mine", alice))).toEqual([401, 429, 429]);
  });
});

describe("rate-limit: what is refused early is counted too", () => {
  it("charges an unknown host to the failure budget of the address", async () => {
    const { get } = await serve({ failures: "3/5min" });
    expect(await times(3, () => get("/v1/open", { Host: "evil.example" }))).toEqual([421, 421, 421]);
    expect(await get("/v1/open")).toBe(429);
  });

  it("charges a cookie nobody knows, although it counts as absent on a public route", async () => {
    const { get } = await serve(
      { failures: "3/5min" },
      { credentials: [session({ cookies: ["__Host-session"], resolve: () => null })] },
    );
    let guess = 0;
    const statuses = await times(4, () => get("/v1/open", { Cookie: `__Host-session=guess${guess++}` }));
    expect(statuses).toEqual([200, 200, 200, 429]);
  });

  it("counts what cannot be read as requests of its address", async () => {
    const { get, port } = await serve({ address: "6/min" });
    expect(await get("/v1//open")).toBe(400);
    expect(await get("/v1/open", { "X-A": "a".repeat(17_000) })).toBe(431);
    expect(await get("/v1/open?access_token=1")).toBe(400);
    expect((await raw(port, "HELLO\r\n\r\n")).status).toBe(400);
    expect((await raw(port, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")).status).toBe(501);
    expect((await raw(port, "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n")).status).toBe(417);
    expect(await get("/v1/open")).toBe(429);
  });

  it("writes one event with a count, not one each, for an address that goes on beyond its limit", async () => {
    const { get, test } = await serve({ address: "3/min" });
    await times(3, () => get("/v1//open"));
    await times(4, () => get("/v1//open"));
    await times(5, () => get("/v1/open"));
    await open?.close();
    const refused = test.events().filter((event) => event.type === "refused");
    const counts = (code: SecurityEvent["code"]) =>
      refused.filter((event) => event.code === code).map((event) => event.count ?? 1);
    expect(counts("bad-target")).toEqual([1, 1, 1, 4]);
    expect(counts("rate-limited")).toEqual([5]);
  });

  it("records the address of a request that could not be read", async () => {
    const { get, test } = await serve({});
    await get("/v1//open");
    await get("/v1/open", { Host: "a b" });
    await open?.close();
    const calls = test.entries.filter((entry) => entry.kind === "call");
    expect(calls.map((call) => call.address)).toEqual(["127.0.0.1", "127.0.0.1"]);
  });
});

describe("rate-limit: a limit by a field of the body counts whatever the field holds", () => {
  async function pin(body: z.ZodType, limit: readonly RouteLimit[]) {
    const test = testApi({ clock });
    const policy = { path: "POST /v1/pin", access: publicAccess("a pin"), input: { body }, limit, output: nothing };
    Reflect.apply(test.api.route, test.api, [policy, () => refuse("sign-in-failed", "wrong pin")]);
    const problems = test.api.problems().map((one) => `${one.field}: ${one.problem}`);
    if (problems.length > 0) return { problems, send: () => Promise.resolve(0) };
    open = await test.api.listen({ port: 0, handleSignals: false });
    const { url } = open;
    return {
      problems,
      send: async (value: unknown): Promise<number> => {
        const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
        return (await fetch(`${url}/v1/pin`, init)).status;
      },
    };
  }
  const byAccount = [{ rate: "2/h", by: "body.account", counts: "failures" }] as const satisfies readonly RouteLimit[];
  const pinText = z.string().max(4);

  it("a number as well as a text", async () => {
    const { send } = await pin(z.strictObject({ account: z.int().min(0).max(999), pin: pinText }), byAccount);
    expect(await times(3, () => send({ account: 12, pin: "0000" }))).toEqual([401, 401, 429]);
    expect(await send({ account: 13, pin: "0000" })).toBe(401);
  });

  it("and what may be left out, or be an object, stops the start", async () => {
    const optional = await pin(z.strictObject({ account: z.string().max(9).optional(), pin: pinText }), byAccount);
    expect(optional.problems.join()).toMatch(/limit: counts by body\.account, which may be left out/);
    const list = await pin(z.strictObject({ account: z.array(z.string().max(9)).max(2), pin: pinText }), byAccount);
    expect(list.problems.join()).toMatch(/limit: counts by body\.account, which is no text and no number/);
  });

  it("a list of limits with nothing in it stops the start", async () => {
    const { problems } = await pin(z.strictObject({ account: z.string().max(9) }), []);
    expect(problems.join()).toMatch(/limit: names none/);
  });
});

describe("rate-limit: a limiter that cannot tell lets nobody through, and keeps nobody waiting", () => {
  const answers: readonly (readonly [string, () => Promise<never>])[] = [
    ["that rejects", () => Promise.reject(new Error("store down"))],
    ["that never answers", () => new Promise(() => undefined)],
  ];
  it.each(answers)("one %s: 503, for strangers, callers and limits by a field", async (_name, settle) => {
    const test = testApi({
      limits: {
        ...high,
        limiter(options) {
          const limiter = createMemoryLimiter(options);
          return { ...limiter, tariff: (demands) => Object.assign(limiter.tariff(demands), { settle }) };
        },
      },
      handlerTimeoutMs: 50,
    });
    const ran: string[] = [];
    const body = z.strictObject({ user: z.string().max(9) });
    const limit = { rate: "5/min", by: "body.user" } as const;
    test.api.route({ path: "GET /v1/mine", access: anyCaller, output: nothing }, () => void ran.push("mine"));
    test.api.route(
      { path: "POST /v1/field", access: publicAccess("x"), input: { body }, output: nothing, limit },
      () => void ran.push("field"),
    );
    open = await test.api.listen({ port: 0, handleSignals: false });
    const { url } = open;
    const headers = { authorization: `Bearer ${await token("alice")}` };
    expect((await fetch(`${url}/v1/open`)).status).toBe(503);
    expect((await fetch(`${url}/v1/mine`, { headers })).status).toBe(503);
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: '{"user":"a"}' };
    expect((await fetch(`${url}/v1/field`, init)).status).toBe(503);
    await open.close();
    expect(ran).toEqual([]);
    const codes = test.events().flatMap((event) => (event.type === "refused" ? [event.code] : []));
    expect(codes).toEqual(["limiter-unavailable", "limiter-unavailable", "limiter-unavailable"]);
  });
});
