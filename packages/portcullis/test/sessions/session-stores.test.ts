import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  anyCaller,
  memorySessionStore,
  notAnObject,
  nothing,
  publicAccess,
  answer,
  session,
  storedSessions,
} from "portcullis";
import type { SessionStore } from "portcullis";
import { embeddedSessionStore } from "portcullis/node";
import { redisSessionStore } from "portcullis/redis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type FrontDoor, openDoor, testApi } from "../front-door.ts";
import { type RedisServer, startRedis } from "../redis/redis-server.ts";
import { record, sessionStoreContract } from "./session-store-contract.ts";

const dangerouslyMayForget = "a server of the tests";
const folders = mkdtempSync(join(tmpdir(), "portcullis-sessions-"));
const opened: { close(): void }[] = [];
let made = 0;
let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  for (const store of opened) store.close();
  rmSync(folders, { recursive: true });
  await server.stop();
});

const inMemory = () => memorySessionStore();
const inRedis = async (prefix = `sessions-${made++}`) =>
  redisSessionStore({ client: await server.connect(), prefix, dangerouslyMayForget });
function embedded(folder = join(folders, `${made++}`)): SessionStore {
  const store = embeddedSessionStore({ folder });
  opened.push(store);
  return store;
}

sessionStoreContract("the memory store", inMemory);
sessionStoreContract("the embedded store", () => embedded());
sessionStoreContract("the Redis store", () => inRedis());

