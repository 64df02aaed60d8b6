import { describe, expect, it } from "vitest";
import type { ApiKeyRecord, ApiKeyStore } from "../../src/lib/api-key-store.ts";

/**
 * What every key store must do, run on each of them.
 *
 * @param open  an empty store, a new one at every call
 */
export function apiKeyStoreContract(name: string, open: () => ApiKeyStore | Promise<ApiKeyStore>): void {
  describe(`api-keys: ${name} keeps API keys`, () => {
    it("finds a record as it was put in, with and without the optional parts", async () => {
      const store = await open();
      const full = record({
        id: "full",
        tenant: "acme",
        scopes: ["a:read", "b:write"],
        rate: "60/min",
        expiresAt: 2_000_000_000_000,
        lastUsedAt: 1_900_000_000_001,
        hash: Uint8Array.from({ length: 32 }, (_, n) => n * 7),
      });
      await store.insert(full);
      await store.insert(record({ id: "bare" }));
      expect(plain(await store.find("full"))).toEqual(plain(full));
      expect(plain(await store.find("bare"))).toEqual(plain(record({ id: "bare" })));
      for (const id of ["", "FULL", "ful", "full ", "' OR 1=1 --", "%", "__proto__"]) {
        expect(await store.find(id)).toBeUndefined();
      }
    });

    it("keeps texts of any language, quotes and line ends", async () => {
      const store = await open();
      const odd = record({ id: "odd", name: `it's "né" \n 钥匙 🔑`, subject: "a|b'c\"d" });
      await store.insert(odd);
      expect(plain(await store.find("odd"))).toEqual(plain(odd));
    });

    it("refuses an id twice and keeps the first record", async () => {
      const store = await open();
      await store.insert(record({ id: "same", name: "first" }));
      await expect((async () => store.insert(record({ id: "same", name: "second" })))()).rejects.toThrow(Error);
      expect(await store.find("same")).toMatchObject({ name: "first" });
    });

    it("cannot be changed through what was handed in or out", async () => {
      const store = await open();
      const scopes = ["a:read"];
      const given = record({ id: "k", scopes });
      await store.insert(given);
      scopes.push("admin");
      given.hash.fill(9);
      const found = await store.find("k");
      expect(found).toMatchObject({ scopes: ["a:read"] });
      found?.hash.fill(9);
      const [listed] = await store.listBySubject("alice", 1);
      listed?.hash.fill(9);
      expect([...((await store.find("k"))?.hash ?? [])]).toEqual(Array.from({ length: 32 }, () => 1));
    });

    it("lists a subject's records, newest first, revoked ones too, and nobody else's", async () => {
      const store = await open();
      await store.insert(record({ id: "a", createdAt: 10 }));
      await store.insert(record({ id: "c", createdAt: 30 }));
      await store.insert(record({ id: "b", createdAt: 20 }));
      await store.insert(record({ id: "x", createdAt: 99, subject: "bob" }));
      await store.revoke("c", 40);
      const ids = async (subject: string, limit: number) =>
        (await store.listBySubject(subject, limit)).map(({ id }) => id);
      expect(await ids("alice", 100)).toEqual(["c", "b", "a"]);
      expect(await ids("alice", 2)).toEqual(["c", "b"]);
      expect(await ids("Alice", 100)).toEqual([]);
      expect(await ids("", 100)).toEqual([]);
    });

    it("revokes once and for good, and says whether there was such a key", async () => {
      const store = await open();
      await store.insert(record({ id: "k" }));
      const before = store.generation();
      expect(await store.revoke("k", 100)).toBe(true);
      const after = store.generation();
      expect(after === undefined || after !== before).toBe(true);
      expect(await store.revoke("k", 200)).toBe(true);
      expect(await store.find("k")).toMatchObject({ revokedAt: 100 });
      expect(await store.revoke("none", 100)).toBe(false);
    });

    it("rotates in one step: the successor is there, the old key ends with the overlap", async () => {
      const store = await open();
      await store.insert(record({ id: "old" }));
      const before = store.generation();
      expect(await store.rotate("old", record({ id: "new", createdAt: 50 }), 1_000)).toBe(true);
      const after = store.generation();
      expect(after === undefined || after !== before).toBe(true);
      expect(await store.find("old")).toMatchObject({ expiresAt: 1_000, replacedBy: "new", revokedAt: undefined });
      expect(await store.find("new")).toMatchObject({ expiresAt: undefined, replacedBy: undefined });
    });

    it("never lengthens a key's life by rotating it", async () => {
      const store = await open();
      await store.insert(record({ id: "old", expiresAt: 500 }));
      expect(await store.rotate("old", record({ id: "new", createdAt: 50 }), 1_000)).toBe(true);
      expect(await store.find("old")).toMatchObject({ expiresAt: 500 });
    });

    it("does not rotate what is missing, revoked, expired or was replaced, and changes nothing then", async () => {
      const store = await open();
      await store.insert(record({ id: "revoked" }));
      await store.revoke("revoked", 10);
      await store.insert(record({ id: "expired", expiresAt: 50 }));
      await store.insert(record({ id: "replaced" }));
      await store.rotate("replaced", record({ id: "heir", createdAt: 50 }), 1_000);
      for (const id of ["missing", "revoked", "expired", "replaced"]) {
        const before = plain(await store.find(id));
        expect(await store.rotate(id, record({ id: `next-${id}`, createdAt: 50 }), 2_000)).toBe(false);
        expect(plain(await store.find(id))).toEqual(before);
        expect(await store.find(`next-${id}`)).toBeUndefined();
      }
    });

    it("lets exactly one of several concurrent rotations succeed", async () => {
      const store = await open();
      await store.insert(record({ id: "old" }));
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, async (_, n) =>
          store.rotate("old", record({ id: `new-${n}`, createdAt: 50 }), 1_000),
        ),
      );
      expect(outcomes.filter((won) => won)).toHaveLength(1);
      expect((await store.listBySubject("alice", 100)).map(({ id }) => id)).toHaveLength(2);
    });

    it("changes nothing where the successor's id is taken", async () => {
      const store = await open();
      await store.insert(record({ id: "old" }));
      await store.insert(record({ id: "taken", name: "other" }));
      const rotating = async () => store.rotate("old", record({ id: "taken", createdAt: 50 }), 1_000);
      await expect(rotating()).rejects.toThrow(Error);
      expect(await store.find("old")).toMatchObject({ expiresAt: undefined, replacedBy: undefined });
      expect(await store.find("taken")).toMatchObject({ name: "other" });
      expect(await store.rotate("old", record({ id: "free", createdAt: 50 }), 1_000)).toBe(true);
    });

    it("notes the latest use, whatever order uses arrive in, and ignores unknown keys", async () => {
      const store = await open();
      await store.insert(record({ id: "k" }));
      const before = store.generation();
      await Promise.all([store.touch("k", 300), store.touch("k", 100), store.touch("none", 1)]);
      await store.touch("k", 200);
      expect(await store.find("k")).toMatchObject({ lastUsedAt: 300 });
      expect(await store.find("none")).toBeUndefined();
      expect(store.generation()).toBe(before);
    });
  });
}

/** A record with sound values, and some changed. */
export function record(over: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id: "id",
    hash: new Uint8Array(32).fill(1),
    subject: "alice",
    tenant: undefined,
    scopes: [],
    name: "a key",
    environment: "live",
    displayPrefix: "prj_live_abc",
    createdAt: 1,
    expiresAt: undefined,
    revokedAt: undefined,
    lastUsedAt: undefined,
    replacedBy: undefined,
    ...over,
  };
}

/** Hashes as plain numbers, so that kinds of byte arrays compare equal. */
function plain(found: ApiKeyRecord | undefined): unknown {
  return found && { ...found, hash: [...found.hash] };
}
