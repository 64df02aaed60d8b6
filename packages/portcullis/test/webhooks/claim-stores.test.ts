import { describe, expect, it } from "vitest";
import type { ClaimStore, DoneTimes } from "../../src/webhooks/claim-store.ts";
import { memoryClaimStore } from "../../src/webhooks/memory-claim-store.ts";
import { claimStoreContract } from "./claim-store-contract.ts";

claimStoreContract("memory", () => {
  let now = 1_000;
  return {
    store: memoryClaimStore({ now: () => now }),
    pass(ms) {
      now += ms;
    },
  };
});

describe("webhook-receive: the memory of claims is fixed", () => {
  const lease = 1_000;

  it("forgets the oldest delivery whose signature no longer counts, to make room", async () => {
    let now = 0;
    const store = memoryClaimStore({ maxDeliveries: 3, now: () => now });
    for (const key of ["a", "b", "c"]) {
      await finish(store, key, { atLeastMs: 10, keepMs: 1_000 });
      now += 5;
    }
    expect(await store.claim("d", lease)).toMatchObject({ state: "claimed" });
    expect(await store.claim("b", lease)).toEqual({ state: "done" });
    expect(await store.claim("c", lease)).toEqual({ state: "done" });
  });

  it("refuses a new delivery rather than forget one that could be sent again", async () => {
    let now = 0;
    const store = memoryClaimStore({ maxDeliveries: 2, now: () => now });
    await finish(store, "a", { atLeastMs: 10, keepMs: 1_000 });
    await store.claim("b", lease);
    expect(() => store.claim("c", lease)).toThrow("have to be remembered");
    expect(await store.claim("a", lease)).toEqual({ state: "done" });
    now = 10;
    expect(await store.claim("c", lease)).toMatchObject({ state: "claimed" });
  });

  it("uses the room of claims whose lease has ended", async () => {
    let now = 0;
    const store = memoryClaimStore({ maxDeliveries: 2, now: () => now });
    await store.claim("a", lease);
    await store.claim("b", lease);
    expect(() => store.claim("c", lease)).toThrow(Error);
    now = lease;
    expect(await store.claim("c", lease)).toMatchObject({ state: "claimed" });
  });

  it("refuses a size that is none", () => {
    for (const maxDeliveries of [0, -1, 1.5, Number.NaN, 1_000_001, Infinity]) {
      expect(() => memoryClaimStore({ maxDeliveries })).toThrow("maxDeliveries");
    }
  });

  async function finish(store: ClaimStore, key: string, times: DoneTimes): Promise<void> {
    const claim = await store.claim(key, lease);
    if (claim.state !== "claimed") throw new Error("not claimed");
    await store.done(key, claim.token, times);
  }
});
