import { createHash, createHmac, randomBytes } from "node:crypto";
import type { Environment } from "../../src/environment.ts";
import type { SecurityEvent } from "../../src/events/event.ts";

/** The world of a credential test: real hashing and real fetch, and a clock that only the test moves. */
export interface TestWorld {
  readonly environment: Environment;
  readonly events: SecurityEvent[];
  /** Seconds since 1970, now. */
  seconds(): number;
  /** Lets time pass on both clocks. */
  pass(seconds: number): void;
  /** Sets the wall clock forward or back, as an operator or NTP does. */
  stepWallClock(seconds: number): void;
}

export function testWorld(): TestWorld {
  let now = Date.UTC(2030, 0, 1);
  let monotonic = 5_000;
  const events: SecurityEvent[] = [];
  return {
    events,
    environment: {
      clock: { now: () => now, monotonic: () => monotonic },
      hashing: {
        sha256: (data) => createHash("sha256").update(data).digest(),
        hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
        hmacSha512: (key, data) => createHmac("sha512", key).update(data).digest(),
      },
      randomBytes: (count) => randomBytes(count),
      emit: (event) => events.push(event),
      fetch: globalThis.fetch,
    },
    seconds: () => now / 1000,
    pass(seconds) {
      now += seconds * 1000;
      monotonic += seconds * 1000;
    },
    stepWallClock(seconds) {
      now += seconds * 1000;
    },
  };
}
