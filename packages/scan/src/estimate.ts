import type { ProbeContext } from "./context.ts";
import type { PlannedCheck } from "./plan.ts";

/** What a scan is about to do. */
export interface Planned {
  readonly operations: number;
  readonly checks: number;
  readonly profile: "quick" | "full";
  /** How long it will take, milliseconds, where the target answers at once and its limits count in seconds. */
  readonly aboutMs: number;
}

/** Requests of a check, and of one that uses a limit up, as they were in scans of the reference APIs. */
const requests = { usual: 5, limits: 60 };

/** Requests in a second where nothing says how many there may be, and milliseconds a used-up limit is waited for. */
const usually = { perSecond: 280, waitMs: 2200 };

/**
 * Estimates a scan before it starts. Limits that count in minutes make it longer, up to the patience.
 *
 * @param rate  most requests in any second, where somebody said it
 */
export function estimate(context: ProbeContext, checks: readonly PlannedCheck[], rate: number | undefined): Planned {
  const attacks = checks.filter(({ check }) => "run" in check);
  const limits = attacks.filter(({ probe }) => probe.phase === "limits").length;
  const sent = context.fetcher.sent + (attacks.length - limits) * requests.usual + limits * requests.limits;
  const sendingMs = (sent / Math.min(rate ?? Number.POSITIVE_INFINITY, usually.perSecond)) * 1000;
  return {
    operations: context.target.operations.length + context.target.webhooks.length,
    checks: checks.length,
    profile: context.effort.profile,
    aboutMs: sendingMs + limits * usually.waitMs,
  };
}
