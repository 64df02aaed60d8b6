import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { AuditBatch, AuditSink, CallRecord, SecurityEvent } from "portcullis";
import {
  apiKeys,
  createApi,
  issueApiKey,
  memoryKeyStore,
  memorySink,
  nothing,
  publicAccess,
  refuse,
  sinkTo,
} from "portcullis";
import { fileSink } from "portcullis/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  bearer,
  jwtSecret,
  noteIds,
  openDoor,
  requestText,
  richTokens,
  routeUntyped,
  sharedDoor,
  testApi,
} from "../front-door.ts";

type Entry = CallRecord | SecurityEvent;

const access = publicAccess("the tests look at records");

function callOf(entries: readonly Entry[]): CallRecord {
  const calls = entries.filter((entry): entry is CallRecord => entry.kind === "call");
  const [call] = calls;
  if (call === undefined || calls.length > 1) throw new Error(`${calls.length} records of one call`);
  return call;
}

function eventsOf(entries: readonly Entry[]): readonly SecurityEvent[] {
  return entries.filter((entry): entry is SecurityEvent => entry.kind === "event");
}

describe("audit: the record of a call", () => {
  const store = memoryKeyStore();
  let key = "";
  beforeAll(async () => {
    key = (await issueApiKey({ store, prefix: "prj", subject: "alice", scopes: [], name: "k" })).key;
  });
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [richTokens, apiKeys({ prefix: "prj", store, header: "x-api-key" })] });
    routeUntyped(test.api, { path: "GET /v1/slow", access, output: nothing }, () => wait(60));
    routeUntyped(
      test.api,
      {
        path: "POST /v1/sign-in",
        access,
        input: { body: z.strictObject({ user: z.string().max(60), password: z.string().max(60) }) },
        output: nothing,
        startsSession: { account: "body.user" },
        limit: { rate: "10000/s", by: "body.user" },
      },
      (given) =>
        JSON.stringify(given["body"]).includes("wrong") ? refuse("sign-in-failed", "wrong password") : undefined,
    );
    return test;
  });

  it("says who, what, when, from where and how it ended, and nothing else", async () => {
    const before = Date.now();
    const headers = { ...(await bearer("alice", { tid: "acme" })), "User-Agent": "curl/8" };
    const reply = await door.ask(`GET /v1/notes/${noteIds[0]}`, { headers });
    const call = callOf(await door.recorded(reply));
    expect(call).toEqual({
      kind: "call",
      time: expect.any(Number),
      service: "notes",
      requestId: reply.id,
      account: expect.stringMatching(/^[\w-]{16}$/),
      tenant: "acme",
      proof: "jwt",
      address: "127.0.0.1",
      userAgent: "curl/8",
      method: "GET",
      route: "GET /v1/notes/:id",
      status: 200,
      durationMs: expect.any(Number),
      code: undefined,
      aborted: false,
    });
    expect(call.time).toBeGreaterThanOrEqual(before);
    expect(call.time).toBeLessThanOrEqual(Date.now());
  });

  it("is one for every answer, with the status that was sent and why", async () => {
    const cases = [
      ["GET /v1/open", 200, undefined, "GET /v1/open"],
      ["HEAD /v1/open", 200, undefined, "GET /v1/open"],
      ["OPTIONS /v1/open", 204, undefined, undefined],
      ["GET /v1/none", 404, "route-not-found", undefined],
      ["PUT /v1/open", 405, "method-not-allowed", undefined],
      ["POST /v1/notes", 401, "no-credential", "POST /v1/notes"],
      ["GET /v1//open", 400, "bad-target", undefined],
    ] as const;
    for (const [line, status, code, route] of cases) {
      const call = callOf(await door.recorded(await door.ask(line)));
      expect([call.status, call.code, call.route, call.method], line).toEqual([
        status,
        code,
        route,
        line.split(" ")[0],
      ]);
      expect(call.account).toBeUndefined();
    }
  });

  it("measures to the last byte", async () => {
    const call = callOf(await door.recorded(await door.ask("GET /v1/slow")));
    expect(call.durationMs).toBeGreaterThan(50);
    expect(call.durationMs).toBeLessThan(5_000);
  });

  it("names an account by a keyed hash: the same for the same subject however it was proved, another for another", async () => {
    const account = async (headers: Readonly<Record<string, string>>) =>
      callOf(await door.recorded(await door.ask("GET /v1/open", { headers }))).account;
    const byToken = await account(await bearer("alice"));
    expect(await account({ "X-Api-Key": key })).toBe(byToken);
    expect(await account(await bearer("bob"))).not.toBe(byToken);
    const other = await openDoor(testApi());
    const elsewhere = await other.recorded(await other.ask("GET /v1/open", { as: "alice" }));
    expect(callOf(elsewhere).account).not.toBe(byToken);
    await other.close();
  });

  it("gives an account the same name on every instance with the same key", async () => {
    const accounts = await Promise.all(
      [`one: ${jwtSecret}`, `one: ${jwtSecret}`, `two: ${jwtSecret}`].map(async (accountKey) => {
        const sink = memorySink();
        const one = await openDoor({ ...testApi({ audit: { sinks: [sink], accountKey } }), entries: sink.entries });
        const { account } = callOf(await one.recorded(await one.ask("GET /v1/open", { as: "alice" })));
        await one.close();
        return account;
      }),
    );
    expect(accounts[0]).toBe(accounts[1]);
    expect(accounts[0]).not.toBe(accounts[2]);
  });

  it("cuts the user agent, and takes no second line from it", async () => {
    const long = callOf(
      await door.recorded(await door.ask("GET /v1/open", { headers: { "User-Agent": "a".repeat(5_000) } })),
    );
    expect(long.userAgent).toBe("a".repeat(256));
    const none = callOf(await door.recorded(await door.ask("GET /v1/open")));
    expect(none.userAgent).toBeUndefined();
  });

  it("holds nothing of what was sent: no path, no query, no body, no credential, no cookie, no address of a person", async () => {
    const secret = "hunter2hunter2";
    const { authorization } = await bearer(secret);
    const replies = [
      await door.ask(`GET /v1/notes/${noteIds[1]}`, { headers: { authorization } }),
      await door.ask(`GET /v1/notes/${secret}`, { headers: { authorization } }),
      await door.ask(`GET /v1/${secret}`),
      await door.ask(`GET /v1/open?${secret}=${secret}`),
      await door.ask(`GET /v1/open?token=${secret}`),
      await door.ask(`GET /v1//${secret}`),
      await door.ask("GET /v1/open", { headers: { Cookie: `session=${secret}` } }),
      await door.ask("GET /v1/open", { headers: { Authorization: `Basic ${secret}` } }),
      await door.ask("GET /v1/open", { headers: { "X-Api-Key": `prj_live_${secret}` } }),
      await door.ask("GET /v1/open", {
        headers: { Referer: `https://${secret}.example/`, Origin: `https://${secret}.example` },
      }),
      await door.ask("GET /v1/open", { headers: { Host: `${secret}.example` } }),
      await door.ask("GET /v1/open", { headers: { "Content-Encoding": secret }, body: secret }),
      await door.ask("POST /v1/notes", { headers: { authorization, "Content-Encoding": secret }, body: secret }),
      await door.ask("POST /v1/sign-in", { headers: { "Sec-Fetch-Site": secret }, json: { user: "a", password: "b" } }),
      await door.ask("POST /v1/notes", { headers: { authorization }, json: { text: secret, [secret]: secret } }),
      await door.ask("POST /v1/notes", { headers: { authorization, "Content-Type": secret }, body: secret }),
      await door.ask("POST /v1/sign-in", { json: { user: `${secret}@example.com`, password: secret } }),
      await door.ask("POST /v1/sign-in", { json: { user: `${secret}@example.com`, password: `${secret}wrong` } }),
    ];
    for (const reply of replies) {
      const text = JSON.stringify(await door.recorded(reply));
      expect(text).not.toContain(secret);
      expect(text).not.toContain(authorization.slice(20, 60));
      expect(text).not.toContain("example.com");
      for (const id of noteIds) expect(text).not.toContain(id);
    }
  });

  it("is marked where the client went away before the last byte", async () => {
    const from = door.entries.length;
    const socket = connect(door.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(requestText("GET /v1/slow", {}));
    await wait(20);
    socket.destroy();
    for (let i = 0; i < 50 && door.entries.length === from; i++) await wait(20);
    expect(callOf(door.entries.slice(from))).toMatchObject({ aborted: true, route: "GET /v1/slow" });
  });
});

