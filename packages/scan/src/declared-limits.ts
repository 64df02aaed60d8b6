import type { Identity } from "./identities.ts";
import { parseJson, textAt } from "./json.ts";
import type { Pacer } from "./pace.ts";
import type { Limit, Operation, Policy } from "./target.ts";

/** What of a request decides which limits of its route count it. */
export interface Counted {
  readonly as?: Identity;
  readonly operation?: Operation;
  readonly body?: string | Uint8Array;
}

/** What is sent as one caller, or as nobody, where nothing says how much is allowed; more on the same machine. */
export const unknownRate: Limit = { limit: 120, windowMs: 1000 };
export const unknownNearby: Limit = { limit: 300, windowMs: 1000 };

/** What is sent as all of them together, on the same machine too. */
const unknownTogether = { limit: 400, windowMs: 1000 };

/** Declares what holds for strangers and for all together. */
export function declareLimits(pacer: Pacer, policy: Policy, unknown: Limit): void {
  const { limits } = policy;
  const described = Object.keys(limits).length > 0;
  pacer.declare("address", limits.address ?? (described ? { limit: 1000, windowMs: 1000 } : unknown));
  const all = limits.wideAddress ?? limits.global ?? (described ? undefined : unknownTogether);
  if (all !== undefined) pacer.declare("all", all);
  // Who is in which tenant is not known: all callers together stay below the limit of one.
  if (limits.tenant !== undefined) pacer.declare("tenant", limits.tenant);
  if (limits.failures !== undefined) {
    const { limit, windowMs } = limits.failures;
    pacer.declare("failures", limits.failures, "count");
    pacer.declare(spared, { limit: Math.max(1, Math.floor(limit / 2)), windowMs }, "count");
  }
}

/**
 * Failures at the usual address that may as well come from another one of this machine: half of its limit, so that whoever
 * guesses passwords there in a burst meets the limit of guessing and not what others used up.
 */
export const spared = "failures that are spared";

/** Declares what holds for one caller. */
export function declareCaller(pacer: Pacer, policy: Policy, caller: string, unknown: Limit): void {
  const { limits } = policy;
  const described = Object.keys(limits).length > 0;
  pacer.declare(`caller ${caller}`, limits.caller ?? (described ? { limit: 1000, windowMs: 1000 } : unknown));
  if (limits.failures !== undefined) pacer.declare(`failures ${caller}`, limits.failures, "count");
}

/** Limits of the route: one bucket per caller, per value of an input field, or one for everybody at this address. */
export function routeKeys(
  pacer: Pacer,
  outgoing: Counted,
): { requests: readonly string[]; failures: readonly string[] } {
  const keys: { requests: string[]; failures: string[] } = { requests: [], failures: [] };
  const { operation } = outgoing;
  for (const [index, limit] of (operation?.limits ?? []).entries()) {
    const who =
      limit.by === "caller"
        ? (outgoing.as?.name ?? "")
        : limit.by.startsWith("body.")
          ? fieldOf(outgoing, limit.by.slice(5))
          : "";
    const key = `route ${operation?.id ?? ""} ${index} ${who}`;
    pacer.declare(key, limit, limit.counts === "failures" ? "count" : "rate");
    keys[limit.counts].push(key);
  }
  return keys;
}

function fieldOf(outgoing: Counted, name: string): string {
  const body = typeof outgoing.body === "string" ? parseJson(outgoing.body) : undefined;
  return textAt(body, name) ?? "";
}
