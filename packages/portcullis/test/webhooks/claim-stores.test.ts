import { describe, expect, it } from "vitest";
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

  it("forgets the oldest delivery whose signature no longer counts, to make room", () => {
    let now = 0;
    const store = memoryClaimStore({ maxDeliveries: 3, now: () => now });
    for (const key of ["a", "b", "c"]) {
      finish(store, key, { atLeastMs: 10, keepMs: 1_000 });
      now += 5;
    }
    expect(store.claim("d", lease)).toMatchObject({ state: "claimed" });
    expect(store.claim("b", lease)).toEqual({ state: "done" });
    expect(store.claim("c", lease)).toEqual({ state: "done" });
  });

  it("refuses a new delivery rather than forget one that could be sent again", () => {
    let now = 0;
    const store = memoryClaimStore({ maxDeliveries: 2, now: () => now });
    finish(store, "a", { atLeastMs: 10, keepMs: 1_000 });
    store.claim("b", lease);
    expect(() => store.claim("c", lease)).toThrow("have to be remembered");
    expect(store.claim("a", lease)).toEqual({ state: "done" });
    now = 10;
    expect(store.claim("c", lease)).toMatchObject({ state: "claimed" });
  });

  it("uses the room of claims whose lease has ended", () => {
    let now = 0;
    const store = memoryClaimStore({ maxDeliveries: 2, now: () => now });
    store.claim("a", lease);
    store.claim("b", lease);
    expect(() => store.claim("c", lease)).toThrow(Error);
    now = lease;
    expect(store.claim("c", lease)).toMatchObject({ state: "claimed" });
  });

  it("refuses a size that is none", () => {
    for (const maxDeliveries of [0, -1, 1.5, Number.NaN, 1_000_001, Infinity]) {
      expect(() => memoryClaimStore({ maxDeliveries })).toThrow("maxDeliveries");
    }
  });

  function finish(
    store: ReturnType<typeof memoryClaimStore>,
    key: string,
    times: { readonly atLeastMs: number; readonly keepMs: number },
  ): void {
    const claim = store.claim(key, lease);
    if (claim instanceof Promise || claim.state !== "claimed") throw new Error("not claimed");
    store.done(key, claim.token, times);
  }
});
