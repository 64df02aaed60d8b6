import type { Problem } from "../environment.ts";
import { enforceDimensions } from "../limits/dimensions.ts";
import type { Dimension } from "../limits/limiter.ts";
import type { ApiConfig } from "../api-config.ts";

/**
 * Whether all processes together stay within the limits.
 *
 * @param dimensions  what the API counts
 * @throws OptionsError when a dimension or the number of instances makes no sense
 */
export function countingProblems({ limits }: ApiConfig, dimensions: readonly Dimension[]): readonly Problem[] {
  const { instances, limiter } = limits ?? {};
  enforceDimensions(dimensions, limiter === undefined ? (instances ?? 1) : 1);
  if (limiter !== undefined) return limiter.problems?.({ instances, dimensions }) ?? [];
  if (instances === undefined || instances === 1) return [];
  return [
    {
      where: "createApi",
      field: "limits.limiter",
      problem: `${instances} processes would each count for itself, in its own memory`,
      fix: 'count together, limiter: redisLimiter({ client }) from "portcullis/redis", or say dangerouslyDivideLimits("why not")',
    },
  ];
}
