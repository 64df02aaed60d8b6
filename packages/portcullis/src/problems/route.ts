import type { Problem } from "../environment.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import type { RoutePlan } from "../plan.ts";
import { isMethod } from "../plan.ts";
import type { ApiConfig } from "../api-config.ts";
import type { RoutePolicy } from "../policy.ts";
import type { Add } from "./add.ts";
import { accessProblems } from "./route-access.ts";
import { idProblems, inputPartProblems, objectProblems, serverSetProblems } from "./route-input.ts";
import { limitProblems, timeProblems } from "./route-limits.ts";
import { outputRuleProblems, pageProblems } from "./route-output.ts";
import { webhookProblems } from "./route-webhook.ts";

/** What one route's policy leaves undecided or decides unsafely. */
export function routeProblems(config: ApiConfig, route: RoutePlan): readonly Problem[] {
  const found: Problem[] = [];
  const add: Add = (field, text, fix) => found.push({ where: route.name, field, problem: text, fix });
  for (const key of unknownKeys(route.policy, policyKeys)) {
    add(key, "is no part of a policy, or not built yet", `a policy has ${policyKeys.join(", ")}`);
  }
  pathProblems(config, route, add);
  accessProblems(config, route, add);
  webhookProblems(config, route, add);
  inputPartProblems(config, route, add);
  idProblems(route, add);
  objectProblems(route, add);
  serverSetProblems(route, add);
  outputRuleProblems(route, add);
  pageProblems(route, add);
  timeProblems(route, add);
  limitProblems(route, add);
  return found;
}

/**
 * Routes that match the requests of an earlier one: `/v1/x/:a` and `/v1/x/:b` are one path, and only one policy of the
 * two would ever be asked.
 */
export function sameRequests(config: ApiConfig, routes: readonly RoutePlan[]): readonly Problem[] {
  const hasVersions = typeof config.version === "object" && "header" in config.version;
  const seen = new Map<string, RoutePlan[]>();
  return routes.flatMap((route) => {
    const path = route.segments.map((segment) => ("param" in segment ? ":" : segment.text)).join("/");
    const key = JSON.stringify([route.method, path]);
    const others = seen.get(key) ?? [];
    seen.set(key, [...others, route]);
    const before = others.find(
      (other) => !hasVersions || other.isUnversioned || route.isUnversioned || other.version === route.version,
    );
    if (before === undefined) return [];
    const fix = "name the values of the path alike to replace it, or take one of the two out";
    return [{ where: route.name, field: "path", problem: `matches what ${before.name} matches`, fix }];
  });
}

const policyKeys = [
  "path",
  "access",
  "input",
  "objects",
  "output",
  "limit",
  "page",
  "bodyMaxBytes",
  "startsSession",
  "deprecated",
  "version",
  "cache",
  "timeoutMs",
] as const satisfies readonly (keyof RoutePolicy)[];

function pathProblems(config: ApiConfig, route: RoutePlan, add: Add): void {
  const method = route.name.slice(0, Math.max(0, route.name.indexOf(" ")));
  if (!isMethod(method)) {
    add(
      "path",
      `${JSON.stringify(method)} is no method a route may have`,
      "begin with GET, POST, PUT, PATCH or DELETE",
    );
  }
  if (
    !/^\/(?:[A-Za-z0-9._~-]+|:[A-Za-z][A-Za-z0-9]*)?(?:\/(?:[A-Za-z0-9._~-]+|:[A-Za-z][A-Za-z0-9]*))*$/.test(route.path)
  ) {
    add(
      "path",
      `${route.path} is not canonical`,
      "use /segments of plain letters and :names, without a slash at the end",
    );
  }
  const names = route.segments.flatMap((segment) => ("param" in segment ? [segment.param] : []));
  if (new Set(names).size < names.length) add("path", "names a value twice", "give each :name once");
  if (route.isUnversioned) return;
  const version = config.version ?? "path";
  if (version === "path" && !/^v\d+$/.test(firstVersion(route))) {
    add(
      "path",
      "has no version",
      'begin with /v1/, or say version: { none: "reason" }, here for this route or in createApi for all',
    );
  }
  if (typeof version === "object" && "header" in version && route.version === undefined) {
    add("version", "is missing", `say which ${version.header} this route answers`);
  }
}

/** `/v1/…` or `/api/v1/…`. */
function firstVersion(route: RoutePlan): string {
  const texts = route.segments.slice(0, 2).map((segment) => ("text" in segment ? segment.text : ""));
  return texts.find((text) => /^v\d+$/.test(text)) ?? "";
}
