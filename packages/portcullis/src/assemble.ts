import type { LimiterOptions } from "./limits/make-limiter.ts";
import { createMemoryLimiter } from "./limits/memory-limiter.ts";
import { planDimensions, planTariffs } from "./limits/tariffs.ts";
import type { Passing } from "./passing.ts";
import type { ApiPlan, DeclaredRoute } from "./plan.ts";
import { planRates, planRoute } from "./plan.ts";
import { defaults } from "./defaults.ts";
import type { ApiConfig } from "./api-config.ts";
import type { AnyResource } from "./resource.ts";
import { createSurroundings } from "./surroundings.ts";
import { runtime } from "#runtime";

/**
 * Makes everything a running API needs out of its configuration, once: verifiers, limiter, recorder, planned routes.
 * Called only when there are no problems.
 *
 * @param before  what ran until a route was declared while serving: records, caches and cursors go on, and so do the
 *   counts, unless the route brought a limit that nothing counted yet
 */
export function assemblePlan(
  config: ApiConfig,
  resources: readonly AnyResource[],
  declared: readonly DeclaredRoute[],
  passing: Passing | undefined,
  before: ApiPlan | undefined,
): ApiPlan {
  const surroundings = before ?? createSurroundings(config);
  const { environment } = surroundings;
  const { clock, randomBytes } = environment;
  const routes = declared.map((route, index) => planRoute(config, route, index));
  const rates = planRates(config);
  const planned = planDimensions(rates, routes);
  const limiterOptions: LimiterOptions = {
    dimensions: planned.dimensions,
    instances: config.limits?.instances ?? 1,
    now: () => clock.monotonic(),
    randomBytes,
    service: config.name,
    schedule: runtime.schedule,
    emit(type, reason) {
      environment.emit({
        kind: "event",
        type,
        time: clock.now(),
        service: config.name,
        protection: "rate-limit",
        reason,
      });
    },
  };
  const countsTheSame = JSON.stringify(before?.dimensions) === JSON.stringify(planned.dimensions);
  const limiter =
    before !== undefined && countsTheSame
      ? before.limiter
      : (config.limits?.limiter?.(limiterOptions) ?? createMemoryLimiter(limiterOptions));
  return {
    environment,
    recorder: surroundings.recorder,
    accounts: surroundings.accounts,
    crowd: surroundings.crowd,
    provedBefore: surroundings.provedBefore,
    topology: surroundings.topology,
    verifiers: surroundings.verifiers,
    cursors: surroundings.cursors,
    deadlines: surroundings.deadlines,
    config,
    dimensions: planned.dimensions,
    limiter,
    tariffs: planTariffs(limiter, planned, rates),
    routes,
    resources,
    rates,
    bodyTimeoutMs: config.body?.timeoutMs ?? defaults.bodyTimeoutMs,
    passing,
    newId: runtime.newId,
  };
}
