import fc from "fast-check";
import type { ApiConfig } from "portcullis";
import { anyCaller, notAnObject, nothing, publicAccess, refuse, session } from "portcullis";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { FrontDoor } from "../front-door.ts";
import { bearer, openDoor, testApi } from "../front-door.ts";

/** The clock stands still until a test moves it. */
let nowMs = 7_000_000;
const clock = { now: () => 1_800_000_000_000 + nowMs, monotonic: () => nowMs };

let door: FrontDoor | undefined;
afterEach(async () => {
  await door?.close();
  door = undefined;
});

const listed = "https://app.example.com";

/** Callers by a cookie that a browser sends along, also from other sites: who is in `cookie` is who it is. */
const browsers = session({
  cookies: ["session"],
  dangerouslyUnprefixedCookie: "a browser sends it along from everywhere, which the tests need",
  resolve: ({ session: name = "" }) => (name === "nobody" ? null : { subject: name }),
});

async function serve(failures: string, more: Partial<ApiConfig> = {}) {
  const test = testApi({
    clock,
    origins: [listed],
    limits: {
      global: "100000/s",
      address: "100000/s",
      wideAddress: "100000/s",
      caller: "100000/s",
      failures: { limit: Number(failures.split("/")[0]), windowMs: 300_000 },
    },
    ...more,
  });
  const policy = { output: nothing, limit: "100000/s" } as const;
  test.api.route({ ...policy, path: "GET /v1/mine", access: anyCaller }, () => undefined);
  test.api.route(
    {
      ...policy,
      path: "GET /v1/invitations/:code",
      access: publicAccess("whoever has the code is invited"),
      input: { params: z.strictObject({ code: z.string().max(20) }) },
      objects: { code: notAnObject("a code is a secret and nobody's object") },
    },
    ({ params }) => (params.code === "right" ? undefined : refuse("not-found", "no such invitation")),
  );
  door = await openDoor(test);
  return door;
}

/** What a browser says of a request that a page of somebody else's made it send: an image, a script, a link. */
const ofStranger = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
const notes = "/v1/notes/11111111-1111-4111-8111-111111111111";

describe("rate-limit: a page of somebody else's makes its visitor's browser fail", () => {
  const pages: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ["with images", ofStranger],
    ["from a sibling host", { ...ofStranger, "sec-fetch-site": "same-site" }],
    ["with fetch", { ...ofStranger, origin: "https://evil.example" }],
    ["in a sandboxed frame", { ...ofStranger, origin: "null" }],
    ["in a browser that does not say Sec-Fetch-Site", { origin: "https://evil.example" }],
  ];
  it.each(pages)("%s, and the visitor's own failures stay his", async (_how, headers) => {
    const { ask } = await serve("4/5min");
    for (let i = 0; i < 40; i++) await ask(`GET ${i % 2 === 0 ? "/v1/mine" : "/none"}`, { headers });
    for (let i = 0; i < 4; i++) expect((await ask("GET /v1/mine")).status).toBe(401);
    expect((await ask("GET /v1/mine")).status).toBe(429);
  });

  it("nor does it lock out whoever is not proved yet", async () => {
    const { ask } = await serve("4/5min");
    for (let i = 0; i < 40; i++) await ask("GET /none", { headers: ofStranger });
    const seconds = Math.floor(clock.now() / 1000);
    const headers = await bearer("alice", { iat: seconds, exp: seconds + 600 });
    expect((await ask("GET /v1/mine", { headers })).status).toBe(204);
    expect((await ask("GET /v1/open")).status).toBe(200);
  });

  it("nor with preflights that are refused", async () => {
    const { ask } = await serve("4/5min");
    const headers = { ...ofStranger, origin: "https://evil.example", "access-control-request-method": "GET" };
    for (let i = 0; i < 40; i++) await ask("OPTIONS /v1/mine", { headers });
    expect((await ask("GET /v1/mine")).status).toBe(401);
  });

  it("nor the visitor who is signed in by a cookie that travels along", async () => {
    const { ask } = await serve("4/5min", { credentials: [browsers] });
    const cookie = { cookie: "session=carol" };
    for (let i = 0; i < 40; i++) await ask(`GET ${notes}`, { headers: { ...ofStranger, ...cookie } });
    const own = { headers: { ...cookie, "sec-fetch-site": "same-origin" } };
    for (let i = 0; i < 4; i++) expect((await ask(`GET ${notes}`, own)).status).toBe(404);
    expect((await ask(`GET ${notes}`, own)).status).toBe(429);
  });

  it("and each of them is still a request of the address", async () => {
    const { ask } = await serve("100/5min", {
      limits: { address: "6/min", failures: "100/5min", global: "1000/s", wideAddress: "1000/s", caller: "1000/s" },
    });
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) statuses.push((await ask("GET /none", { headers: ofStranger })).status);
    expect(statuses).toEqual([404, 404, 404, 404, 404, 404, 429]);
  });
});

