import { writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientId } from "../../soak/instance.ts";
import { type Instance, signIn, signInBrowser, startInstances } from "../../soak/instances.ts";
import { superuser } from "../../../portcullis/test/postgres/postgres-server.ts";
import { type RedisServer, startRedis } from "../../../portcullis/test/redis/redis-server.ts";
import { postgresStores } from "../storage/open-stores.ts";

const password = "correct horse battery";

/** How long after it was taken back a request may be sent and still get through, milliseconds. */
const promisedMs = 1_000;

/** What `npm run proofs` keeps of it. */
const record = new URL("../../soak/revoked.md", import.meta.url);
const about = `# What is taken back is refused

Written by \`npm run proofs\`. Three instances on PostgreSQL are asked every 20 ms; one of them takes something back. How
long after its answer each of them was sent the last request that it admitted, in milliseconds; promised are ${promisedMs}.
Pushed: LISTEN and NOTIFY, and Redis. With nothing that tells of it: no Redis, and PostgreSQL's connections that listen are
cut every 10 ms.`;

describe("oauth, sessions and api-keys: what is taken back is refused on three instances within a second", () => {
  let stores: Awaited<ReturnType<typeof postgresStores>>;
  let redis: RedisServer;
  let instances: readonly Instance[] = [];
  let first: Instance;
  const lines: string[] = [];
  let people = 0;

  beforeAll(async () => {
    stores = await postgresStores();
    redis = await startRedis();
    instances = await startInstances(await stores.place(), 3, false, { redisPort: redis.port });
    const [one] = instances;
    if (one === undefined) throw new Error("no instance");
    first = one;
  });
  afterAll(async () => {
    const table = ["| | one | two | three |", "|---|---:|---:|---:|", ...lines].join("\n");
    process.stdout.write(`\nlast admitted so long after it was taken back on one (ms, per instance)\n${table}\n`);
    if (process.env["PORTCULLIS_PROOFS"] === "all") writeFileSync(record, `${about}\n\n${table}\n`);
    await Promise.all(instances.map((instance) => instance.kill()));
    await stores.stop();
    await redis.stop();
  });

  for (const link of ["pushed", "with nothing that tells of it"] as const) {
    describe.concurrent(link, () => {
      const cutting = new AbortController();
      beforeAll(async () => {
        if (link === "pushed") return;
        await redis.kill();
        await keepCutting(cutting.signal);
      });
      afterAll(() => cutting.abort());

      it("a key", async () => {
        const person = await somebody();
        const { id = "", key = "" } = await first.ask({ do: "create-key", account: person.id });
        await refusedWithin({ [`key, ${link}`]: bearer(key) }, () =>
          first.ask({ do: "revoke-key", account: person.id, id }),
        );
      });

      it("a key that was rotated without overlap", async () => {
        const person = await somebody();
        const { id = "", key = "" } = await first.ask({ do: "create-key", account: person.id });
        await refusedWithin({ [`rotated key, ${link}`]: bearer(key) }, () =>
          first.ask({ do: "rotate-key", account: person.id, id }),
        );
      });

      it("an access token", async () => {
        const person = await somebody();
        const { access } = await signedIn(person);
        await refusedWithin({ [`token, ${link}`]: bearer(access) }, () =>
          fetch(`${first.origin}/oauth/revoke`, {
            method: "POST",
            body: new URLSearchParams({ token: access, client_id: clientId }),
          }),
        );
      });

      it("the access tokens of a family whose refresh token was used twice", async () => {
        const person = await somebody();
        const { access, refresh } = await signedIn(person);
        const second = await first.refresh(refresh);
        await first.refresh(second.refresh);
        await refusedWithin({ [`token of a reused family, ${link}`]: bearer(access) }, () => first.refresh(refresh));
      });

      it("a browser's session", async () => {
        const person = await somebody();
        const cookie = await cookieOf(person);
        await refusedWithin({ [`session, ${link}`]: { cookie } }, () =>
          first.ask({ do: "end-sessions", account: person.id }),
        );
      });

      it("everything of a user who is disabled: token, key, session, and what would bring new tokens", () =>
        everythingOfSomebody(link));
    });
  }

  it("pushed by Redis alone, once it is back", async () => {
    const cutting = new AbortController();
    await redis.restart();
    await keepCutting(cutting.signal);
    await everythingOfSomebody("by Redis").finally(() => cutting.abort());
  });

  it("and where PostgreSQL is gone nothing gets through that was good before: 503", async () => {
    const person = await somebody();
    const { access, refresh } = await signedIn(person);
    const cookie = await cookieOf(person);
    const { key = "" } = await first.ask({ do: "create-key", account: person.id });
    const all = [bearer(access), bearer(key), { cookie }];
    const answers = () => Promise.all(instances.flatMap((instance) => all.map((headers) => instance.me(headers))));
    expect(await answers()).toEqual(Array.from({ length: 9 }, () => 200));
    await stores.server.crash();
    await wait(promisedMs);
    expect(await answers()).toEqual(Array.from({ length: 9 }, () => 503));
    expect((await first.refresh(refresh)).status).not.toBe(200);
  });

  async function everythingOfSomebody(link: string): Promise<void> {
    const person = await somebody();
    const { access, refresh } = await signedIn(person);
    const cookie = await cookieOf(person);
    const { key = "" } = await first.ask({ do: "create-key", account: person.id });
    await refusedWithin(
      {
        [`user's token, ${link}`]: bearer(access),
        [`user's key, ${link}`]: bearer(key),
        [`user's session, ${link}`]: { cookie },
      },
      () => first.ask({ do: "disable", account: person.id }),
    );
    for (const instance of instances) expect((await instance.refresh(refresh)).status).toBe(400);
  }

  async function somebody(): Promise<{ readonly id: string; readonly email: string }> {
    const email = `person-${people++}@example.com`;
    const { id = "" } = await first.ask({ do: "account", email, password });
    return { id, email };
  }

  // Limits are none of these tests' matter, and count all that sign in at the same time together.
  async function signedIn(person: { readonly email: string }) {
    await first.ask({ do: "forgive" });
    return signIn(first, person.email, password);
  }
  async function cookieOf(person: { readonly email: string }): Promise<string> {
    await first.ask({ do: "forgive" });
    return signInBrowser(first, person.email, password);
  }

  /** Ends the connections that listen, as soon as they are there. */
  async function keepCutting(signal: AbortSignal): Promise<void> {
    const client = new Client(stores.server.as(superuser));
    await client.connect();
    const cut = async (): Promise<void> => {
      while (!signal.aborted) {
        await client.query("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %'");
        await wait(10);
      }
      await client.end();
    };
    void cut();
    await wait(200);
  }

  /** Asks all instances all the time, and says when each admitted last. */
  async function refusedWithin(
    credentials: Readonly<Record<string, Readonly<Record<string, string>>>>,
    takeBack: () => Promise<unknown>,
  ): Promise<void> {
    const all = Object.entries(credentials);
    for (const [, headers] of all) {
      for (const instance of instances) expect(await instance.me(headers)).toBe(200);
    }
    let takenBackAt = Number.POSITIVE_INFINITY;
    const asking = all.map(([, headers]) =>
      Promise.all(
        instances.map(async (instance) => {
          let lastAdmitted = 0;
          while (performance.now() < takenBackAt + promisedMs + 500) {
            const sentAt = performance.now();
            const status = await instance.me(headers);
            if (status === 200) lastAdmitted = sentAt;
            else expect([401, 503]).toContain(status);
            await wait(20);
          }
          return Math.max(0, Math.ceil(lastAdmitted - takenBackAt));
        }),
      ),
    );
    await takeBack();
    takenBackAt = performance.now();
    const after = await Promise.all(asking);
    all.forEach(([what], index) => lines.push(`| ${what} | ${after[index]?.join(" | ")} |`));
    for (const ms of after.flat()) expect(ms).toBeLessThan(promisedMs);
    for (const [, headers] of all) {
      for (const instance of instances) expect(await instance.me(headers)).toBe(401);
    }
  }
});

function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}
