import { createWatch } from "./alerts/watch.ts";
import type { Environment } from "./environment.ts";
import { createAccounts } from "./events/accounts.ts";
import { createCrowd } from "./events/crowd.ts";
import { createRecorder } from "./events/recorder.ts";
import { createCursors } from "./lib/cursor.ts";
import { createDeadlines } from "./lib/deadlines.ts";
import { createProvedBefore } from "./lib/proved-before.ts";
import { topology } from "./lib/forwarded.ts";
import type { LimiterOptions } from "./limits/make-limiter.ts";
import { createMemoryLimiter } from "./limits/memory-limiter.ts";
import { planDimensions, planTariffs } from "./limits/tariffs.ts";
import type { Passing } from "./passing.ts";
import type { ApiPlan, DeclaredRoute } from "./plan.ts";
import { planRates, planRoute } from "./plan.ts";
import { defaults } from "./defaults.ts";
import type { ApiConfig } from "./policy.ts";
import type { AnyResource } from "./resource.ts";
import { runtime } from "#runtime";

/**
 * Makes everything a running API needs out of its configuration, once: verifiers, limiter, recorder, planned routes.
 * Called only when there are no problems.
 */
export function assemblePlan(
  config: ApiConfig,
  resources: readonly AnyResource[],
  declared: readonly DeclaredRoute[],
  passing?: Passing,
): ApiPlan {
  const randomBytes = config.randomBytes ?? runtime.randomBytes;
  const clock = config.clock ?? { now: () => Date.now(), monotonic: runtime.monotonic };
  const sinks = [...(config.audit?.sinks ?? [runtime.standardSink()])];
  const recorder = createRecorder(sinks, config.audit ?? {}, runtime.schedule);
  if (config.alerts !== "none") {
    // The watch is a sink that records what it finds, so it comes after the recorder it reads from and writes to.
    const watch = createWatch(config.alerts ?? {}, {
      service: config.name,
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      randomBytes,
      emit: (event) => recorder.record(event),
      failed: (error) => recorder.failed(error, { requestId: undefined, route: undefined, stage: "alert delivery" }),
    });
    sinks.push(watch);
  }
  const environment: Environment = {
    clock,
    hashing: runtime.hashing,
    randomBytes,
    // Verifiers do not know which service they are part of.
    emit: (event) => recorder.record({ ...event, service: config.name }),
    fetch: config.fetch ?? fetch,
  };
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
  const limiter = config.limits?.limiter?.(limiterOptions) ?? createMemoryLimiter(limiterOptions);
  return {
    config,
    environment,
    recorder,
    accounts: createAccounts(runtime.hashing, secretBytes(config.audit?.accountKey) ?? randomBytes(32)),
    crowd: createCrowd(environment.emit, runtime.schedule),
    limiter,
    tariffs: planTariffs(limiter, planned, rates),
    provedBefore: createProvedBefore(),
    topology: topology(config.proxies ?? "none"),
    verifiers: config.credentials.map((credential) => ({ credential, verifier: credential.build(environment) })),
    routes,
    resources,
    rates,
    cursors: createCursors(secretBytes(config.cursors?.secret) ?? randomBytes(32), randomBytes),
    deadlines: createDeadlines(() => clock.monotonic(), runtime.schedule),
    bodyTimeoutMs: config.body?.timeoutMs ?? defaults.bodyTimeoutMs,
    passing,
    newId: runtime.newId,
  };
}

function secretBytes(secret: string | Uint8Array | undefined): Uint8Array | undefined {
  return typeof secret === "string" ? runtime.utf8(secret) : secret;
}
