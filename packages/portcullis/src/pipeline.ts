import type { Answer, Arrival, Outcome } from "./exchange.ts";
import { EarlyAnswer, Exchange } from "./exchange.ts";
import type { ArrivalGate, Auditor, HeaderGate, ProblemWriter, RouteGate, Step } from "./gate.ts";
import { audit } from "./gates/audit.ts";
import { authentication, challenge } from "./gates/authentication.ts";
import { bodySize } from "./gates/body-size.ts";
import { canonicalRequest } from "./gates/canonical-request.ts";
import { corsHeaders, preflight, readOrigin } from "./gates/cors.ts";
import { csrf } from "./gates/csrf.ts";
import { errors } from "./gates/errors.ts";
import { exposure } from "./gates/exposure.ts";
import { functionAccess } from "./gates/function-access.ts";
import { host } from "./gates/host.ts";
import { input } from "./gates/input.ts";
import { egress, objectAccess } from "./gates/object-access.ts";
import { output } from "./gates/output.ts";
import { byInputField, reserve, settle, settleAfterwards } from "./gates/rate-limit.ts";
import { securityHeaders } from "./gates/security-headers.ts";
import { transport } from "./gates/transport.ts";
import { versioning } from "./gates/versioning.ts";
import { claimDelivery, finishDelivery, proveSender, releaseDelivery } from "./gates/webhook-receive.ts";
import { handler } from "./handler.ts";
import { resolveClient } from "./lib/forwarded.ts";
import { createLastResort } from "./last-resort.ts";
import { handedOn, passNotYet } from "./handed-on.ts";
import type { Handled } from "./listen.ts";
import { PassedOn } from "./passing.ts";
import type { ApiPlan, RoutePlan } from "./plan.ts";
import { Refusal } from "./refusal.ts";

/** Every gate by its place. The tests put the usual wrong version of one into this record; users cannot. */
export interface Gates {
  readonly canonicalRequest: ArrivalGate;
  readonly exposure: ArrivalGate;
  readonly host: ArrivalGate;
  readonly transport: ArrivalGate;
  readonly readOrigin: ArrivalGate;
  readonly reserve: ArrivalGate;
  readonly versioning: ArrivalGate;
  readonly preflight: ArrivalGate;
  readonly authentication: RouteGate;
  readonly csrf: RouteGate;
  readonly settle: RouteGate;
  readonly functionAccess: RouteGate;
  readonly bodySize: RouteGate;
  readonly proveSender: RouteGate;
  readonly input: RouteGate;
  readonly byInputField: RouteGate;
  readonly objectAccess: RouteGate;
  readonly claimDelivery: RouteGate;
  readonly handler: RouteGate;
  readonly egress: RouteGate;
  readonly output: RouteGate;
  readonly finishDelivery: RouteGate;
  readonly errors: ProblemWriter;
  readonly releaseDelivery: HeaderGate;
  readonly settleAfterwards: HeaderGate;
  readonly challenge: HeaderGate;
  readonly corsHeaders: HeaderGate;
  readonly securityHeaders: HeaderGate;
  readonly audit: Auditor;
}

/** The gates Portcullis ships. */
export const standardGates: Gates = Object.freeze({
  canonicalRequest,
  exposure,
  host,
  transport,
  readOrigin,
  reserve,
  versioning,
  preflight,
  authentication,
  csrf,
  settle,
  functionAccess,
  bodySize,
  proveSender,
  input,
  byInputField,
  objectAccess,
  claimDelivery,
  handler,
  egress,
  output,
  finishDelivery,
  errors,
  releaseDelivery,
  settleAfterwards,
  challenge,
  corsHeaders,
  securityHeaders,
  audit,
});

/** One API's gates, assembled. */
export interface Pipeline {
  /** Takes one request all its way; answers at once where nothing on the way has to wait. */
  handle(arrival: Arrival): Handled | Promise<Handled>;
  /** The same way out for what never became a request. */
  refuse(refusal: Refusal, arrival: Arrival): Handled;
}