describe("audit: events", () => {
  const door = sharedDoor(() => {
    const test = testApi({ credentials: [richTokens] });
    routeUntyped(test.api, { path: "GET /v1/throws", access, output: nothing }, () => boom());
    routeUntyped(test.api, { path: "GET /v1/refuses", access, output: nothing }, () =>
      refuse("conflict", "name is taken"),
    );
    routeUntyped(
      test.api,
      {
        path: "POST /v1/sign-in",
        access,
        input: { body: z.strictObject({ user: z.string().max(60) }) },
        output: nothing,
        startsSession: { account: "body.user" },
        limit: { rate: "10000/s", by: "body.user" },
      },
      (given) =>
        JSON.stringify(given["body"]).toLowerCase().includes("mallory")
          ? refuse("sign-in-failed", "wrong password")
          : undefined,
    );
    return test;
  });
  const events = async (line: string, asked: Parameters<typeof door.ask>[1] = {}) =>
    eventsOf(await door.recorded(await door.ask(line, asked)));

  it("are none for a call that is nothing but that", async () => {
    expect(await events("GET /v1/open")).toEqual([]);
    expect(await events(`GET /v1/notes/${noteIds[0]}`, { as: "alice" })).toEqual([]);
  });

  it("are exactly one for a refusal, with its protection, code and private reason", async () => {
    const [refused, ...more] = await events("GET /v1/refuses", { headers: await bearer("alice", { tid: "acme" }) });
    expect(more).toEqual([]);
    expect(refused).toEqual({
      kind: "event",
      type: "refused",
      time: expect.any(Number),
      service: "notes",
      requestId: expect.stringMatching(/^[\w-]{22}$/),
      status: 409,
      address: "127.0.0.1",
      method: "GET",
      account: expect.stringMatching(/^[\w-]{16}$/),
      tenant: "acme",
      route: "GET /v1/refuses",
      protection: "errors",
      code: "conflict",
      reason: "name is taken",
    });
  });

  it("are one for each of the gates that refuse", async () => {
    const cases = [
      ["GET /v1//open", "canonical-request"],
      ["GET /v1/open?token=1", "exposure"],
      ["GET /v1/none", "versioning"],
      [`GET /v1/notes/${noteIds[0]}`, "authentication"],
      ["GET /v1/open?a=1", "input"],
    ] as const;
    for (const [line, protection] of cases) {
      const found = await events(line);
      expect(
        found.map((event) => [event.type, event.protection]),
        line,
      ).toEqual([["refused", protection]]);
    }
    const host = await events("GET /v1/open", { headers: { Host: "evil.example" } });
    expect(host.map((event) => event.protection)).toEqual(["host"]);
  });

  it("are two where something was thrown: what it was, and that the call was refused", async () => {
    const found = await events("GET /v1/throws");
    expect(found.map((event) => event.type).sort()).toEqual(["error-thrown", "refused"]);
  });

  it("say who signed in and who failed to, by the same hash, however the name is spelt", async () => {
    const account = async (user: string) => {
      const found = await events("POST /v1/sign-in", { json: { user } });
      expect(found).toHaveLength(1);
      return [found[0]?.type, found[0]?.account];
    };
    const [type, alice] = await account("alice@example.com");
    expect(type).toBe("signed-in");
    expect(await account("ALICE@example.com")).toEqual(["signed-in", alice]);
    expect(await account(" ａlice@example.com ")).toEqual(["signed-in", alice]);
    const [failed, mallory] = await account("mallory@example.com");
    expect(failed).toBe("refused");
    expect(await account("Mallory@example.com")).toEqual(["refused", mallory]);
    expect(mallory).not.toBe(alice);
  });

  it("frame the life of the process", async () => {
    const own = await openDoor(testApi());
    await own.close();
    expect(own.events().map(({ type, service }) => [type, service])).toEqual([
      ["started", "notes"],
      ["stopped", "notes"],
    ]);
  });
});

