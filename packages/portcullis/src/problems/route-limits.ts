import { whyNotCounted } from "../lib/schema-problems.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import type { RoutePlan } from "../plan.ts";
import type { Add } from "./add.ts";
import { shown } from "./shapes.ts";

/** Dates and durations that make sense. */
export function timeProblems(route: RoutePlan, add: Add): void {
  const { sinceMs, sunsetMs } = route;
  if (sinceMs !== undefined && Number.isNaN(sinceMs)) add("deprecated.since", "is no date", "write 2026-01-31");
  if (sunsetMs !== undefined && Number.isNaN(sunsetMs)) add("deprecated.sunset", "is no date", "write 2026-06-30");
  if (sinceMs !== undefined && sunsetMs !== undefined && sunsetMs < sinceMs) {
    add("deprecated.sunset", "comes before the deprecation", "let callers know first (RFC 8594)");
  }
  const link = route.policy.deprecated?.link;
  if (link !== undefined && !/^[\x21\x23-\x3b\x3d\x3f-\x7e]+$/.test(link)) {
    add("deprecated.link", `${JSON.stringify(link)} is no URL as headers have it`, "encode it (RFC 3986)");
  }
  for (const [field, value] of [
    ["bodyMaxBytes", route.bodyMaxBytes],
    ["timeoutMs", route.timeoutMs],
  ] as const) {
    if (!(Number.isInteger(value) && value >= 1 && value <= 2 ** 31 - 1))
      add(field, `${value} is out of range`, "write a whole number above 0");
  }
}

/** Limits that count something the route has. */
export function limitProblems(route: RoutePlan, add: Add): void {
  const { limit } = route.policy;
  const written: readonly unknown[] = Array.isArray(limit) ? limit : [limit];
  for (const one of written) {
    if (typeof one !== "object" || one === null || !("rate" in one)) continue;
    for (const key of unknownKeys(one, ["rate", "by", "and", "counts", "sharedAs"])) {
      add("limit", `${key} is no part of a limit`, "a limit has rate, by, and, counts, sharedAs");
    }
    const by = "by" in one ? String(one.by) : "caller";
    if ("and" in one && one.and !== undefined && !(one.and === "address" && by.startsWith("body."))) {
      add("limit", `counts ${by} and ${shown(one.and)} together`, 'say by: "body.<field>", and: "address"');
    }
  }
  for (const { counts } of route.limits) {
    if (counts !== "requests" && counts !== "failures") {
      add("limit", `counts ${String(counts)}, which nobody counts`, "say requests or failures");
    }
  }
  const shared = route.limits.flatMap(({ sharedAs, rate, by, field, isPerAddress }) =>
    sharedAs === undefined ? [] : [JSON.stringify([sharedAs, rate, by, field, isPerAddress])],
  );
  if (new Set(shared).size < shared.length) {
    add("limit", "shares one count with itself", "leave one of the two out, or give it another sharedAs");
  }
  if (route.limits.length === 0) add("limit", "names none", "leave it out for the preset, or name at least one rate");
  for (const { by, field = "" } of route.limits) {
    if (by !== "field") continue;
    const why = route.body === undefined ? "absent" : whyNotCounted(route.body.json, field);
    if (why !== undefined)
      add("limit", `counts by body.${field}, which ${notCounted[why].problem}`, notCounted[why].fix);
  }
}

/** What cannot be counted would pass without end. */
const notCounted = {
  absent: { problem: "the body does not have", fix: "name a field of the body" },
  optional: { problem: "may be left out", fix: "demand it in the schema: whoever leaves it out would not be counted" },
  "other-type": { problem: "is no text and no number", fix: "name a field that is one" },
} as const;
