import { randomUUID } from "node:crypto";
import { openStorage, type Storage } from "@portcullis/server/storage";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openRevocations, type Revocations } from "../../src/identity/revocations.ts";
import { redisPush } from "../../src/identity/redis-push.ts";
import { revocationStore, userEpoch } from "../../src/storage/revocations.ts";
import { startRedis } from "../../../portcullis/test/redis/redis-server.ts";
import { postgresStores, type TestStores } from "../storage/open-stores.ts";

describe("oauth: what was taken back", () => {
  let stores: TestStores;
  let storage: Storage;
  let one: Revocations;
  let two: Revocations;
  /** How much later it is for the second instance than it thinks it has read. */
  let stalledMs = 0;
  beforeAll(async () => {
    stores = await postgresStores();
    storage = await openStorage(await stores.place());
    const options = { isAlone: false, keepMs: 960_000, now: () => Date.now(), onError: () => {} };
    one = await openRevocations({
      ...options,
      store: revocationStore(storage, storage.pool),
      monotonic: () => performance.now(),
    });
    // It hears nothing, and its timer comes late: as an instance whose connection hangs, and whose processor is busy.
    const deaf = revocationStore(storage, undefined);
    two = await openRevocations({ ...options, store: deaf, monotonic: () => performance.now() + stalledMs });
  });
  afterAll(async () => {
    await one.close();
    await two.close();
    await storage.close();
    await stores.stop();
  });

  const claims = (over: object = {}) => ({
    iss: "https://id.example.com",
    sub: "alice",
    iat: Math.floor(Date.now() / 1000) - 5,
    exp: Math.floor(Date.now() / 1000) + 900,
    jti: randomUUID(),
    grant: "g",
    sid: "s",
    epoch: 0,
    ...over,
  });

  it.each([
    ["jti", "one-token", { jti: "one-token" }],
    ["grant", "one-grant", { grant: "one-grant" }],
    ["session", "one-session", { sid: "one-session" }],
    ["user", userEpoch("bob", 3), { sub: "bob", epoch: 3 }],
  ] as const)("by %s: what it names is refused, its neighbours are not", async (kind, value, taken) => {
    expect(await one.forTokens.isRevoked(claims(taken))).toBe(false);
    await one.revoke({ kind, value });
    expect(await one.forTokens.isRevoked(claims(taken))).toBe(true);
    for (const neighbour of [
      {},
      { sub: "bob", epoch: 4 },
      { sub: "bob 3" },
      { jti: value.slice(1) },
      { sid: "one-grant" },
    ]) {
      expect(await one.forTokens.isRevoked(claims(neighbour))).toBe(false);
    }
  });

  it("by user: earlier epochs are over with a later one, whatever was said of them", async () => {
    const token = claims({ sub: "erin", epoch: 1 });
    expect(await one.forTokens.isRevoked(token)).toBe(false);
    await one.revoke({ kind: "user", value: userEpoch("erin", 2) });
    expect(await one.forTokens.isRevoked(token)).toBe(true);
    await one.revoke({ kind: "user", value: userEpoch("erin", 0) });
    expect(await one.forTokens.isRevoked(claims({ sub: "erin", epoch: 2 }))).toBe(true);
    expect(await one.forTokens.isRevoked(claims({ sub: "erin", epoch: "x" }))).toBe(true);
    expect(await one.forTokens.isRevoked(claims({ sub: "erin", epoch: 3 }))).toBe(false);
  });

  it("is what the table says, and not what anybody may say who has a role in the database", async () => {
    const token = claims({ sub: "frank", iat: Math.floor(Date.now() / 1000) + 60 });
    const later = 9_000_000_000_000;
    for (const [kind, value] of [
      ["epoch", ""],
      ["user", userEpoch("frank", 0)],
      ["jti", token.jti],
    ]) {
      const said = JSON.stringify({ kind, value, revokedAt: later, expiresAt: later });
      await storage.pool?.query("select pg_notify('portcullis_revocation', $1)", [said]);
    }
    const three = revocationStore(storage, storage.pool);
    const at = Date.now();
    await three.add([{ kind: "jti", value: "after", revokedAt: at, expiresAt: at + 60_000 }]);
    await vi.waitFor(async () => expect(await one.forTokens.isRevoked(claims({ jti: "after" }))).toBe(true), 10_000);
    expect(await one.forTokens.isRevoked(token)).toBe(false);
  });

  it("is caught up with where this instance has not read lately, everything at once too", async () => {
    const token = claims({ sub: "carol" });
    expect(await two.forTokens.isRevoked(token)).toBe(false);
    const before = two.forTokens.generation();
    stalledMs += 10_000;
    await one.revoke({ kind: "jti", value: token.jti });
    // No cached token passes meanwhile.
    expect(two.forTokens.generation()).not.toBe(before);
    expect(two.forTokens.generation()).not.toBe(two.forTokens.generation());
    expect(await two.forTokens.isRevoked(token)).toBe(true);

    const other = claims({ sub: "dave" });
    expect(await two.forTokens.isRevoked(other)).toBe(false);
    stalledMs += 10_000;
    await one.revoke({ kind: "epoch", value: "" });
    expect(await two.forTokens.isRevoked(other)).toBe(true);
  });

  it("is pushed through Redis, and again when Redis is back; a flood of messages costs no more than a few reads", async () => {
    const redis = await startRedis();
    let reads = 0;
    const deaf = revocationStore(await stores.open(), undefined);
    // Who thinks that he is alone does not look by himself: a message is all that makes him.
    const options = { isAlone: true, keepMs: 960_000, now: () => Date.now(), onError: () => {} };
    const [sayer, hearer] = [await redis.connect(), await redis.connect()];
    const first = await openRevocations({
      ...options,
      store: deaf,
      monotonic: () => performance.now(),
      push: redisPush(sayer),
    });
    const second = await openRevocations({
      ...options,
      store: {
        ...deaf,
        list(...asked) {
          reads++;
          return deaf.list(...asked);
        },
      },
      monotonic: () => performance.now(),
      push: redisPush(hearer),
    });
    try {
      const channel = "portcullis:revocation";
      const isHeard = async () => expect(await sayer.call("pubsub", "numsub", channel)).toEqual([channel, 2]);
      for (const round of ["first", "back"]) {
        await vi.waitFor(isHeard, 10_000);
        const token = claims({ jti: `pushed ${round}` });
        expect(await second.forTokens.isRevoked(token)).toBe(false);
        await first.revoke({ kind: "jti", value: token.jti });
        await vi.waitFor(async () => expect(await second.forTokens.isRevoked(token)).toBe(true), 10_000);
        if (round === "back") break;
        await redis.kill();
        // Whoever takes back while Redis is gone is kept neither waiting nor from it.
        await first.revoke({ kind: "jti", value: "meanwhile" });
        await redis.restart();
      }
      const begun = performance.now();
      reads = 0;
      for (let n = 0; n < 20; n++) {
        await Promise.all(Array.from({ length: 100 }, () => sayer.publish(channel, JSON.stringify({ kind: "epoch" }))));
      }
      await first.revoke({ kind: "jti", value: "after the flood" });
      const last = claims({ jti: "after the flood" });
      await vi.waitFor(async () => expect(await second.forTokens.isRevoked(last)).toBe(true), 10_000);
      expect(reads).toBeLessThanOrEqual((performance.now() - begun) / 50 + 2);
      expect(await second.forTokens.isRevoked(claims())).toBe(false);
    } finally {
      await first.close();
      await second.close();
      await redis.stop();
    }
  });

  it("is everything, also what was issued by a clock that is half a minute ahead, and nothing after that", async () => {
    const at = Date.now();
    const options = { isAlone: false, keepMs: 960_000, monotonic: () => performance.now(), onError: () => {} };
    const store = revocationStore(await stores.open(), undefined);
    // The one that takes back, and one whose clock is as far ahead as may be.
    const all = await Promise.all(
      [0, 30_000].map((aheadMs) => openRevocations({ ...options, store, now: () => at + aheadMs })),
    );
    const [here, ahead] = [at, at + 30_000].map((now) => claims({ iat: Math.floor(now / 1000) }));
    const later = claims({ iat: Math.floor(at / 1000) + 31 });
    const answers = () =>
      Promise.all(
        all.flatMap(({ forTokens }) => [here, ahead, later].map(async (one = claims()) => forTokens.isRevoked(one))),
      );
    expect(await answers()).toEqual([false, false, false, false, false, false]);
    await all[0]?.revoke({ kind: "epoch", value: "" });
    await vi.waitFor(async () => expect(await answers()).toEqual([true, true, false, true, true, false]), 10_000);
    for (const one of all) await one.close();
  });

  it("refuses to say where it cannot read at all", async () => {
    const place = await stores.place();
    const gone = await openStorage(place);
    let late = 0;
    const revocations = await openRevocations({
      store: revocationStore(gone, undefined),
      isAlone: false,
      keepMs: 960_000,
      now: () => Date.now(),
      monotonic: () => performance.now() + late,
      onError: () => {},
    });
    await gone.close();
    late = 1_000;
    await expect(Promise.resolve(revocations.forTokens.isRevoked(claims()))).rejects.toThrow();
    await revocations.close();
  });
});
