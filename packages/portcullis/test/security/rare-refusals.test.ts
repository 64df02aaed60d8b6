import type { Limiter } from "../../src/limits/limiter.ts";
import { createMemoryLimiter } from "../../src/limits/memory-limiter.ts";
import { afterEach, describe, expect, it } from "vitest";
import type { Arrival } from "../../src/exchange.ts";
import type { FrontDoor } from "../front-door.ts";
import { openDoor, testApi } from "../front-door.ts";

let door: FrontDoor | undefined;
afterEach(async () => {
  await door?.close();
  door = undefined;
});

describe("transport: an adapter that cannot know the scheme", () => {
  /** A request as a framework hands it on that hides the socket. */
  function arrival(facts: Partial<Arrival>): Arrival {
    return {
      method: "GET",
      target: "/v1/open",
      headers: ["host", "localhost"],
      peer: "127.0.0.1",
      scheme: "unknown",
      hasBody: false,
      readBody: () => Promise.resolve("aborted"),
      signal: () => new AbortController().signal,
      ...facts,
    };
  }

  it("is refused with unknown-scheme, on loopback too, and never taken for https", async () => {
    const { api, events } = testApi();
    api.start({ adapter: "hidden", tls: "unknown", loopbackOnly: false, unknown: ["scheme"] });
    for (const headers of [
      ["host", "localhost"],
      ["host", "localhost", "x-forwarded-proto", "https"],
      ["host", "localhost", "forwarded", "proto=https"],
    ]) {
      const handled = await api.handle(arrival({ headers }));
      expect(handled.answer).toMatchObject({ status: 421, body: expect.stringContaining('"unknown-scheme"') });
      expect(handled.answer.headers).not.toContain("strict-transport-security");
      handled.finished(false);
    }
    const known = await api.handle(arrival({ scheme: "https" }));
    expect(known.answer.status).toBe(200);
    known.finished(false);
    await api.stop();
    const refused = events().filter((event) => event.type === "refused");
    expect(refused.map((event) => [event.code, event.protection, event.status])).toEqual(
      Array.from({ length: 3 }, () => ["unknown-scheme", "transport", 421]),
    );
  });
});

describe("rate-limit: more addresses at once than have a counter of their own", () => {
  it("count together within the bound, and one event a minute says limiter-crowded", async () => {
    let nowMs = 3_000_000;
    const small = (options: Parameters<typeof createMemoryLimiter>[0]): Limiter =>
      createMemoryLimiter({
        ...options,
        dimensions: options.dimensions.map((dimension) => ({ ...dimension, capacity: dimension.capacity ?? 16 })),
      });
    const test = testApi({
      clock: { now: () => 1_800_000_000_000 + nowMs, monotonic: () => nowMs },
      proxies: { trusted: ["127.0.0.1"], header: "x-forwarded-for" },
      limits: { limiter: small, global: "100000/s", address: "20/min", wideAddress: "100000/s" },
    });
    const opened = await openDoor(test);
    door = opened;
    const from = (address: string) => ({
      headers: { "x-forwarded-for": address, "x-forwarded-proto": "https" },
    });
    let admitted = 0;
    for (let i = 1; i <= 120; i++) {
      for (let again = 0; again < 3; again++) {
        if ((await opened.ask("GET /v1/open", from(`198.51.100.${i}`))).status === 200) admitted++;
      }
    }
    // Nobody has more than his own, and who shares a counter shares what it allows.
    expect(admitted).toBeLessThan(360);
    const crowded = () => test.events().filter((event) => event.type === "limiter-crowded");
    nowMs += 61_000;
    for (let i = 1; i <= 120; i++) await opened.ask("GET /v1/open", from(`198.51.100.${i}`));
    await opened.close();
    door = undefined;
    expect(crowded()).toHaveLength(2);
    expect(crowded()[0]).toMatchObject({
      protection: "rate-limit",
      reason: expect.stringContaining("the bound holds"),
    });
  });
});
