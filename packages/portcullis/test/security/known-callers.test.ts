import { z } from "zod";
import { memorySink, publicAccess } from "portcullis";
import { describe, expect, it } from "vitest";
import { bearer, noteIds, testApi } from "../front-door.ts";

const peer = "203.0.113.7";
const facts = { peer, scheme: "https" } as const;
const ask = (api: ReturnType<typeof testApi>["api"], path: string, headers: Record<string, string> = {}) =>
  api.fetch(new Request(`https://localhost${path}`, { headers }), facts);

describe("rate-limit: a caller who is known", () => {
  const limits = { instances: 1, failures: "5/min", address: "1000/s", caller: "1000/s", global: "1000/s" } as const;

  it("spends his own budget with what he gets wrong, and closes nothing for his neighbours", async () => {
    const { api } = testApi({ limits });
    const alice = await bearer("alice");
    expect((await ask(api, `/v1/notes/${noteIds[0]}`, alice)).status).toBe(200);
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push((await ask(api, `/v1/nowhere/${n}`, alice)).status);
    expect(statuses).toEqual([404, 404, 404, 404, 404, 429, 429, 429]);
    // A stranger and another caller behind the same address go on.
    expect((await ask(api, "/v1/open")).status).toBe(200);
    expect((await ask(api, `/v1/notes/${noteIds[1]}`, await bearer("bob"))).status).toBe(200);
    expect((await ask(api, `/v1/notes/${noteIds[0]}`, alice)).status).toBe(429);
  });
});

describe("rate-limit: a route that is declared while serving", () => {
  it("gives nobody fresh counts, and keeps what was proved and sealed", async () => {
    const { api, entries } = testApi({ limits: { instances: 1, address: "5/min", global: "1000/s" } });
    const late = (n: number): void =>
      api.route(
        {
          path: `GET /v1/late${n}`,
          access: publicAccess("declared late"),
          output: z.strictObject({ ok: z.boolean() }),
          limit: "100000/s",
        },
        () => ({ ok: true }),
      );
    late(1);
    for (let n = 0; n < 5; n++) expect((await ask(api, "/v1/late1")).status).toBe(200);
    expect((await ask(api, "/v1/late1")).status).toBe(429);
    late(2);
    expect((await ask(api, "/v1/late2")).status).toBe(429);
    await api.stop();
    expect(entries.filter((entry) => entry.kind === "call")).toHaveLength(7);
  });

  it("serves again after a stop, with records of its own", async () => {
    const sink = memorySink();
    const { api } = testApi({ limits: { instances: 1 }, audit: { sinks: [sink] } });
    for (let n = 0; n < 2; n++) {
      const listening = await api.listen({ port: 0, handleSignals: false });
      expect((await fetch(`${listening.url}/v1/open`)).status).toBe(200);
      await listening.close();
    }
    expect(sink.entries.filter((entry) => entry.kind === "call")).toHaveLength(2);
  });
});

describe("audit: a stranger beyond the limit of a route", () => {
  it("is written once a second with an exact count, not once per request", async () => {
    const { api, entries } = testApi({ limits: { instances: 1, address: "100000/s", global: "100000/s" } });
    api.route(
      {
        path: "GET /v1/little",
        access: publicAccess("a little of it"),
        output: z.strictObject({ ok: z.boolean() }),
        limit: { rate: "2/min", by: "address" },
      },
      () => ({ ok: true }),
    );
    for (let n = 0; n < 50; n++) await ask(api, "/v1/little");
    await api.stop();
    const refused = entries.filter((entry) => entry.kind === "event" && entry.type === "refused");
    expect(refused).toHaveLength(1);
    expect(refused).toMatchObject([{ code: "rate-limited", address: peer, count: 48 }]);
  });
});
