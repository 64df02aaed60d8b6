import { setTimeout as wait } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { clientId } from "../../soak/instance.ts";
import { freePorts, type Instance, signIn, signInBrowser, startInstances } from "../../soak/instances.ts";
import { superuser } from "../../../portcullis/test/postgres/postgres-server.ts";
import { type RedisServer, startRedis } from "../../../portcullis/test/redis/redis-server.ts";
import { postgresStores } from "../storage/open-stores.ts";

const password = "correct horse battery";

/** How long after it was taken back a request may be sent and still get through, milliseconds. */
const promisedMs = 1_000;

describe("oauth, sessions and api-keys: what is taken back is refused on three instances within a second", () => {
  let stores: Awaited<ReturnType<typeof postgresStores>>;
  let redis: RedisServer;
  let instances: readonly Instance[] = [];
  let first: Instance;
  let cutting: AbortController | undefined;
  const lines: string[] = [];
  let people = 0;

  beforeAll(async () => {
    stores = await postgresStores();
    redis = await startRedis();
    instances = await startInstances(await stores.place(), await freePorts(3), false, redis.port);
    const [one] = instances;
    if (one === undefined) throw new Error("no instance");
    first = one;
  }, 60_000);
  afterEach(() => cutting?.abort());
  afterAll(async () => {
    process.stdout.write(`\nlast admitted so long after it was taken back (ms, per instance)\n${lines.join("\n")}\n`);
    await Promise.all(instances.map((instance) => instance.kill()));
    await stores.stop();
    await redis.stop();
  });

  for (const link of ["pushed", "with nothing that tells of it"] as const) {
    describe(link, () => {
      beforeAll(async () => {
        if (link !== "pushed") await redis.kill();
      });

      it("a key", async () => {
        const person = await somebody(link);
        const { id = "", key = "" } = await first.ask({ do: "create-key", account: person.id });
        await refusedWithin({ [`key, ${link}`]: bearer(key) }, () =>
          first.ask({ do: "revoke-key", account: person.id, id }),
        );
      });

      it("a key that was rotated without overlap", async () => {
        const person = await somebody(link);
        const { id = "", key = "" } = await first.ask({ do: "create-key", account: person.id });
        await refusedWithin({ [`rotated key, ${link}`]: bearer(key) }, () =>
          first.ask({ do: "rotate-key", account: person.id, id }),
        );
      });

      it("an access token", async () => {
        const person = await somebody(link);
        const { access } = await signIn(first, person.email, password);
        await refusedWithin({ [`token, ${link}`]: bearer(access) }, () =>
          fetch(`${first.origin}/oauth/revoke`, {
            method: "POST",
            body: new URLSearchParams({ token: access, client_id: clientId }),
          }),
        );
      });

      it("the access tokens of a family whose refresh token was used twice", async () => {
        const person = await somebody(link);
        const { access, refresh } = await signIn(first, person.email, password);
        const second = await first.refresh(refresh);
        await first.refresh(second.refresh);
        await refusedWithin({ [`token of a reused family, ${link}`]: bearer(access) }, () => first.refresh(refresh));
      });

      it("a browser's session", async () => {
        const person = await somebody(link);
        const cookie = await signInBrowser(first, person.email, password);
        await refusedWithin({ [`session, ${link}`]: { cookie } }, () =>
          first.ask({ do: "end-sessions", account: person.id }),
        );
      });

      it("everything of a user who is disabled: token, key, session, and what would bring new tokens", () =>
        everythingOfSomebody(link));
    });
  }

  it("pushed by Redis alone, once it is back", async () => {
    await redis.restart();
    await everythingOfSomebody("by Redis");
  });

  it("and where PostgreSQL is gone nothing gets through that was good before: 503", async () => {
    const person = await somebody("pushed");
    const { access, refresh } = await signIn(first, person.email, password);
    const cookie = await signInBrowser(first, person.email, password);
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
    const person = await somebody(link);
    const { access, refresh } = await signIn(first, person.email, password);
    const cookie = await signInBrowser(first, person.email, password);
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

  async function somebody(link: string): Promise<{ readonly id: string; readonly email: string }> {
    const email = `person-${people++}@example.com`;
    for (const instance of instances) await instance.ask({ do: "forgive" });
    const { id = "" } = await first.ask({ do: "account", email, password });
    if (link !== "pushed") await keepCutting();
    return { id, email };
  }

  /** Ends the connections that listen, as soon as they are there. */
  async function keepCutting(): Promise<void> {
    const { signal } = (cutting = new AbortController());
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
    all.forEach(([what], index) => lines.push(`${what}: ${after[index]?.join(" / ")}`));
    for (const ms of after.flat()) expect(ms).toBeLessThan(promisedMs);
    for (const [, headers] of all) {
      for (const instance of instances) expect(await instance.me(headers)).toBe(401);
    }
  }
});

function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}
