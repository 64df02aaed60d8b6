import type { Rate } from "../../src/limits/rate.ts";

/** What several processes do at the same time. */
export interface Scenario {
  readonly name: string;
  /** One per dimension. */
  readonly rates: readonly Rate[];
  /** Costs per dimension, of each kind of call. */
  readonly costs: readonly (readonly number[])[];
  readonly keys: number;
  /** Calls of each process. */
  readonly calls: number;
  /** Calls of one process in flight. */
  readonly atATime: number;
}

/** One decision as the server made it. */
export interface Answered {
  readonly counters: readonly string[];
  readonly costs: readonly number[];
  readonly admitted: boolean;
  /** Microseconds by the server's clock. */
  readonly tick: number;
  readonly waits: readonly number[];
}
