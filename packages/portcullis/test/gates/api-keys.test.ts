import { createHash, createHmac, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { anyCaller, nothing, publicAccess } from "portcullis";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { CredentialVerifier } from "../../src/credential.ts";
import type { Environment } from "../../src/environment.ts";
import { apiKeys, type ApiKeysOptions } from "../../src/gates/api-keys.ts";
import type { ApiKeyStore } from "../../src/lib/api-key-store.ts";
import { issueApiKey, revokeApiKey, rotateApiKey, type NewApiKey } from "../../src/lib/issue-api-key.ts";
import { memoryKeyStore } from "../../src/lib/memory-key-store.ts";
import { Refusal } from "../../src/refusal.ts";
import { testWorld } from "../credentials/environment.ts";
import type { FrontDoor } from "../front-door.ts";
import { openDoor, routeUntyped, sharedDoor, testApi } from "../front-door.ts";

describe("api-keys", () => {
  it("admits an issued key; the caller is whoever created it", async () => {
    const { verifier, issue } = setUp();
    const { key, record } = await issue({ tenant: "acme", scopes: ["projects:read"], name: "ci" });
    expect(await verifier.verify(key)).toEqual({
      subject: "alice",
      tenant: "acme",
      scopes: ["projects:read"],
      roles: [],
      proof: {
        kind: "api-keys",
        issuer: undefined,
        credentialId: record.id,
        ambient: false,
        claims: { name: "ci", environment: "live" },
      },
    });
  });

  it("answers at once where store and hashing do, so that nothing waits", async () => {
    const { verifier, issue } = setUp();
    const { key } = await issue();
    expect(verifier.verify(key)).not.toBeInstanceOf(Promise);
    expect(verifier.verify(`${key.slice(0, -1)}!`)).toBeInstanceOf(Refusal);
  });

  it("works the same with a store and a hashing that answer later", async () => {
    const world = testWorld();
    const { sha256, hmacSha256, hmacSha512 } = world.environment.hashing;
    const environment: Environment = {
      ...world.environment,
      hashing: {
        sha256: async (data) => sha256(data),
        hmacSha256: async (key, data) => hmacSha256(key, data),
        hmacSha512: async (key, data) => hmacSha512(key, data),
      },
    };
    const memory = memoryKeyStore();
    const store = { ...memory, find: async (id: string) => memory.find(id) };
    const { key } = await issueApiKey({ store, prefix: "prj", subject: "alice", scopes: [], name: "k" }, environment);
    const verifier = apiKeys({ prefix: "prj", store }).build(environment);
    expect(await verifier.verify(key)).toMatchObject({ subject: "alice" });
    expect(verifier.cached(key)).toMatchObject({ subject: "alice" });
    expect(await codeOf(verifier, swapSecret(key))).toBe("bad-api-key");
  });

  describe("the text of a key", () => {
    it("is prefix, environment, id, 256-bit secret and checksum, in letters and digits", async () => {
      const { issue } = setUp();
      const { key, record } = await issue({ environment: "test" });
      expect(key).toMatch(/^prj_test_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
      expect(key.split("_")[2]).toBe(record.id);
      expect(checksum(key.slice(0, -6))).toBe(key.slice(-6));
      expect(record.displayPrefix).toBe(key.slice(0, 12));
      const others = await Promise.all(Array.from({ length: 50 }, () => issue()));
      expect(new Set(others.map((one) => one.key.split("_")[3])).size).toBe(50);
    });

    it("is stored as a SHA-256 only, which anybody can compute from the key and nobody can turn back", async () => {
      const { issue, store } = setUp();
      const { key, record } = await issue();
      expect(Buffer.from(record.hash)).toEqual(createHash("sha256").update(key).digest());
      const kept = JSON.stringify(await store.find(record.id));
      expect(kept).not.toContain(key);
      expect(kept).not.toContain(key.slice(-49));
    });

    it("is stored as an HMAC where there is a pepper, so that the store alone confirms no guess", async () => {
      const pepper = "a pepper of 32 bytes that is kept elsewhere";
      const { verifier, issue, store, world } = setUp({ pepper });
      const { key, record } = await issue({}, { pepper });
      expect(Buffer.from(record.hash)).toEqual(createHmac("sha256", pepper).update(key).digest());
      expect(await verifier.verify(key)).toMatchObject({ subject: "alice" });
      const without = apiKeys({ prefix: "prj", store }).build(world.environment);
      expect(await codeOf(without, key)).toBe("bad-api-key");
    });
  });

  it("refuses every forged variant of a key, and asks the store only where the checksum is right", async () => {
    const asked: string[] = [];
    const store = memoryKeyStore();
    const watched = {
      ...store,
      find(id: string) {
        asked.push(id);
        return store.find(id);
      },
    };
    const { verifier, issue } = setUp({ store: watched });
    const { key, record } = await issue();
    expect(await verifier.verify(key)).toMatchObject({ subject: "alice" });
    asked.length = 0;

    const withWrongSum: string[] = [];
    for (let place = 4; place < key.length; place++) {
      for (const other of ["0", "z", "_"].filter((one) => one !== key.charAt(place))) {
        withWrongSum.push(key.slice(0, place) + other + key.slice(place + 1));
      }
    }
    withWrongSum.push(
      key.slice(0, -1),
      `${key}0`,
      ` ${key}`,
      `${key} `,
      `${key}\n`,
      key.toUpperCase(),
      key.toLowerCase(),
    );
    withWrongSum.push(
      key.slice(0, -6),
      `${key}${key}`,
      "prj_",
      "prj_live_",
      "prj",
      "",
      "prj_live__",
      `prj_live_${record.id}`,
    );
    withWrongSum.push(
      key.replaceAll("_", "-"),
      key.replace("prj_", "prj__"),
      `x${key}`,
      `Bearer ${key}`,
      `${key},${key}`,
      "prj_".repeat(20_000),
    );
    expect(withWrongSum.length).toBeGreaterThan(150);
    for (const forged of withWrongSum)
      expect([forged, await codeOf(verifier, forged)]).toEqual([forged, "bad-api-key"]);
    expect(asked).toEqual([]);

    const [, environment = "", id = "", tail = ""] = key.split("_");
    const secret = tail.slice(0, 43);
    const withRightSum = [
      `prj_${environment}_${id}_${"0".repeat(43)}`,
      `prj_${environment}_${id}_${[...secret].toReversed().join("")}`,
      `prj_${environment}_${id.toLowerCase()}X`.slice(0, 25).padEnd(25, "x") + `_${secret}`,
      ...Array.from({ length: 60 }, (_, n) => `prj_${environment}_${String(n).padStart(16, "A")}_${secret}`),
      ...Array.from(
        { length: 43 },
        (_, n) =>
          `prj_${environment}_${id}_${secret.slice(0, n)}${secret[n] === "A" ? "B" : "A"}${secret.slice(n + 1)}`,
      ),
    ].map((body) => body + checksum(body));
    for (const forged of withRightSum)
      expect([forged, await codeOf(verifier, forged)]).toEqual([forged, "bad-api-key"]);
    expect(asked).toHaveLength(withRightSum.length);
    expect(withWrongSum.length + withRightSum.length).toBeGreaterThan(250);
  });

  it("refuses a real key under another environment or prefix, although the checksum is made to fit", async () => {
    const { verifier, issue } = setUp({ environments: ["live", "test"] });
    const { key } = await issue({ environment: "test" });
    const moved = key.replace("_test_", "_live_").slice(0, -6);
    expect(await codeOf(verifier, moved + checksum(moved))).toBe("bad-api-key");
    const onlyLive = setUp({ environments: ["live"] });
    expect(await codeOf(onlyLive.verifier, (await onlyLive.issue({ environment: "test" })).key)).toBe("bad-api-key");
    const renamed = key.replace("prj_", "prk_").slice(0, -6);
    expect(await codeOf(verifier, renamed + checksum(renamed))).toBe("bad-api-key");
  });

  it("answers alike for an unknown id and for a wrong secret, after the same work", async () => {
    const world = testWorld();
    const work: string[] = [];
    const memory = memoryKeyStore();
    const store: ApiKeyStore = {
      ...memory,
      find(id) {
        work.push("find");
        return memory.find(id);
      },
    };
    const environment: Environment = {
      ...world.environment,
      hashing: {
        ...world.environment.hashing,
        sha256(data) {
          work.push(`hash ${data.length}`);
          return world.environment.hashing.sha256(data);
        },
      },
    };
    const { key } = await issueApiKey({ store, prefix: "prj", subject: "alice", scopes: [], name: "k" }, environment);
    const verifier = apiKeys({ prefix: "prj", store }).build(environment);
    const unknown = `prj_live_${"A".repeat(16)}_${"A".repeat(43)}`;
    const outcomes = [swapSecret(key), unknown + checksum(unknown)].map((forged) => {
      work.length = 0;
      return [verifier.verify(forged), [...work]];
    });
    expect(outcomes[0]).toEqual(outcomes[1]);
    expect(outcomes[0]?.[0]).toMatchObject({ code: "bad-api-key", status: 401 });
  });

  it("says what was wrong with a key where that has words: in Authorization", async () => {
    const bearer = await setUp().verifier.verify("prj_x");
    expect(bearer).toMatchObject({ status: 401, headers: ["www-authenticate", 'Bearer error="invalid_token"'] });
    const own = await setUp({ header: "x-api-key" }).verifier.verify("prj_x");
    // The authentication gate adds the challenges of the whole API.
    expect(own).toMatchObject({ status: 401, headers: undefined });
  });

  it("travels in Authorization or in one configured header, never both", () => {
    const store = memoryKeyStore();
    expect(apiKeys({ prefix: "prj", store }).carrier).toEqual({ in: "authorization" });
    expect(apiKeys({ prefix: "prj", store, header: "X-API-Key" }).carrier).toEqual({
      in: "header",
      header: "x-api-key",
    });
  });

  it("recognises keys by their prefix", async () => {
    const { verifier, issue } = setUp();
    expect(verifier.recognises((await issue()).key)).toBe(true);
    expect(verifier.recognises("prj_anything")).toBe(true);
    for (const value of ["prj", "prk_live_x", "eyJhbGciOiJub25lIn0.e30.", "", " prj_live"]) {
      expect(verifier.recognises(value)).toBe(false);
    }
  });

  describe("expiry and revocation", () => {
    it("refuses an expired key from the very millisecond on, cached or not", async () => {
      const { verifier, issue, world } = setUp();
      const { key } = await issue({ expiresAt: world.environment.clock.now() + 60_000 });
      expect(await verifier.verify(key)).toMatchObject({ subject: "alice" });
      world.pass(59.999);
      expect(verifier.cached(key)).toBeDefined();
      world.pass(0.001);
      expect(verifier.cached(key)).toBeUndefined();
      expect(await codeOf(verifier, key)).toBe("bad-api-key");
    });

    it("refuses a revoked key with the very next request where the store pushes its generation", async () => {
      const { verifier, issue, store, world } = setUp();
      const { key, record } = await issue();
      const other = await issue({ name: "other" });
      for (const one of [key, other.key]) await verifier.verify(one);
      expect(verifier.cached(key)).toBeDefined();
      expect(await revokeApiKey({ store, id: record.id, subject: "alice" }, world.environment)).toBe(true);
      expect(verifier.cached(key)).toBeUndefined();
      expect(await codeOf(verifier, key)).toBe("bad-api-key");
      expect(await verifier.verify(other.key)).toMatchObject({ subject: "alice" });
    });

    it("stays cached as long as nothing is revoked, where the store pushes its generation", async () => {
      const { verifier, issue, world } = setUp();
      const { key } = await issue();
      await verifier.verify(key);
      const caller = verifier.cached(key);
      world.pass(3_600);
      expect(verifier.cached(key)).toBe(caller);
    });

    it("believes what it read for one second only, where the store cannot tell", async () => {
      const store = { ...memoryKeyStore(), generation: () => undefined };
      const { verifier, issue, world } = setUp({ store });
      const { key, record } = await issue();
      await verifier.verify(key);
      await store.revoke(record.id, world.environment.clock.now());
      world.pass(0.999);
      expect(verifier.cached(key)).toBeDefined();
      world.pass(0.001);
      expect(verifier.cached(key)).toBeUndefined();
      expect(await codeOf(verifier, key)).toBe("bad-api-key");
    });

    it("believes nothing longer than configured when a store loses its push channel", async () => {
      let connected = true;
      const memory = memoryKeyStore();
      const store = { ...memory, generation: () => (connected ? memory.generation() : undefined) };
      const { verifier, issue, world } = setUp({ store, revocationSeconds: 5 });
      const { key } = await issue();
      await verifier.verify(key);
      world.pass(6);
      expect(verifier.cached(key)).toBeDefined();
      connected = false;
      expect(verifier.cached(key)).toBeUndefined();
    });

    it("does not publish a key that is revoked while the cache fills", async () => {
      const memory = memoryKeyStore();
      const { promise: held, resolve: release } = Promise.withResolvers<void>();
      const { promise: read, resolve: wasRead } = Promise.withResolvers<void>();
      let reads = 0;
      const store: ApiKeyStore = {
        ...memory,
        async find(id) {
          const found = await memory.find(id);
          reads++;
          wasRead();
          if (reads === 1) await held;
          return found;
        },
      };
      const { verifier, world } = setUp({ store });
      const { key, record } = await issueApiKey(
        { store, prefix: "prj", subject: "alice", scopes: [], name: "k" },
        world.environment,
      );
      const pending = verifier.verify(key);
      await read;
      await memory.revoke(record.id, world.environment.clock.now());
      release();
      // The record was read before the revocation, but the answer comes after it: it is read again and refused.
      expect(await pending).toMatchObject({ code: "bad-api-key", reason: "revoked" });
      expect(verifier.cached(key)).toBeUndefined();
      expect(reads).toBe(2);
    });

    it("does not remember a key while revocations keep coming, and still answers", async () => {
      let generation = 0;
      const store = { ...memoryKeyStore(), generation: () => generation++ };
      const { verifier, issue } = setUp({ store });
      const { key } = await issue();
      expect(await verifier.verify(key)).toMatchObject({ subject: "alice" });
      expect(verifier.cached(key)).toBeUndefined();
    });
  });

  describe("a store that fails", () => {
    const down = () => {
      throw new Error("connection refused to postgres://user:secret@db");
    };

    it("refuses with 503, and says nothing of the cause to the caller", async () => {
      for (const find of [down, async () => down()]) {
        const { verifier, issue, store } = setUp();
        const { key } = await issue();
        const failing = setUp({ store: { ...store, find } }).verifier;
        const refusal = await failing.verify(key);
        expect(refusal).toMatchObject({ code: "verifier-unavailable", status: 503, title: "Service unavailable" });
        expect(verifier.cached(key)).toBeUndefined();
      }
    });

    it("refuses a key whose record has no owner, since nobody can be the caller", async () => {
      const { verifier, issue, store } = setUp();
      const { key, record } = await issue();
      const nobody = { ...store, find: () => ({ ...record, subject: "" }) };
      expect(await codeOf(setUp({ store: nobody }).verifier, key)).toBe("verifier-unavailable");
      expect(await codeOf(verifier, key)).toBe("admitted");
    });

    it("believes nothing it read earlier when it cannot even say its generation", async () => {
      let failing = false;
      const memory = memoryKeyStore();
      const store = { ...memory, generation: () => (failing ? down() : memory.generation()) };
      const { verifier, issue, world } = setUp({ store });
      const { key } = await issue();
      await verifier.verify(key);
      world.pass(2);
      failing = true;
      expect(verifier.cached(key)).toBeUndefined();
    });

    it("still admits where only the last use cannot be noted, and tells that once a minute", async () => {
      for (const touch of [down, async () => down()]) {
        const memory = memoryKeyStore();
        const { verifier, issue, world } = setUp({ store: { ...memory, touch } });
        const keys = await Promise.all([issue(), issue(), issue()]);
        for (const { key } of keys) expect(await codeOf(verifier, key)).toBe("admitted");
        await new Promise((resolve) => setImmediate(resolve));
        expect(world.events.map(({ type }) => type)).toEqual(["api-key-last-use-failed"]);
      }
    });
  });

  it("notes the last use at most once a minute and key, cached or not", async () => {
    const uses: number[] = [];
    const memory = memoryKeyStore();
    const store: ApiKeyStore = {
      ...memory,
      touch(id, at) {
        uses.push(at);
        return memory.touch(id, at);
      },
    };
    const { verifier, issue, world } = setUp({ store });
    const { key, record } = await issue();
    await verifier.verify(key);
    for (let n = 0; n < 59; n++) {
      world.pass(1);
      expect(verifier.cached(key)).toBeDefined();
      await verifier.verify(key);
    }
    expect(uses).toHaveLength(1);
    world.pass(1);
    verifier.cached(key);
    expect(uses).toHaveLength(2);
    expect(await store.find(record.id)).toMatchObject({ lastUsedAt: world.environment.clock.now() });
  });

  it("takes over keys of another format, given out before", async () => {
    const legacy = `old-${randomBytes(24).toString("base64url")}`;
    const store = memoryKeyStore();
    await store.insert({
      ...(await setUp().issue()).record,
      id: legacy.slice(0, 12),
      hash: createHash("sha256").update(legacy).digest(),
    });
    const parse = (key: string) => (key.startsWith("old-") ? { id: key.slice(0, 12), secret: key } : undefined);
    const { verifier, issue } = setUp({ store, parse });
    expect(verifier.recognises(legacy)).toBe(true);
    expect(verifier.recognises("new-key")).toBe(false);
    expect(await codeOf(verifier, legacy)).toBe("admitted");
    expect(await codeOf(verifier, `${legacy}x`)).toBe("bad-api-key");
    expect(await codeOf(verifier, "new-key")).toBe("bad-api-key");
    expect(await codeOf(verifier, (await issue()).key)).toBe("admitted");
  });

  it("cannot decide, and refuses, where parse throws", async () => {
    const parse = () => {
      throw new Error("bug");
    };
    const { verifier } = setUp({ parse });
    expect(verifier.recognises("whatever")).toBe(false);
    expect(await codeOf(verifier, "whatever")).toBe("verifier-unavailable");
  });

  describe("options", () => {
    it.each<[string, Partial<ApiKeysOptions>]>([
      ["prefix", { prefix: "" }],
      ["prefix", { prefix: "PRJ" }],
      ["prefix", { prefix: "my_api" }],
      ["prefix", { prefix: "a".repeat(17) }],
      ["environments", { environments: [] }],
      ["environments", { environments: ["live", ""] }],
      ["header", { header: "authorization" }],
      ["header", { header: "Cookie" }],
      ["header", { header: "x api key" }],
      ["header", { header: "" }],
      ["pepper", { pepper: "short" }],
      ["revocationSeconds", { revocationSeconds: -1 }],
      ["revocationSeconds", { revocationSeconds: 61 }],
      ["revocationSeconds", { revocationSeconds: Number.NaN }],
      ["cache", { cache: { maxEntries: 0 } }],
      ["name", { name: "" }],
    ])("stops on a nonsensical %s: %j", (field, over) => {
      const credential = apiKeys({ prefix: "prj", store: memoryKeyStore(), ...over });
      expect(credential.problems()).toMatchObject([{ field }]);
      expect(() => credential.build(testWorld().environment)).toThrow(/./);
    });

    it("describes itself without the pepper", () => {
      const pepper = "a pepper of 32 bytes that is kept elsewhere";
      const credential = apiKeys({ prefix: "prj", store: memoryKeyStore(), pepper });
      expect(credential.describe()).toEqual({
        prefix: "prj",
        environments: ["live", "test"],
        carrier: { in: "authorization" },
        revocationSeconds: 1,
        peppered: true,
        takesOverOtherKeys: false,
      });
    });
  });
});

describe("api-keys: issuing, rotating and revoking", () => {
  it("rotates: the old key works until the overlap is over, the new one keeps owner, scopes and name", async () => {
    const { verifier, issue, store, world } = setUp();
    const old = await issue({ tenant: "acme", scopes: ["a:read"], name: "ci" });
    expect(await codeOf(verifier, old.key)).toBe("admitted");
    const next = await rotateApiKey(
      { store, prefix: "prj", id: old.record.id, subject: "alice", overlapSeconds: 3_600 },
      world.environment,
    );
    if (next === undefined) throw new Error("not rotated");
    expect(next.record).toMatchObject({ subject: "alice", tenant: "acme", scopes: ["a:read"], name: "ci" });
    for (const { key } of [old, next]) expect(await codeOf(verifier, key)).toBe("admitted");
    world.pass(3_600);
    expect(verifier.cached(old.key)).toBeUndefined();
    expect(await codeOf(verifier, old.key)).toBe("bad-api-key");
    expect(await codeOf(verifier, next.key)).toBe("admitted");
  });

  it("lets the old key end at once where the overlap is zero", async () => {
    const { verifier, issue, store, world } = setUp();
    const { key, record } = await issue();
    await verifier.verify(key);
    await rotateApiKey({ store, prefix: "prj", id: record.id, subject: "alice", overlapSeconds: 0 }, world.environment);
    expect(verifier.cached(key)).toBeUndefined();
    expect(await codeOf(verifier, key)).toBe("bad-api-key");
  });

  it("gives the successor as long a life as the old key had", async () => {
    const { issue, store, world } = setUp();
    const start = world.environment.clock.now();
    const { record } = await issue({ expiresAt: start + 1_000_000 });
    world.pass(100);
    const next = await rotateApiKey({ store, prefix: "prj", id: record.id, subject: "alice" }, world.environment);
    expect(next?.record.expiresAt).toBe(start + 100_000 + 1_000_000);
  });

  it("rotates and revokes a caller's own keys only; others' look missing", async () => {
    const { verifier, issue, store, world } = setUp();
    const { key, record } = await issue();
    for (const subject of ["mallory", "", "Alice"]) {
      const asked = { store, prefix: "prj", id: record.id, subject };
      expect(await rotateApiKey(asked, world.environment)).toBeUndefined();
      expect(await revokeApiKey(asked, world.environment)).toBe(false);
    }
    expect(await codeOf(verifier, key)).toBe("admitted");
    expect(await revokeApiKey({ store, id: "missing", subject: "alice" }, world.environment)).toBe(false);
  });

  it("rotates a key once: of several at the same time exactly one gets a successor", async () => {
    const { issue, store, world } = setUp();
    const { record } = await issue();
    const asked = { store, prefix: "prj", id: record.id, subject: "alice" };
    const all = await Promise.all(Array.from({ length: 8 }, () => rotateApiKey(asked, world.environment)));
    expect(all.filter((one) => one !== undefined)).toHaveLength(1);
    expect(await rotateApiKey(asked, world.environment)).toBeUndefined();
  });

  it("issues with the platform's own clock, hashing and randomness where none is given", async () => {
    const store = memoryKeyStore();
    const { key, record } = await issueApiKey({ store, prefix: "prj", subject: "alice", scopes: [], name: "k" });
    expect(Buffer.from(record.hash)).toEqual(createHash("sha256").update(key).digest());
    expect(Math.abs(record.createdAt - Date.now())).toBeLessThan(60_000);
  });

  it.each<[string, Partial<NewApiKey & { prefix: string; pepper: string }>]>([
    ["no owner", { subject: "" }],
    ["no name", { name: "" }],
    ["a long name", { name: "x".repeat(101) }],
    ["an odd environment", { environment: "Live_1" }],
    ["an odd prefix", { prefix: "a_b" }],
    ["a scope with a space", { scopes: ["a b"] }],
    ["an empty scope", { scopes: [""] }],
    ["an expiry in the past", { expiresAt: 1 }],
    ["an expiry that is no number", { expiresAt: Number.NaN }],
    ["a short pepper", { pepper: "short" }],
  ])("does not issue a key with %s", async (_, over) => {
    const { store, world } = setUp();
    const sound = { store, prefix: "prj", subject: "alice", scopes: [], name: "k" };
    await expect(issueApiKey({ ...sound, ...over }, world.environment)).rejects.toThrow(/./);
    expect(await store.listBySubject("alice", 10)).toEqual([]);
  });
});

describe.each([
  ["in Authorization", undefined],
  ["in a header of their own", "X-Api-Key"],
])("api-keys through the front door, %s", (_where, header) => {
  const store = memoryKeyStore();
  const make = (what: Partial<NewApiKey> = {}) =>
    issueApiKey({ store, prefix: "prj", subject: "alice", scopes: ["read"], name: "k", ...what });
  const carry = (text: string): Readonly<Record<string, string>> =>
    header === undefined ? { Authorization: `Bearer ${text}` } : { [header]: text };
  let key = "";
  beforeAll(async () => {
    key = (await make()).key;
  });
  const door: FrontDoor = sharedDoor(() => {
    const test = testApi({ credentials: [apiKeys({ prefix: "prj", store, ...(header && { header }) })] });
    const Who = z.strictObject({ subject: z.string().max(50) });
    routeUntyped(test.api, { path: "GET /v1/me", access: anyCaller, output: Who }, ({ caller }) => caller);
    routeUntyped(test.api, { path: "GET /v1/free", access: publicAccess("x"), output: nothing });
    routeUntyped(test.api, { path: "GET /v1/read", access: { scopes: ["read"] }, output: nothing });
    routeUntyped(test.api, { path: "GET /v1/write", access: { scopes: ["write"] }, output: nothing });
    return test;
  });
  const codeOf = async (text: string, path = "/v1/me"): Promise<unknown> => {
    const reply = await door.ask(`GET ${path}`, { headers: carry(text) });
    return reply.code ?? reply.status;
  };

  it("admit whoever created the key, with the scopes it was given", async () => {
    expect((await door.ask("GET /v1/me", { headers: carry(key) })).json).toEqual({ subject: "alice" });
    expect(await codeOf(key, "/v1/read")).toBe(204);
    expect(await codeOf(key, "/v1/write")).toBe("scope-missing");
  });

  it("are refused with one answer whether the id is unknown, the secret wrong, or the text none, on public routes too", async () => {
    const revoked = await make();
    await revokeApiKey({ store, id: revoked.record.id, subject: "alice" });
    const expired = await make({ expiresAt: Date.now() + 30 });
    await new Promise((resolve) => setTimeout(resolve, 40));
    const said = new Set<string>();
    for (const bad of [
      swapSecret(key),
      swapId(key),
      revoked.key,
      expired.key,
      `${key.slice(0, -1)}${key.endsWith("x") ? "y" : "x"}`,
      `prj_live_${"a".repeat(66)}`,
    ]) {
      for (const path of ["/v1/me", "/v1/free"]) {
        const reply = await door.ask(`GET ${path}`, { headers: carry(bad) });
        expect([reply.status, reply.code], bad.slice(0, 12)).toEqual([401, "bad-api-key"]);
        said.add(reply.said);
      }
    }
    expect(said.size).toBe(1);
  });

  it("end at once when they are revoked, although they were admitted before", async () => {
    const issued = await make();
    expect(await codeOf(issued.key)).toBe(200);
    expect(await codeOf(issued.key)).toBe(200);
    await revokeApiKey({ store, id: issued.record.id, subject: "alice" });
    expect(await codeOf(issued.key)).toBe("bad-api-key");
  });

  it("are taken from nowhere else", async () => {
    const elsewhere: readonly Readonly<Record<string, string>>[] = [
      { Cookie: `api_key=${key}; x-api-key=${key}` },
      { "Api-Key": key },
      { "X-Auth-Token": key },
      header === undefined ? { "X-Api-Key": key } : { "X-Api-Key2": key },
    ];
    for (const headers of elsewhere) {
      expect((await door.ask("GET /v1/me", { headers })).code, Object.keys(headers)[0]).toBe("no-credential");
    }
    for (const name of ["api_key", "apikey", "X-Api-Key", "access_token"]) {
      expect((await door.ask(`GET /v1/me?${name}=${key}`)).code, name).toBe("credential-in-url");
    }
  });

  it("stand in no record, neither good nor bad", async () => {
    for (const text of [key, swapSecret(key)]) {
      const entries = JSON.stringify(await door.recorded(await door.ask("GET /v1/me", { headers: carry(text) })));
      expect(entries).not.toContain(text.slice(-49));
      expect(entries).not.toContain(text.slice(0, 30));
    }
  });
});

describe("api-keys over a store that fails", () => {
  it("are refused with 503, and nobody who was not proved before gets in", async () => {
    const memory = memoryKeyStore();
    const { key } = await issueApiKey({ store: memory, prefix: "prj", subject: "alice", scopes: [], name: "k" });
    let isDown = true;
    const store: ApiKeyStore = {
      ...memory,
      find: (id) => (isDown ? Promise.reject(new Error("db-7 is gone")) : memory.find(id)),
    };
    const door = await openDoor(testApi({ credentials: [apiKeys({ prefix: "prj", store })] }));
    const ask = () => door.ask("GET /v1/open", { headers: { Authorization: `Bearer ${key}` } });
    const down = await ask();
    expect([down.status, down.code, down.said.includes("db-7")]).toEqual([503, "verifier-unavailable", false]);
    isDown = false;
    expect((await ask()).status).toBe(200);
    await door.close();
  });
});

/** The same key under another id, with a checksum that fits. */
function swapId(key: string): string {
  const [prefix = "", environment = "", id = "", rest = ""] = key.split("_");
  const body = `${prefix}_${environment}_${"Z".repeat(id.length)}_${rest.slice(0, 43)}`;
  return body + checksum(body);
}

function setUp(over: Partial<ApiKeysOptions> = {}) {
  const world = testWorld();
  const store = over.store ?? memoryKeyStore();
  const verifier = apiKeys({ prefix: "prj", store, ...over }).build(world.environment);
  const issue = (what: Partial<NewApiKey> = {}, place: { pepper?: string } = {}) =>
    issueApiKey(
      { store, prefix: "prj", subject: "alice", scopes: [], name: "k", ...place, ...what },
      world.environment,
    );
  return { world, store, verifier, issue };
}

async function codeOf(verifier: CredentialVerifier, key: string): Promise<string> {
  const outcome = await verifier.verify(key);
  if (outcome instanceof Refusal) expect(verifier.cached(key)).toBeUndefined();
  return outcome instanceof Refusal ? outcome.code : "admitted";
}

/** The same key with another secret and a checksum that fits. */
function swapSecret(key: string): string {
  const body = `${key.slice(0, -49)}${"Z".repeat(43)}`;
  return body + checksum(body);
}

/** The checksum as an outsider would compute it: CRC-32 in six base 62 digits. */
function checksum(body: string): string {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let rest = crc32(body);
  let text = "";
  for (let n = 0; n < 6; n++) {
    text = digits.charAt(rest % 62) + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}
