import type { Exchange, Outcome } from "./exchange.ts";
import type { ApiPlan, RoutePlan } from "./plan.ts";
import type { Refusal } from "./refusal.ts";

/**
 * One step of a request's way. Undefined admits; a Refusal or an EarlyAnswer ends the way in. A step that throws or
 * rejects could not decide, and that closes the gate: the pipeline answers 500 or 503 and the handler does not run.
 */
export type Step = (x: Exchange) => Outcome | Promise<Outcome>;

/** Makes the step that runs for every request, before the route is known. All work that can be done once is done here. */
export type ArrivalGate = (api: ApiPlan) => Step;

/** Makes one route's step, or undefined where the route's policy leaves this gate nothing to do. */
export type RouteGate = (api: ApiPlan, route: RoutePlan) => Step | undefined;

/** Makes a function that adds header names and values, in turn, to every answer; it decides nothing any more. */
export type HeaderGate = (api: ApiPlan) => (x: Exchange, headers: string[]) => void;

/** Makes a function that writes the body of a refusal. */
export type ProblemWriter = (api: ApiPlan) => (x: Exchange, refusal: Refusal) => string;

/** Observes; admits nothing and refuses nothing. */
export type Auditor = (api: ApiPlan) => {
  /** After the last byte or the abort. Never throws. */
  finished(x: Exchange, aborted: boolean): void;
  /** Something threw; `stage` says where. Never throws. */
  failed(x: Exchange | undefined, error: unknown, stage: string): void;
};
