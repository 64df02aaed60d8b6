import type { RoutePolicy } from "../policy.ts";
import type { ClaimStore, DoneTimes } from "./claim-store.ts";
import type { WebhookScheme } from "./scheme.ts";
import type { WebhookAccess } from "./webhook-access.ts";

/** A webhook route's access made exact. */
export interface PlannedWebhook {
  readonly scheme: WebhookScheme;
  readonly claims: ClaimStore;
  readonly namesClaims: boolean;
  readonly leaseMs: number;
  readonly times: DoneTimes;
}

/** Whether a delivery proves who calls. */
export function isWebhook(access: RoutePolicy["access"]): access is WebhookAccess {
  return "kind" in access && access.kind === "webhook";
}

/**
 * Makes a webhook's access exact; undefined for any other access.
 *
 * @param timeoutMs  longest run of the route's handler
 */
export function planWebhook({ access }: RoutePolicy, timeoutMs: number): PlannedWebhook | undefined {
  if (!isWebhook(access)) return undefined;
  const { scheme, claims, namesClaims, keepSeconds, leaseSeconds } = access;
  const keepMs = keepSeconds * 1000;
  // A delivery claimed at the earliest moment counts for twice the tolerance: that much may not be forgotten. Without a
  // signed time it counts for ever, so nothing may be forgotten before its time.
  const countsMs = scheme.signsTime ? scheme.toleranceSeconds * 2_000 : keepMs;
  return {
    scheme,
    claims,
    namesClaims,
    leaseMs: leaseSeconds === undefined ? timeoutMs + leaseMarginMs : leaseSeconds * 1000,
    times: { atLeastMs: Math.min(countsMs, keepMs), keepMs },
  };
}

/** Between a handler's end and the note that it ran. */
const leaseMarginMs = 30_000;
