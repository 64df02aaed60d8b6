import { createWatch } from "./alerts/watch.ts";
import type { Environment } from "./environment.ts";
import { createAccounts } from "./events/accounts.ts";
import { createCrowd } from "./events/crowd.ts";
import { createRecorder } from "./events/recorder.ts";
import { createCursors } from "./lib/cursor.ts";
import { createDeadlines } from "./lib/deadlines.ts";
import { topology } from "./lib/forwarded.ts";
import { createProvedBefore } from "./lib/proved-before.ts";
import type { ApiPlan } from "./plan.ts";
import type { ApiConfig } from "./api-config.ts";
import { runtime } from "#runtime";

/** What an API has around its routes: it outlives any one of them. */
export type Surroundings = Pick<
  ApiPlan,
  | "environment"
  | "recorder"
  | "accounts"
  | "crowd"
  | "provedBefore"
  | "topology"
  | "verifiers"
  | "cursors"
  | "deadlines"
>;

/** Makes an API's surroundings out of its configuration. */
export function createSurroundings(config: ApiConfig): Surroundings {
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
  return {
    environment,
    recorder,
    accounts: createAccounts(runtime.hashing, secretBytes(config.audit?.accountKey) ?? randomBytes(32)),
    crowd: createCrowd(environment.emit, runtime.schedule),
    provedBefore: createProvedBefore(),
    topology: topology(config.proxies ?? "none"),
    verifiers: config.credentials.map((credential) => ({ credential, verifier: credential.build(environment) })),
    cursors: createCursors(secretBytes(config.cursors?.secret) ?? randomBytes(32), randomBytes),
    deadlines: createDeadlines(() => clock.monotonic(), runtime.schedule),
  };
}

function secretBytes(secret: string | Uint8Array | undefined): Uint8Array | undefined {
  return typeof secret === "string" ? runtime.utf8(secret) : secret;
}