/**
 * One request's way, in order. This list is the design; nothing else orders gates.
 *
 *  1 canonical-request  one strict reading, or 400; credentials in the URL refused
 *  2 host, transport    whose address, known host, https only, else 421
 *  3 rate-limit         reserve: address, unproved share of global, failure budget
 *  4 versioning         route lookup: 404, 405 + Allow, 410 after sunset
 *  5 cors               a preflight is answered here, from the path's methods
 *  6 authentication     none: 401 · bad: 401 (jwt, api-keys, sessions)
 *  7 csrf               if a cookie proved the caller; a route starts a session or takes a cookie; a form counts guesses
 *  8 rate-limit         settle: all dimensions in one decision
 *  9 function-access    scopes, roles
 * 10 body-size, input   bytes counted as they arrive, parsed once, matched; between them webhook-receive, if it is one:
 *                       its sender's signature stands for 6, 7 and 9, and 8 comes right after it
 * 11 rate-limit         by an input field where the policy names one
 * 12 object-access      loaded through the resource's rule; what the caller may not see is 404
 * 13 handler            gets values that were proved, nothing raw; a webhook's is claimed before it and done after it
 * out: egress, output → errors → rate-limit → challenge → cors → security-headers → audit, after last byte or abort
 */
export function assemblePipeline(api: ApiPlan, gates: Gates = standardGates): Pipeline {
  const { passing } = api;
  const arrivalSteps: readonly Step[] = [
    gates.canonicalRequest(api),
    gates.exposure(api),
    gates.host(api),
    gates.transport(api),
    gates.readOrigin(api),
    gates.reserve(api),
    // Behind an adopted framework its listed routes go on from here: read strictly, for our host, counted.
    ...(passing?.kind === "not-yet" ? [passNotYet(passing)] : []),
    gates.versioning(api),
    gates.preflight(api),
  ];

  const routeGates: readonly RouteGate[] = [
    gates.authentication,
    gates.csrf,
    gates.settle,
    gates.functionAccess,
    gates.bodySize,
    gates.input,
    gates.byInputField,
    gates.objectAccess,
    gates.handler,
    gates.egress,
    gates.output,
  ];
  // The sender is proved by what it signed, so its bytes come first; what is claimed is done before anybody is told.
  const webhookGates: readonly RouteGate[] = [
    gates.bodySize,
    gates.proveSender,
    gates.settle,
    gates.input,
    gates.byInputField,
    gates.objectAccess,
    gates.claimDelivery,
    gates.handler,
    gates.egress,
    gates.output,
    gates.finishDelivery,
  ];
  // Shadow mode leaves the request as it is: no body is read, nothing is loaded, claimed or run.
  const shadowGates: readonly RouteGate[] = [gates.authentication, gates.csrf, gates.settle, gates.functionAccess];
  const gatesOf = ({ webhook }: RoutePlan): readonly RouteGate[] => {
    if (passing?.kind === "shadow") return webhook === undefined ? shadowGates : [];
    return webhook === undefined ? routeGates : webhookGates;
  };
  // A route runs only the steps its own policy needs, after those that found it.
  const ways: readonly (readonly Step[])[] = api.routes.map((route) => [
    ...arrivalSteps,
    ...gatesOf(route)
      .map((gate) => gate(api, route))
      .filter((step) => step !== undefined),
  ]);

  const writeProblem = gates.errors(api);
  const settleLimits = gates.settleAfterwards(api);
  const outHeaders = [
    gates.releaseDelivery(api),
    settleLimits,
    gates.challenge(api),
    gates.corsHeaders(api),
    gates.securityHeaders(api),
  ];
  const auditor = gates.audit(api);
  const lastResort = createLastResort(api.config.hosts);

  /** Runs the steps from where the request stands; goes from the arrival's to the route's when the route is known. */
  function advance(x: Exchange): Outcome | Promise<Outcome> {
    let way = wayOf(x) ?? arrivalSteps;
    for (let place = x.place; ; place++) {
      const step = way[place];
      if (step === undefined) {
        if (way !== arrivalSteps) return undefined;
        const whole = wayOf(x);
        // No route and no refusal cannot be; if it ever is, nothing runs.
        if (whole === undefined) return new Refusal("internal", "no gate found a route and none refused");
        way = whole;
        place--;
        continue;
      }
      const outcome = step(x);
      if (outcome === undefined) continue;
      x.place = place + 1;
      return outcome;
    }
  }

  function wayOf(x: Exchange): readonly Step[] | undefined {
    return x.route === undefined ? undefined : ways[x.route.index];
  }

  /** Goes on whenever what a step waited for has come, until the way ends. One promise, however often it waits. */
  function concludeLater(x: Exchange, first: Promise<Outcome>): Promise<Handled> {
    return new Promise((resolve, reject) => {
      const end = (outcome: Outcome): void => {
        try {
          resolve(conclude(x, outcome));
        } catch (error) {
          reject(error);
        }
      };
      const fail = (error: unknown): void => end(thrown(error));
      const goOn = (late: Outcome): void => {
        if (late !== undefined) return end(late);
        let outcome: Outcome | Promise<Outcome>;
        try {
          outcome = advance(x);
        } catch (error) {
          return fail(error);
        }
        if (outcome instanceof Promise) outcome.then(goOn, fail);
        else end(outcome);
      };
      first.then(goOn, fail);
    });
  }

  function conclude(x: Exchange, outcome: Outcome): Handled {
    try {
      if (outcome instanceof PassedOn) return handedOn(x, outcome, { settle: settleLimits, auditor });
      if (passing?.kind === "shadow" && x.arrival.target !== "") {
        return handedOn(x, observed(x, outcome), { settle: settleLimits, auditor });
      }
      return answerFor(x, outcome);
    } catch (error) {
      // The way out must not throw; if it does, the client still gets a bland 500 and the log the cause.
      auditor.failed(x, error, "answer");
      x.refusal = new Refusal("internal", "the way out threw", { cause: error });
      x.status = 500;
      return handled(x, lastResort(x), auditor, lastResort);
    }
  }

  /** In shadow mode: what would have been said. Everything that became a request goes on all the same. */
  function observed(x: Exchange, outcome: Refusal | EarlyAnswer | undefined): PassedOn {
    if (x.address === undefined) locate(x);
    const refusal = outcome instanceof Refusal ? outcome : undefined;
    if (refusal?.cause !== undefined) auditor.failed(x, refusal.cause, refusal.protection);
    return new PassedOn("shadow", x.route?.name, refusal);
  }

  function answerFor(x: Exchange, outcome: Refusal | EarlyAnswer | undefined): Handled {
    if (x.address === undefined) locate(x);
    const headers: string[] = [];
    let body: string | undefined;
    if (outcome === undefined) {
      body = x.bodyText;
      headers.push(...x.answerHeaders);
    } else if (outcome instanceof EarlyAnswer) {
      x.status = outcome.status;
      headers.push(...outcome.headers);
    } else {
      x.refusal = outcome;
      x.status = outcome.status;
      // A page that something refused after it was written does not leave.
      if (outcome.body === undefined) x.pagePolicy = undefined;
      body = writeProblem(x, outcome);
      if (outcome.headers !== undefined) headers.push(...outcome.headers);
      if (outcome.cause !== undefined) auditor.failed(x, outcome.cause, outcome.protection);
    }
    for (const add of outHeaders) add(x, headers);
    const close = x.arrival.hasBody && !x.bodyConsumed;
    return handled(x, { status: x.status, headers, body, close }, auditor, lastResort);
  }

  /** Refused before any gate knew the address: as far as socket and headers show it, for the record and the limits. */
  function locate(x: Exchange): void {
    const { address } = resolveClient(x.arrival.peer, x.headers, api.topology);
    if (address !== "unknown") x.address = address;
  }

  function thrown(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    return new Refusal("internal", "a gate or a handler threw", { cause: error });
  }

  return {
    handle(arrival) {
      const x = new Exchange(arrival, api.newId(), api.environment.clock.monotonic(), api.environment.clock.now());
      let outcome: Outcome | Promise<Outcome>;
      try {
        outcome = advance(x);
      } catch (error) {
        return conclude(x, thrown(error));
      }
      return outcome instanceof Promise ? concludeLater(x, outcome) : conclude(x, outcome);
    },
    refuse(refusal, arrival) {
      const x = new Exchange(arrival, api.newId(), api.environment.clock.monotonic(), api.environment.clock.now());
      x.scheme = arrival.scheme;
      return conclude(x, refusal);
    },
  };
}

function handled(
  x: Exchange,
  answer: Answer,
  auditor: ReturnType<Auditor>,
  lastResort: ReturnType<typeof createLastResort>,
): Handled {
  let told = false;
  return {
    answer,
    passes: false,
    isHead: x.isHead,
    unsendable(error) {
      auditor.failed(x, error, "answer");
      x.refusal = new Refusal("internal", "the answer could not be sent", { cause: error });
      x.status = 500;
      return lastResort(x);
    },
    finished(aborted) {
      if (told) return;
      told = true;
      auditor.finished(x, aborted);
    },
  };
}
