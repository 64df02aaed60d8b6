import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import { enforceDimensions } from "./dimensions.ts";
import type { LimiterOptions, MakeLimiter } from "./make-limiter.ts";
import { createMemoryLimiter } from "./memory-limiter.ts";

/**
 * Lets several processes count each for itself, in memory: each enforces `limit / instances`, rounded down, so that all
 * together stay within every limit while no more than `instances` run. What is dangerous about it: one process more, and
 * every limit is larger by its part, tries of a sign-in too; and a caller whom the balancer keeps on one process has a
 * fraction of what he was promised. `redisLimiter` of `portcullis/redis` counts once for all.
 *
 * @param reason  why the processes cannot count together, for the reviewer; a blank one stops the start
 * @returns for `limits.limiter`; a limit below `instances` stops the start, and so does leaving `instances` out
 */
export function dangerouslyDivideLimits(reason: string): MakeLimiter {
  function makeDividedLimiter(options: LimiterOptions) {
    return createMemoryLimiter(options);
  }
  makeDividedLimiter.problems = (({ instances, dimensions }) => {
    enforceDimensions(dimensions, instances ?? 1);
    const where = "createApi";
    const found: Problem[] = [];
    if (isBlank(reason)) {
      const fix = 'say why the processes cannot count together: dangerouslyDivideLimits("…")';
      found.push({ where, field: "limits.limiter", problem: "limits are divided without a reason", fix });
    }
    if (instances === undefined) {
      const fix = "say how many processes run at most: limits: { instances: 4, … }";
      found.push({ where, field: "limits.instances", problem: "limits are divided, and nobody says by what", fix });
    }
    return found;
  }) satisfies MakeLimiter["problems"];
  return makeDividedLimiter;
}