describe("rate-limit: saying that one is another site's page is no way around the failure budget", () => {
  it("a script that says so has a quarter of the failures, for credentials, paths and codes alike", async () => {
    const { ask } = await serve("8/5min");
    const guesses = [
      () => ask("GET /v1/mine", { headers: { ...ofStranger, authorization: "Bearer guess.guess.guess" } }),
      () => ask("GET /v1/invitations/guess", { headers: ofStranger }),
      () => ask("GET /v1/mine", { headers: { ...ofStranger, authorization: "Bearer other.guess.guess" } }),
      () => ask("GET /v1/invitations/right", { headers: ofStranger }),
    ];
    const statuses: number[] = [];
    for (const guess of guesses) statuses.push((await guess()).status);
    // The fourth would have been right, and nobody looked at it.
    expect(statuses).toEqual([401, 404, 429, 429]);
    nowMs += 300_000;
    expect((await ask("GET /v1/invitations/right", { headers: ofStranger })).status).toBe(204);
  });

  it("a caller who says so has a quarter of his failures as well", async () => {
    const { ask } = await serve("8/5min");
    const seconds = Math.floor(clock.now() / 1000);
    const headers = { ...ofStranger, ...(await bearer("mallory", { iat: seconds, exp: seconds + 600 })) };
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(`GET ${notes}`, { headers })).status);
    expect(statuses).toEqual([404, 404, 429, 429]);
  });

  it("a cookie that is guessed costs as much, although it counts as absent", async () => {
    const { ask } = await serve("8/5min", { credentials: [browsers] });
    const headers = { ...ofStranger, cookie: "session=nobody" };
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask("GET /v1/open", { headers })).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
  });

  it("a listed origin is no other site: what its pages fail at is its visitor's own", async () => {
    const { ask } = await serve("4/5min");
    const headers = { ...ofStranger, origin: listed };
    for (let i = 0; i < 4; i++) expect((await ask("GET /v1/mine", { headers })).status).toBe(401);
    expect((await ask("GET /v1/mine")).status).toBe(429);
  });

  it("whatever is said, never more than the budget and a quarter of it in any window", async () => {
    const budget = 8;
    const label = fc.constantFrom<Readonly<Record<string, string>>>(
      {},
      ofStranger,
      { "sec-fetch-site": "same-origin" },
      { "sec-fetch-site": "none" },
      { "sec-fetch-site": "nonsense" },
      { origin: "https://evil.example" },
      { origin: "http://localhost" },
      { origin: listed, "sec-fetch-site": "cross-site" },
      { origin: "null" },
    );
    const step = fc.record({ label, waitMs: fc.constantFrom(0, 0, 0, 1_000, 60_000, 299_999, 300_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        nowMs += 600_000;
        const { ask, close } = await serve(`${budget}/5min`);
        const failedAt: number[] = [];
        for (const { label: headers, waitMs } of steps) {
          nowMs += waitMs;
          const { status } = await ask("GET /v1/invitations/guess", { headers });
          expect([404, 429]).toContain(status);
          if (status === 404) failedAt.push(nowMs);
        }
        await close();
        for (const from of failedAt) {
          const inWindow = failedAt.filter((at) => at >= from && at < from + 300_000).length;
          expect(inWindow).toBeLessThanOrEqual(budget + budget / 4);
        }
      }),
      { seed: 20_261, numRuns: 40 },
    );
  });
});
