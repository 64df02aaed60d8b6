import { OptionsError } from "../lib/options-error.ts";
import type { Claim, ClaimStore } from "./claim-store.ts";
import { runtime } from "#runtime";

/** How much a {@link memoryClaimStore} may hold. */
export interface MemoryClaimStoreOptions {
  /**
   * Most deliveries remembered at once, 1 .. 1_000_000; default 50_000 (about 10 MB). Where it is full, a claim whose
   * lease has ended goes, else the delivery done first whose signature no longer counts; if there is none, new ones are
   * refused.
   */
  readonly maxDeliveries?: number;
  /** Milliseconds that never step back, for tests. Default: the platform's. */
  readonly now?: () => number;
}

/**
 * Keeps claims in this process only: for one process, and senders that sign the time. Everything is forgotten when it
 * ends; what was captured before can then run once more for as long as its signature counts.
 *
 * @throws OptionsError where maxDeliveries is out of range
 */
export function memoryClaimStore({
  maxDeliveries = 50_000,
  now = runtime.monotonic,
}: MemoryClaimStoreOptions = {}): ClaimStore {
  if (!(Number.isInteger(maxDeliveries) && maxDeliveries >= 1 && maxDeliveries <= 1_000_000)) {
    throw new OptionsError("maxDeliveries is out of range.", "Use a whole number from 1 to 1_000_000.");
  }
  const claimed = new Map<string, Held>();
  // In the order in which they were done, which is nearly the order in which they may be forgotten.
  const done = new Map<string, Done>();

  /** Forgets one delivery that it may forget, where there is no room for one more. */
  function makeRoom(at: number): void {
    if (claimed.size + done.size < maxDeliveries) return;
    for (const [key, { untilMs }] of claimed) {
      if (untilMs <= at) return void claimed.delete(key);
    }
    for (const [key, { mustMs }] of done) {
      if (mustMs <= at) return void done.delete(key);
    }
    throw new Error(`all ${maxDeliveries} deliveries have to be remembered`);
  }

  return {
    kind: "memory",
    reach: "process",
    claim(key, leaseMs): Claim {
      const at = now();
      const finished = done.get(key);
      if (finished !== undefined) {
        if (finished.untilMs > at) return { state: "done" };
        done.delete(key);
      }
      const held = claimed.get(key);
      if (held !== undefined && held.untilMs > at) return { state: "held", forMs: Math.ceil(held.untilMs - at) };
      if (held === undefined) makeRoom(at);
      const token = runtime.newId();
      claimed.set(key, { token, untilMs: at + leaseMs });
      return { state: "claimed", token };
    },
    done(key, token, { atLeastMs, keepMs }) {
      if (claimed.get(key)?.token !== token) return false;
      const at = now();
      claimed.delete(key);
      done.set(key, { mustMs: at + atLeastMs, untilMs: at + keepMs });
      return true;
    },
    release(key, token) {
      if (claimed.get(key)?.token === token) claimed.delete(key);
    },
  };
}

interface Held {
  readonly token: string;
  readonly untilMs: number;
}

interface Done {
  readonly mustMs: number;
  readonly untilMs: number;
}
