import type { Problem } from "../environment.ts";
import type { Dimension, Limiter } from "./limiter.ts";
import type { MemoryLimiterOptions } from "./memory-limiter.ts";

/** What an API tells the limiter it is given. */
export interface LimiterOptions extends MemoryLimiterOptions {
  /** The API's name: processes of one name count together. */
  readonly service: string;
  /** Runs work once after a delay, without keeping the process alive. */
  readonly schedule: (delayMs: number, work: () => void) => void;
  /** Tells the people who operate the service. */
  readonly emit: (type: "limiter-degraded" | "limiter-recovered", reason: string) => void;
}

/** What `limits.limiter` takes: makes the limiter of an API, once, when it starts. */
export interface MakeLimiter {
  (options: LimiterOptions): Limiter;
  /** What would stop the start; an OptionsError it throws is one more. */
  problems?(declared: DeclaredCounting): readonly Problem[];
}

/** What a configuration says of how it is counted. */
export interface DeclaredCounting {
  /** How many processes share the limits; undefined where it says nothing. */
  readonly instances: number | undefined;
  /** What is counted. */
  readonly dimensions: readonly Dimension[];
}
