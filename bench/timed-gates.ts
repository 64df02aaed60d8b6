import type { Exchange, Outcome } from "../packages/portcullis/src/exchange.ts";
import type { ArrivalGate, HeaderGate, RouteGate, Step } from "../packages/portcullis/src/gate.ts";
import type { Gates } from "../packages/portcullis/src/pipeline.ts";

/** Gates that do what the given ones do and add up how long each of them is at work. */
export interface TimedGates {
  readonly gates: Gates;
  /** Microseconds at work since the last call, by the gate's place in the pipeline; starts anew. */
  take(): ReadonlyMap<string, number>;
}

/**
 * Wraps every gate. Only its synchronous work is counted: what a gate goes on with once something it waited for has
 * come stands in the report's last row. Reading the clock twice is taken off each time.
 *
 * @param clockMicros  what reading the clock twice in a row says, in microseconds
 */
export function timeGates(gates: Gates, clockMicros: number): TimedGates {
  const spent = new Map<string, { micros: number }>();
  const slot = (name: string): { micros: number } => {
    const one = { micros: 0 };
    spent.set(name, one);
    return one;
  };

  function timeStep(step: Step, own: { micros: number }): Step {
    return function timed(x: Exchange): Outcome | Promise<Outcome> {
      const before = performance.now();
      const outcome = step(x);
      own.micros += (performance.now() - before) * 1_000 - clockMicros;
      return outcome;
    };
  }

  function onArrival(name: string, gate: ArrivalGate): ArrivalGate {
    const own = slot(name);
    return (api) => timeStep(gate(api), own);
  }

  function onRoute(name: string, gate: RouteGate): RouteGate {
    const own = slot(name);
    return (api, route) => {
      const step = gate(api, route);
      return step === undefined ? undefined : timeStep(step, own);
    };
  }

  function onAnswer(name: string, gate: HeaderGate): HeaderGate {
    const own = slot(name);
    return (api) => {
      const add = gate(api);
      return function timed(x, headers) {
        const before = performance.now();
        add(x, headers);
        own.micros += (performance.now() - before) * 1_000 - clockMicros;
      };
    };
  }

  // In the pipeline's order, so that the report reads like it.
  const timed: Gates = {
    canonicalRequest: onArrival("canonicalRequest", gates.canonicalRequest),
    exposure: onArrival("exposure", gates.exposure),
    host: onArrival("host", gates.host),
    transport: onArrival("transport", gates.transport),
    readOrigin: onArrival("readOrigin", gates.readOrigin),
    reserve: onArrival("reserve", gates.reserve),
    versioning: onArrival("versioning", gates.versioning),
    preflight: onArrival("preflight", gates.preflight),
    authentication: onRoute("authentication", gates.authentication),
    csrf: onRoute("csrf", gates.csrf),
    settle: onRoute("settle", gates.settle),
    functionAccess: onRoute("functionAccess", gates.functionAccess),
    bodySize: onRoute("bodySize", gates.bodySize),
    proveSender: onRoute("proveSender", gates.proveSender),
    input: onRoute("input", gates.input),
    byInputField: onRoute("byInputField", gates.byInputField),
    objectAccess: onRoute("objectAccess", gates.objectAccess),
    claimDelivery: onRoute("claimDelivery", gates.claimDelivery),
    handler: onRoute("handler", gates.handler),
    egress: onRoute("egress", gates.egress),
    output: onRoute("output", gates.output),
    finishDelivery: onRoute("finishDelivery", gates.finishDelivery),
    errors: gates.errors,
    releaseDelivery: onAnswer("releaseDelivery", gates.releaseDelivery),
    settleAfterwards: onAnswer("settleAfterwards", gates.settleAfterwards),
    challenge: onAnswer("challenge", gates.challenge),
    corsHeaders: onAnswer("corsHeaders", gates.corsHeaders),
    securityHeaders: onAnswer("securityHeaders", gates.securityHeaders),
    audit(api) {
      const own = auditSlot;
      const auditor = gates.audit(api);
      return {
        ...auditor,
        finished(x, aborted) {
          const before = performance.now();
          auditor.finished(x, aborted);
          own.micros += (performance.now() - before) * 1_000 - clockMicros;
        },
      };
    },
  };
  const auditSlot = slot("audit");

  return {
    gates: timed,
    take() {
      const taken = new Map([...spent].map(([name, { micros }]) => [name, micros]));
      for (const one of spent.values()) one.micros = 0;
      return taken;
    },
  };
}

/** What reading the clock twice in a row says, in microseconds. */
export function clockCost(): number {
  let total = 0;
  const count = 200_000;
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    total += performance.now() - before;
  }
  return (total / count) * 1_000;
}
