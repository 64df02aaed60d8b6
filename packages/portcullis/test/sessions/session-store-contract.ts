import { describe, expect, it } from "vitest";
import type { SessionRecord, SessionStore } from "../../src/lib/session-store.ts";

/**
 * What every session store must do, run on each of them.
 *
 * @param open  an empty store, a new one at every call
 */
export function sessionStoreContract(name: string, open: () => SessionStore | Promise<SessionStore>): void {
  describe(`sessions: ${name} keeps sessions`, () => {
    it("finds a session as it was put in, and no other", async () => {
      const store = await open();
      const full = record({
        idHash: "full",
        tenant: "acme",
        scopes: ["a:read"],
        claims: { name: `né "钥匙" \n`, deep: [1, { a: null }] },
      });
      await store.insert(full);
      await store.insert(record({ idHash: "bare", subject: "a|b'c\"d" }));
      expect(await store.find("full")).toEqual(full);
      expect(await store.find("bare")).toEqual(record({ idHash: "bare", subject: "a|b'c\"d" }));
      for (const idHash of ["", "FULL", "ful", "' OR 1=1 --", "%", "*", "__proto__"]) {
        expect(await store.find(idHash)).toBeUndefined();
      }
    });

    it("keeps a subject's latest hundred, so that nobody fills it alone, and leaves others alone", async () => {
      const store = await open();
      const first = record({ idHash: "other", subject: "bob" });
      await store.insert(first);
      const { startedAt, endsAt } = first;
      for (let n = 0; n < 103; n++) {
        const times = { startedAt: startedAt + n, lastSeenAt: startedAt + n, endsAt: endsAt + 2 * n };
        await store.insert(record({ idHash: `own-${n}`, subject: "alice", ...times }));
      }
      for (const gone of ["own-0", "own-1", "own-2"]) expect(await store.find(gone)).toBeUndefined();
      for (const kept of ["own-3", "own-102", "other"]) expect(await store.find(kept)).toBeDefined();
      expect(await store.endAll("alice")).toBe(100);
    });

    it("refuses an id twice and keeps the first session", async () => {
      const store = await open();
      await store.insert(record({ idHash: "same", subject: "alice" }));
      await expect((async () => store.insert(record({ idHash: "same", subject: "bob" })))()).rejects.toThrow(Error);
      expect(await store.find("same")).toMatchObject({ subject: "alice" });
    });

    it("cannot be changed through what was handed in", async () => {
      const store = await open();
      const scopes = ["a:read"];
      await store.insert(record({ idHash: "k", scopes }));
      scopes.push("admin");
      expect(await store.find("k")).toMatchObject({ scopes: ["a:read"] });
    });

    it("notes the latest use, whatever order uses arrive in", async () => {
      const store = await open();
      await store.insert(record({ idHash: "k" }));
      for (const after of [300, 100, 200]) await store.touch("k", start + after);
      expect(await store.find("k")).toMatchObject({ lastSeenAt: start + 300 });
    });

    it("ends one session for good: a use that comes late does not bring it back", async () => {
      const store = await open();
      await store.insert(record({ idHash: "k" }));
      await store.insert(record({ idHash: "other" }));
      await store.end("k");
      await store.touch("k", start + 300);
      await store.end("k");
      expect(await store.find("k")).toBeUndefined();
      expect(await store.find("other")).toBeDefined();
    });

    it("ends all sessions of one subject, or all but one, and nobody else's", async () => {
      const store = await open();
      for (const idHash of ["a", "b", "c"]) await store.insert(record({ idHash }));
      await store.insert(record({ idHash: "x", subject: "Alice" }));
      expect(await store.endAll("alice", "b")).toBe(2);
      expect(await Promise.all(["a", "b", "c", "x"].map(async (id) => (await store.find(id)) !== undefined))).toEqual([
        false,
        true,
        false,
        true,
      ]);
      expect(await store.endAll("alice")).toBe(1);
      expect(await store.find("b")).toBeUndefined();
      expect(await store.endAll("alice")).toBe(0);
      expect(await store.find("x")).toBeDefined();
    });

    it("keeps out what was ended while uses of it were on their way", async () => {
      const store = await open();
      for (let round = 0; round < 20; round++) {
        await store.insert(record({ idHash: `k${round}` }));
        const uses = Array.from({ length: 5 }, async (_, n) => store.touch(`k${round}`, start + n + 1));
        await Promise.all([...uses, store.endAll("alice")]);
        expect(await store.find(`k${round}`)).toBeUndefined();
      }
    });
  });
}

const start = Date.now();

/** A session with sound values, and some changed. */
export function record(over: Partial<SessionRecord> = {}): SessionRecord {
  return {
    idHash: "id",
    subject: "alice",
    tenant: undefined,
    scopes: [],
    claims: {},
    startedAt: start,
    lastSeenAt: start,
    endsAt: start + 43_200_000,
    idleMs: 1_800_000,
    ...over,
  };
}