describe("sessions: stored sessions at the front door", () => {
  let doors: readonly FrontDoor[] = [];
  let nowMs = Date.now();
  afterEach(async () => {
    for (const door of doors) await door.close();
    doors = [];
  });

  /** Instances of one API, each with a store of its own over the same sessions. */
  async function open(stores: readonly SessionStore[]): Promise<void> {
    doors = await Promise.all(
      stores.map(async (store) => {
        const sessions = storedSessions({ store, now: () => nowMs });
        const test = testApi({ credentials: [session(sessions)], origins: [] });
        test.api.route(
          {
            path: "POST /v1/sessions/:name",
            access: publicAccess("the test signs everybody in"),
            objects: { name: notAnObject("the name of who is signed in") },
            output: nothing,
            startsSession: true,
            input: { params: z.strictObject({ name: z.string().max(20) }) },
          },
          async ({ caller, params }) =>
            answer(undefined, { cookies: [await sessions.start({ subject: params.name, tenant: "acme" }, caller)] }),
        );
        test.api.route({ path: "DELETE /v1/session", access: anyCaller, output: nothing }, async ({ caller }) =>
          answer(undefined, { cookies: [await sessions.end(caller)] }),
        );
        test.api.route({ path: "DELETE /v1/others", access: anyCaller, output: nothing }, async ({ caller }) => {
          await sessions.endAll(caller.subject, caller);
        });
        test.api.route({ path: "GET /v1/who", access: anyCaller, output: nothing }, () => undefined);
        return openDoor(test);
      }),
    );
  }

  async function ask(turn: number, line: string, cookie = ""): Promise<{ status: number; cookie: string }> {
    const door = doors[turn % doors.length];
    if (door === undefined) throw new Error("no door");
    const reply = await door.ask(line, {
      headers: { ...(cookie && { cookie }), "sec-fetch-site": "same-origin", origin: "https://localhost" },
    });
    return { status: reply.status, cookie: reply.headers.get("set-cookie")?.split(";")[0] ?? "" };
  }

  const two: readonly (readonly [string, () => Promise<readonly SessionStore[]>])[] = [
    ["memory", async () => [inMemory()]],
    ["one file", async () => [embedded(join(folders, "shared")), embedded(join(folders, "shared"))]],
    ["one Redis", async () => [await inRedis("shared"), await inRedis("shared")]],
  ];
  it.each(two)("live on every instance and end on every instance at once: %s", async (_name, stores) => {
    await open(await stores());
    const started = await ask(0, "POST /v1/sessions/alice");
    expect(started.status).toBe(204);
    expect(started.cookie).toMatch(/^__Host-session=[A-Za-z0-9_-]{43}$/);
    for (let turn = 0; turn < 4; turn++) expect((await ask(turn, "GET /v1/who", started.cookie)).status).toBe(204);
    const ended = await ask(1, "DELETE /v1/session", started.cookie);
    expect([ended.status, ended.cookie]).toEqual([204, "__Host-session="]);
    for (let turn = 0; turn < 4; turn++) expect((await ask(turn, "GET /v1/who", started.cookie)).status).toBe(401);
  });

  it.each(two)(
    "a new sign-in has a new id, the old one ends, and the others end when they are told to: %s",
    async (_name, stores) => {
      await open(await stores());
      const phone = await ask(0, "POST /v1/sessions/alice");
      const laptop = await ask(1, "POST /v1/sessions/alice");
      const bob = await ask(1, "POST /v1/sessions/bob");
      const again = await ask(1, "POST /v1/sessions/alice", laptop.cookie);
      expect(new Set([phone.cookie, laptop.cookie, again.cookie]).size).toBe(3);
      expect((await ask(0, "GET /v1/who", laptop.cookie)).status).toBe(401);
      expect((await ask(0, "DELETE /v1/others", again.cookie)).status).toBe(204);
      expect((await ask(1, "GET /v1/who", phone.cookie)).status).toBe(401);
      expect((await ask(0, "GET /v1/who", again.cookie)).status).toBe(204);
      expect((await ask(0, "GET /v1/who", bob.cookie)).status).toBe(204);
    },
  );

  it.each(two)(
    "end after half an hour without a request, and after twelve hours with any number: %s",
    async (_name, stores) => {
      await open(await stores());
      const idle = await ask(0, "POST /v1/sessions/alice");
      const busy = await ask(0, "POST /v1/sessions/alice");
      const from = nowMs;
      for (let minutes = 25; minutes < 720; minutes += 25) {
        nowMs = from + minutes * 60_000;
        expect((await ask(minutes, "GET /v1/who", busy.cookie)).status).toBe(204);
      }
      expect((await ask(0, "GET /v1/who", idle.cookie)).status).toBe(401);
      nowMs = from + 720 * 60_000 - 1;
      expect((await ask(0, "GET /v1/who", busy.cookie)).status).toBe(204);
      nowMs = from + 720 * 60_000;
      expect((await ask(0, "GET /v1/who", busy.cookie)).status).toBe(401);
    },
  );

  it("take no id that somebody made up, and are not begun by a cookie that was planted", async () => {
    await open([inMemory()]);
    const planted = `__Host-session=${"A".repeat(43)}`;
    expect((await ask(0, "GET /v1/who", planted)).status).toBe(401);
    const started = await ask(0, "POST /v1/sessions/alice", planted);
    expect(started.cookie).not.toBe(planted);
    expect((await ask(0, "GET /v1/who", planted)).status).toBe(401);
    for (const value of ["", "x", "A".repeat(44), "%2e".repeat(20)]) {
      expect((await ask(0, "GET /v1/who", `__Host-session=${value}`)).status).toBe(401);
    }
  });

  it("refuse everybody with 503 while Redis does not answer, and nobody is signed out by it", async () => {
    const own = await startRedis();
    const store = redisSessionStore({
      client: await own.connect(),
      prefix: "own",
      timeoutMs: 500,
      dangerouslyMayForget,
    });
    await open([store]);
    const started = await ask(0, "POST /v1/sessions/alice");
    expect(started.status).toBe(204);
    own.stall();
    const refused = await ask(0, "GET /v1/who", started.cookie);
    expect([refused.status, refused.cookie]).toEqual([503, ""]);
    own.resume();
    await expect.poll(async () => (await ask(0, "GET /v1/who", started.cookie)).status).toBe(204);
    await own.stop();
  });
});

