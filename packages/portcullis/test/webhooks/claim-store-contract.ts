import { describe, expect, it } from "vitest";
import type { Claim, ClaimStore } from "../../src/webhooks/claim-store.ts";

/** An empty store, and a way to let its time pass. */
export interface OpenedClaimStore {
  readonly store: ClaimStore;
  /** Lets the store's clock go on by this much; a store with a clock of its own really waits. */
  pass(ms: number): void | Promise<void>;
  close?(): void | Promise<void>;
}

/** What some implementations cannot show, and why. */
export interface ClaimStoreContractOptions {
  /** Unit of the contract's times in milliseconds: leases of 4, memories of 10. Default 1000; less where time is real. */
  readonly unitMs?: number;
}

/**
 * What every claim store must do, run on each of them.
 *
 * @param open  an empty store, a new one at every call
 */
export function claimStoreContract(
  name: string,
  open: () => OpenedClaimStore | Promise<OpenedClaimStore>,
  { unitMs = 1_000 }: ClaimStoreContractOptions = {},
): void {
  const lease = 4 * unitMs;
  const times = { atLeastMs: 5 * unitMs, keepMs: 10 * unitMs };

  /** Runs one test on a store of its own, and closes it. */
  async function on(work: (opened: OpenedClaimStore) => Promise<void>): Promise<void> {
    const opened = await open();
    try {
      await work(opened);
    } finally {
      await opened.close?.();
    }
  }

  describe(`webhook-receive: ${name} keeps claims`, () => {
    it("gives a free delivery to who asks first, and to nobody else while he holds it", () =>
      on(async ({ store }) => {
        const first = await store.claim("a", lease);
        expect(first.state).toBe("claimed");
        const second = await store.claim("a", lease);
        expect(second.state).toBe("held");
        if (second.state !== "held") return;
        expect(second.forMs).toBeGreaterThan(0);
        expect(second.forMs).toBeLessThanOrEqual(lease);
      }));

    it("gives it to exactly one of many who ask at once", () =>
      on(async ({ store }) => {
        const claims = await Promise.all(Array.from({ length: 50 }, async () => store.claim("a", lease)));
        expect(claims.filter(({ state }) => state === "claimed")).toHaveLength(1);
        expect(claims.filter(({ state }) => state === "held")).toHaveLength(49);
      }));

    it("keeps deliveries apart", () =>
      on(async ({ store }) => {
        for (const key of ["a", "A", "aa", "a-", "a_", "__proto__", "constructor", "x".repeat(128)]) {
          expect((await store.claim(key, lease)).state).toBe("claimed");
        }
        expect((await store.claim("b", lease)).state).toBe("claimed");
      }));

    it("never lets a delivery run again that is done", () =>
      on(async ({ store }) => {
        const token = tokenOf(await store.claim("a", lease));
        expect(await store.done("a", token, times)).toBe(true);
        expect(await store.claim("a", lease)).toEqual({ state: "done" });
        expect(await store.claim("a", lease)).toEqual({ state: "done" });
      }));

    it("frees a delivery that was released, at once", () =>
      on(async ({ store }) => {
        await store.release("a", tokenOf(await store.claim("a", lease)));
        expect((await store.claim("a", lease)).state).toBe("claimed");
      }));

    it("frees a delivery whose lease has ended, and not before", () =>
      on(async ({ store, pass }) => {
        await store.claim("a", lease);
        await pass(lease / 2);
        expect((await store.claim("a", lease)).state).toBe("held");
        await pass(lease / 2 + unitMs);
        expect((await store.claim("a", lease)).state).toBe("claimed");
      }));

    it("lets nobody end a claim that is another's", () =>
      on(async ({ store, pass }) => {
        const late = tokenOf(await store.claim("a", lease));
        await pass(lease + unitMs);
        const current = tokenOf(await store.claim("a", lease));
        expect(current).not.toBe(late);
        expect(await store.done("a", late, times)).toBe(false);
        await store.release("a", late);
        expect((await store.claim("a", lease)).state).toBe("held");
        expect(await store.done("a", current, times)).toBe(true);
        // And a done delivery is not undone by whoever comes late.
        expect(await store.done("a", late, times)).toBe(false);
        await store.release("a", late);
        await store.release("a", current);
        expect(await store.claim("a", lease)).toEqual({ state: "done" });
      }));

    it("lets who comes late be done where nobody took the delivery on in between", () =>
      on(async ({ store, pass }) => {
        const token = tokenOf(await store.claim("a", lease));
        await pass(lease + unitMs);
        const isDone = await store.done("a", token, times);
        // A store that forgets a lease when it ends may say no; then the delivery is free, and never both.
        expect((await store.claim("a", lease)).state).toBe(isDone ? "done" : "claimed");
      }));

    it("takes no token that was never given", () =>
      on(async ({ store }) => {
        await store.claim("a", lease);
        for (const token of ["", "a", "0", "1", "null"]) {
          expect(await store.done("a", token, times)).toBe(false);
          await store.release("a", token);
        }
        expect((await store.claim("a", lease)).state).toBe("held");
        expect(await store.done("never-claimed", "token", times)).toBe(false);
        expect((await store.claim("never-claimed", lease)).state).toBe("claimed");
      }));

    it("takes a token for its own delivery only", () =>
      on(async ({ store }) => {
        const a = tokenOf(await store.claim("a", lease));
        const b = tokenOf(await store.claim("b", lease));
        expect(a).not.toBe(b);
        await store.release("a", b);
        expect(await store.done("b", a, times)).toBe(false);
        expect((await store.claim("a", lease)).state).toBe("held");
        expect((await store.claim("b", lease)).state).toBe("held");
      }));

    it("remembers a done delivery for as long as it must, and forgets it after as long as it may", () =>
      on(async ({ store, pass }) => {
        await store.done("a", tokenOf(await store.claim("a", lease)), times);
        await pass(times.atLeastMs - unitMs);
        expect(await store.claim("a", lease)).toEqual({ state: "done" });
        await pass(times.keepMs - times.atLeastMs + 2 * unitMs);
        expect((await store.claim("a", lease)).state).toBe("claimed");
      }));

    it("counts a lease from the claim that got it: asking again does not make it longer", () =>
      on(async ({ store, pass }) => {
        await store.claim("a", lease);
        await pass(lease / 2);
        await store.claim("a", 100 * lease);
        await pass(lease / 2 + unitMs);
        expect((await store.claim("a", lease)).state).toBe("claimed");
      }));

    it("lets a delivery run again and again as long as it fails, and once when it works", () =>
      on(async ({ store }) => {
        for (let tries = 0; tries < 5; tries++) {
          await store.release("a", tokenOf(await store.claim("a", lease)));
        }
        expect(await store.done("a", tokenOf(await store.claim("a", lease)), times)).toBe(true);
        expect(await store.claim("a", lease)).toEqual({ state: "done" });
      }));
  });
}

function tokenOf(claim: Claim): string {
  if (claim.state !== "claimed") throw new Error(`the delivery is ${claim.state}`);
  return claim.token;
}
