import type { ApiConfig, Listening } from "portcullis";
import { anyCaller, createApi, nothing, publicAccess, refuse } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { testApi, token } from "../front-door.ts";

let open: Listening | undefined;
let nowMs = 1_000_000;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** The clock stands still until a test moves it. */
const clock = { now: () => 1_800_000_000_000 + nowMs, monotonic: () => nowMs };

async function serve(limits: ApiConfig["limits"], more: Partial<ApiConfig> = {}) {
  const high = {
    global: "100000/s",
    address: "100000/s",
    wideAddress: "100000/s",
    caller: "100000/s",
    failures: "100000/s",
  } as const;
  const test = testApi({ clock, limits: { ...high, ...limits }, ...more });
  test.api.route({ path: "GET /v1/mine", access: anyCaller, output: nothing, limit: "3/min" }, () => undefined);
  test.api.route({ path: "GET /v1/other", access: anyCaller, output: nothing, limit: "3/min" }, () => undefined);
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
  open = await test.api.listen({ port: 0, handleSignals: false });
  return { url: open.url, test };
}

/** Tokens are made with the real clock; the tests' clock agrees with it. */
async function as(subject: string, headers: Readonly<Record<string, string>> = {}): Promise<RequestInit> {
  const seconds = Math.floor(clock.now() / 1000);
  return {
    headers: { authorization: `Bearer ${await token(subject, { iat: seconds, exp: seconds + 600 })}`, ...headers },
  };
}

describe("rate-limit", () => {
  it("admits exactly the limit, then 429 with an exact Retry-After, then again", async () => {
    const { url } = await serve({});
    const alice = await as("alice");
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await fetch(`${url}/v1/mine`, alice)).status);
    const refused = await fetch(`${url}/v1/mine`, alice);
    expect([...statuses, refused.status]).toEqual([204, 204, 204, 429]);
    const wait = Number(refused.headers.get("retry-after"));
    expect(wait).toBe(60);
    expect(refused.headers.get("ratelimit")).toBe('"route-2";r=0;t=60');
    nowMs += wait * 1000;
    expect((await fetch(`${url}/v1/mine`, alice)).status).toBe(204);
  });

  it("counts routes apart, callers apart, and not by any header a client can write", async () => {
    const { url } = await serve({});
    for (let i = 0; i < 3; i++) await fetch(`${url}/v1/mine`, await as("alice"));
    expect((await fetch(`${url}/v1/other`, await as("alice"))).status).toBe(204);
    expect((await fetch(`${url}/v1/mine`, await as("bob"))).status).toBe(204);
    for (const name of [
      "x-forwarded-for",
      "forwarded",
      "x-real-ip",
      "true-client-ip",
      "cf-connecting-ip",
      "x-client-ip",
    ]) {
      const spoofed = await as("alice", { [name]: name === "forwarded" ? "for=9.9.9.9" : "9.9.9.9" });
      expect((await fetch(`${url}/v1/mine`, spoofed)).status, name).toBe(429);
    }
  });

  it("bounds an address that proves nothing, on every path, and lets proved callers behind it through", async () => {
    const { url } = await serve({ address: "5/min" });
    const alice = await as("alice");
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) statuses.push((await fetch(`${url}/v1/none${i}`)).status);
    expect(statuses).toEqual([404, 404, 404, 404, 404, 429, 429]);
    nowMs += 61_000;
    // A proved caller gives the address its reservation back.
    for (let i = 0; i < 3; i++) expect((await fetch(`${url}/v1/mine`, alice)).status).toBe(204);
    for (let i = 0; i < 3; i++) expect((await fetch(`${url}/v1/other`, alice)).status).toBe(204);
  });

  it("stops guessing once the failure budget is spent, and neighbours who are known already do not notice", async () => {
    const { url } = await serve({ failures: "4/5min" });
    const alice = await as("alice");
    expect((await fetch(`${url}/v1/mine`, alice)).status).toBe(204);
    for (let i = 0; i < 4; i++) expect((await fetch(`${url}/v1/mine`)).status).toBe(401);
    expect((await fetch(`${url}/v1/mine`)).status).toBe(429);
    expect((await fetch(`${url}/v1/mine`, await as("mallory"))).status).toBe(429);
    expect((await fetch(`${url}/v1/mine`, alice)).status).toBe(204);
  });

  it("counts failures of one account from wherever they come, and successes not at all", async () => {
    const { url } = await serve({});
    const signIn = (user: string, password: string): Promise<Response> =>
      fetch(`${url}/v1/sign-in`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ user, password }),
      });
    for (let i = 0; i < 4; i++) expect((await signIn("alice", "right")).status).toBe(204);
    nowMs += 61_000;
    expect((await signIn("alice", "wrong")).status).toBe(401);
    expect((await signIn("ALICE", "wrong")).status).toBe(401);
    expect((await signIn("alice", "wrong")).status).toBe(429);
    expect((await signIn("bob", "right")).status).toBe(204);
  });

  it("writes one event a second for an address that floods, with an exact count", async () => {
    const { url, test } = await serve({ failures: "2/5min" });
    for (let i = 0; i < 50; i++) await fetch(`${url}/v1/none`);
    await open?.close();
    const flood = test.events().filter((event) => event.code === "failure-budget-spent");
    expect(flood).toHaveLength(1);
    expect(flood[0]?.count).toBe(48);
  });

  it("says the older headers where it is asked to", async () => {
    const { url } = await serve({}, { rateLimitHeaders: "both" });
    const answer = await fetch(`${url}/v1/mine`, await as("alice"));
    expect(answer.headers.get("x-ratelimit-limit")).toBe("3");
    expect(answer.headers.get("x-ratelimit-remaining")).toBe("2");
    expect(answer.headers.get("ratelimit-policy")).toBe('"route-2";q=3;w=60');
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