describe("audit: sinks", () => {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-audit-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("that throw, reject or hang disturb no request and no other sink", async () => {
    const errors: unknown[] = [];
    const good = memorySink();
    const sinks: readonly AuditSink[] = [
      sinkTo("throws", () => boom()),
      sinkTo("rejects", () => Promise.reject(new Error("sink down"))),
      sinkTo("slow", () => wait(150)),
      good,
    ];
    const test = testApi({
      audit: { sinks, onError: (error, { stage }) => errors.push(`${stage}: ${String(error)}`) },
    });
    const door = await openDoor({ ...test, entries: good.entries });
    for (let i = 0; i < 3; i++) {
      const reply = await door.ask("GET /v1/open");
      expect(reply.status).toBe(200);
      expect(callOf(await door.recorded(reply)).status).toBe(200);
    }
    await door.close();
    expect(errors).toContain("sink throws: Error: boom");
    expect(errors).toContain("sink rejects: Error: sink down");
  });

  it("get entries in batches, in order, and each as one line of JSON", async () => {
    const batches: AuditBatch[] = [];
    const test = testApi({ audit: { sinks: [sinkTo("keep", (batch) => void batches.push(batch))] } });
    const door = await openDoor(test);
    await Promise.all(
      Array.from({ length: 30 }, () => door.ask("GET /v1/open", { headers: { "User-Agent": 'a"b\\c' } })),
    );
    await door.close();
    const calls = batches.flatMap((batch) => batch.entries).filter((entry) => entry.kind === "call");
    expect(calls).toHaveLength(30);
    expect(batches.length).toBeLessThan(15);
    for (const batch of batches) {
      const lines = batch.text().split("\n");
      expect(lines.pop()).toBe("");
      expect(lines).toHaveLength(batch.entries.length);
      for (const line of lines) {
        const { time } = z.looseObject({ time: z.iso.datetime(), service: z.literal("notes") }).parse(JSON.parse(line));
        expect(time).toMatch(/Z$/);
      }
    }
  });

  it("get the last entries at the end of a graceful stop, and are closed", async () => {
    let closed = 0;
    const sink = memorySink();
    const test = testApi({ audit: { sinks: [{ ...sink, close: () => void closed++ }] } });
    const door = await openDoor(test);
    await door.ask("GET /v1/open");
    await door.close();
    expect([sink.entries.filter((entry) => entry.kind === "call").length, closed]).toEqual([1, 1]);
  });

  it("write a file that only its owner reads, at its end", async () => {
    const path = join(folder, "security.log");
    for (let run = 0; run < 2; run++) {
      const door = await openDoor(testApi({ audit: { sinks: [fileSink(path)] } }));
      await door.ask("GET /v1/none");
      await door.close();
    }
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    const kinds = lines.map((line) =>
      z.looseObject({ kind: z.string(), type: z.string().optional() }).parse(JSON.parse(line)),
    );
    expect(kinds.map(({ kind, type }) => type ?? kind)).toEqual([
      "started",
      "call",
      "refused",
      "stopped",
      "started",
      "call",
      "refused",
      "stopped",
    ]);
    expect(statSync(path).mode & 0o077).toBe(0);
  });

  it("that cannot open their file disturb no request, tell onError, and write once they can", async () => {
    const errors: unknown[] = [];
    const missing = join(folder, "later");
    const sink = fileSink(join(missing, "security.log"));
    const door = await openDoor(testApi({ audit: { sinks: [sink], onError: (error) => errors.push(error) } }));
    expect((await door.ask("GET /v1/open")).status).toBe(200);
    for (let i = 0; i < 50 && errors.length === 0; i++) await wait(20);
    expect(errors.map(String).join()).toContain("ENOENT");
    mkdirSync(missing);
    expect((await door.ask("GET /v1/none")).status).toBe(404);
    await door.close();
    expect(readFileSync(join(missing, "security.log"), "utf8")).toContain("route-not-found");
  });

  it("open no file before there is something to write, so that importing an API has no effect", () => {
    const path = join(folder, "never.log");
    const api = createApi({ name: "idle", hosts: ["localhost"], credentials: [], audit: { sinks: [fileSink(path)] } });
    routeUntyped(api, { path: "GET /v1/x", access, output: nothing });
    expect(api.problems()).toEqual([]);
    api.manifest();
    expect(existsSync(path)).toBe(false);
  });

  it("cannot be none at all", () => {
    const api = createApi({
      name: "start",
      hosts: ["localhost"],
      credentials: [],
      audit: { sinks: [], accountKey: "short" },
    });
    routeUntyped(api, { path: "GET /v1/x", access, output: nothing });
    expect(api.problems().map((one) => one.field)).toEqual(["audit.sinks", "audit.accountKey"]);
  });
});

describe("audit: a flood", () => {
  it("is one event a second and code, with an exact count, and one record for every call", async () => {
    const door = await openDoor(testApi({ limits: { failures: "3/min" } }));
    for (let i = 0; i < 3; i++) await door.ask("GET /v1/none");
    for (let i = 0; i < 20; i++) await door.ask("GET /v1/none");
    for (let i = 0; i < 5; i++) await door.ask("GET /v1//x");
    await door.close();
    const count = (code: string) =>
      door
        .events()
        .filter((event) => event.code === code)
        .map((event) => event.count ?? 1);
    expect(count("route-not-found")).toEqual([1, 1, 1]);
    expect(count("failure-budget-spent").reduce((sum, one) => sum + one, 0)).toBe(20);
    expect(count("failure-budget-spent").length).toBeLessThanOrEqual(3);
    expect(door.entries.filter((entry) => entry.kind === "call")).toHaveLength(28);
  });
});

function boom(): never {
  throw new Error("boom");
}