describe("sessions: what the stores hold", () => {
  it("is a hash: no id of a session is in the file or in Redis", async () => {
    const prefix = "hashed";
    const folder = join(folders, "hashed");
    for (const store of [embedded(folder), await inRedis(prefix)]) {
      const sessions = storedSessions({ store });
      const { value } = await sessions.start({ subject: "alice@example.com" });
      expect(await sessions.resolve({ "__Host-session": value })).toMatchObject({ subject: "alice@example.com" });
      const client = await server.connect();
      let held = readFileSync(join(folder, "sessions.sqlite-wal"), "latin1");
      for (const key of await client.keys(`{${prefix}}*`)) {
        held += key;
        if (key.includes("session:")) held += JSON.stringify(await client.hgetall(key));
      }
      expect(held).not.toContain(value);
      expect(held).not.toContain(Buffer.from(value, "base64url").toString("latin1"));
    }
  });

  it("opens nothing under another cookie's name: who is signed in here is nobody there", async () => {
    for (const store of [inMemory(), embedded(), await inRedis()]) {
      const users = storedSessions({ store, cookie: "__Host-session" });
      const staff = storedSessions({ store, cookie: "__Host-staff" });
      const { value } = await users.start({ subject: "1" });
      expect(await users.resolve({ "__Host-session": value })).toMatchObject({ subject: "1" });
      expect(await staff.resolve({ "__Host-staff": value })).toBeUndefined();
    }
  });

  it("is kept in Redis under a name that was said, so that two APIs do not take each other's sessions", async () => {
    const client = await server.connect();
    // What a program without types may hand over.
    const unsaid = [{ client, dangerouslyMayForget }];
    expect(() => Reflect.apply(redisSessionStore, undefined, unsaid)).toThrow("no prefix");
  });

  it("is found to the last one when all end, also where another process's clock is far ahead", async () => {
    const store = await inRedis();
    const [now, ahead] = [Date.now(), 14 * 3_600_000];
    await store.insert(record({ idHash: "stolen", startedAt: now, lastSeenAt: now, endsAt: now + 43_200_000 }));
    const later = { startedAt: now + ahead, lastSeenAt: now + ahead, endsAt: now + ahead + 43_200_000 };
    await store.insert(record({ idHash: "own", ...later }));
    await store.endAll(record().subject);
    expect(await store.find("stolen")).toBeUndefined();
    expect(await store.find("own")).toBeUndefined();
  });

  it("ends in Redis by itself", async () => {
    const prefix = "ending";
    const store = await inRedis(prefix);
    await store.insert(record({ idHash: "k", idleMs: 60_000 }));
    await store.touch("k", Date.now() + 1000);
    const client = await server.connect();
    const left = async (key: string) => client.pttl(`{${prefix}}:${key}`);
    expect(await left("session:k")).toBeGreaterThan(60_000);
    expect(await left("session:k")).toBeLessThanOrEqual(120_000);
    for (const key of await client.keys(`{${prefix}}*`)) expect(await client.pttl(key)).toBeGreaterThan(0);
  });

  it("is for this user only", async () => {
    const folder = join(folders, "modes");
    await embedded(folder).insert(record());
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "sessions.sqlite")).mode & 0o777).toBe(0o600);
  });

  it("makes room in memory for new sessions of those whose time is up, and throws nobody out", async () => {
    let now = Date.now();
    const store = memorySessionStore({ maxSessions: 2, now: () => now });
    await store.insert(record({ idHash: "a" }));
    await store.insert(record({ idHash: "b" }));
    expect(() => store.insert(record({ idHash: "c" }))).toThrow("all 2 sessions");
    now += 1_800_000;
    await store.insert(record({ idHash: "c", startedAt: now, lastSeenAt: now }));
    expect(await store.find("a")).toBeUndefined();
  });

  it("lasts as long as was said, within reason", () => {
    const store = inMemory();
    for (const options of [
      { idleSeconds: 59 },
      { idleSeconds: 0.5 },
      { absoluteSeconds: 1799 },
      { idleSeconds: 1e9 },
    ]) {
      expect(() => storedSessions({ store, ...options })).toThrow("Write whole seconds");
    }
    expect(() => memorySessionStore({ maxSessions: 0 })).toThrow("maxSessions");
  });
});
