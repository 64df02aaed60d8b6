import { unknownKeys } from "../lib/unknown-keys.ts";
import type { RoutePlan } from "../plan.ts";
import type { ApiConfig } from "../api-config.ts";
import { isWebhookEvent } from "../webhooks/webhook-event.ts";
import type { Add } from "./add.ts";

/** A webhook route: secrets that prove something, a store that remembers, and nothing beside the sender's signature. */
export function webhookProblems(config: ApiConfig, route: RoutePlan, add: Add): void {
  const plan = route.webhook;
  if (plan === undefined) {
    if (route.body !== undefined && isWebhookEvent(route.body.schema)) {
      add(
        "input.body",
        "takes fields it does not declare",
        "only a route with access: webhook(…) may; take webhookEvent out",
      );
    }
    return;
  }
  for (const key of unknownKeys(route.policy.access, accessKeys)) {
    add(
      "access",
      `${key} is no part of a webhook's access`,
      "its sender is the only caller: say webhook(scheme, options)",
    );
  }
  for (const one of plan.scheme.problems()) add(`access.${one.field}`, one.problem, one.fix);
  if (route.method !== "POST" && route.method !== "PUT") {
    add("path", `a ${route.method} is no delivery`, "begin with POST");
  }
  if (route.body === undefined) {
    add("input.body", "has no schema: the event would be lost", "say body: webhookEvent(z.object({ … }))");
  }
  storeProblems(config, route, add);
  timeProblems(route, add);
  besideProblems(route, add);
}

const accessKeys = ["kind", "scheme", "claims", "namesClaims", "keepSeconds", "leaseSeconds"];

function storeProblems(config: ApiConfig, route: RoutePlan, add: Add): void {
  const plan = route.webhook;
  if (plan === undefined) return;
  const { claims, scheme } = plan;
  if ((config.limits?.instances ?? 1) > 1 && claims.reach === "process") {
    add(
      "access.claims",
      "are kept by each instance for itself, and there are several",
      "share them: embeddedClaimStore on one machine, redisClaimStore on several",
    );
  }
  if (!scheme.signsTime && !plan.namesClaims) {
    add(
      "access.claims",
      `are forgotten at every restart, and ${scheme.name} signs no time: what was recorded would run again`,
      "name a store that lasts: webhook(scheme, { claims: embeddedClaimStore({ folder }) })",
    );
  }
}

function timeProblems(route: RoutePlan, add: Add): void {
  const plan = route.webhook;
  if (plan === undefined) return;
  const { leaseMs, times } = plan;
  if (!(Number.isInteger(times.keepMs) && times.keepMs >= 600_000 && times.keepMs <= 7_776_000_000)) {
    add("access.keepSeconds", "is out of range", "leave it out for 7 days, or write 600 to 7776000 seconds");
  } else if (route.webhook?.scheme.signsTime === true && times.keepMs < route.webhook.scheme.toleranceSeconds * 2_000) {
    add("access.keepSeconds", "is shorter than a signature counts", "keep at least twice the tolerance");
  }
  if (!(Number.isInteger(leaseMs) && leaseMs > route.timeoutMs && leaseMs <= 86_400_000)) {
    add(
      "access.leaseSeconds",
      `is no time longer than the handler's ${route.timeoutMs} ms: a delivery could run twice at once`,
      "leave it out, or write more seconds than timeoutMs has, at most 86400",
    );
  }
}

/** What stands for other callers on a route that has none. */
function besideProblems(route: RoutePlan, add: Add): void {
  const { policy } = route;
  if (route.objects.length > 0) {
    add(
      "objects",
      "are reached by a caller, and a sender owns nothing",
      "look them up in the handler by the event's ids",
    );
  }
  if (route.startsSession) add("startsSession", "a delivery signs nobody in", "take it out");
  if (policy.cache !== undefined) add("cache", "an answer to a delivery may not be kept", "leave it out");
  if (policy.page !== undefined) add("page", "a delivery asks for no list", "take it out");
  if (route.limits.some(({ by }) => by === "tenant")) add("limit", "a sender has no tenant", "count by caller");
}
