import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiKeyStoreContract, record } from "../../../portcullis/test/credentials/api-key-store.contract.ts";
import { apiKeyStore, type SqlApiKeyStore } from "../../src/storage/api-keys.ts";
import { revocationStore } from "../../src/storage/revocations.ts";
import { embeddedStores, postgresStores, type TestStores } from "./open-stores.ts";

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("storage: API keys, %s", (kind, start) => {
  let stores: TestStores;
  beforeAll(async () => {
    stores = await start();
  });
  afterAll(() => stores.stop());

  apiKeyStoreContract(`the ${kind} server store`, () => open());

  it("tells that a key was revoked or rotated in the same step, and of nothing else", async () => {
    const storage = await stores.open();
    const store = await open(storage);
    const told = async () => (await revocationStore(storage, storage.pool).list(0)).map((one) => [one.kind, one.value]);
    await store.insert(record({ id: "k" }));
    await store.insert(record({ id: "old" }));
    await store.insert(record({ id: "taken" }));
    await store.touch("k", 5);
    await store.revoke("none", 5);
    await expect(async () => store.rotate("old", record({ id: "taken", createdAt: 5 }), 9)).rejects.toThrow(Error);
    expect(await told()).toEqual([]);
    await store.revoke("k", 5);
    await store.revoke("k", 6);
    await store.rotate("old", record({ id: "new", createdAt: 5 }), 9);
    expect(await told()).toEqual([
      ["api-key", "k"],
      ["api-key", "old"],
    ]);
  });

  it("lets an owner have so many keys that work and no more, also when many are made at once", async () => {
    const store = await open();
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, n) => store.insertWithin(record({ id: `k${n}`, createdAt: 10 }), 5)),
    );
    expect(made.filter(Boolean)).toHaveLength(5);
    const [first] = await store.listBySubject("alice", 1);
    await store.revoke(first?.id ?? "", 20);
    expect(await store.insertWithin(record({ id: "next", createdAt: 30, expiresAt: 40 }), 5)).toBe(true);
    expect(await store.insertWithin(record({ id: "more", createdAt: 31 }), 5)).toBe(false);
    expect(await store.insertWithin(record({ id: "later", createdAt: 40 }), 5)).toBe(true);
    expect(await store.insertWithin(record({ id: "bob's", subject: "bob", createdAt: 40 }), 1)).toBe(true);
  });

  it("forgets keys that ended long ago", async () => {
    const store = await open();
    await store.insert(record({ id: "alive" }));
    await store.insert(record({ id: "expires", expiresAt: 50 }));
    await store.insert(record({ id: "revoked" }));
    await store.revoke("revoked", 60);
    await store.sweep(51);
    expect((await store.listBySubject("alice", 9)).map(({ id }) => id)).toEqual(["alive", "revoked"]);
    await store.sweep(61);
    expect((await store.listBySubject("alice", 9)).map(({ id }) => id)).toEqual(["alive"]);
  });

  async function open(given?: Awaited<ReturnType<TestStores["open"]>>): Promise<SqlApiKeyStore> {
    const storage = given ?? (await stores.open());
    let generation = 0;
    return apiKeyStore(storage, {
      revoked: () => void generation++,
      generation: () => generation,
      keepMs: 1000,
      now: () => 1_000,
    });
  }
});
