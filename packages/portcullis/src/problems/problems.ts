import type { Demand, Around } from "../demand.ts";
import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import { isLoopbackHost, servedHosts, splitHost } from "../lib/host-name.ts";
import { OptionsError } from "../lib/options-error.ts";
import { planDimensions } from "../limits/tariffs.ts";
import type { AdapterFacts } from "../listen.ts";
import type { DeclaredRoute, RoutePlan } from "../plan.ts";
import { planRates, planRoute } from "../plan.ts";
import type { ApiConfig, ApiLimits, AuditOptions, ProxyOptions } from "../api-config.ts";
import type { AnyResource } from "../resource.ts";
import { countingProblems } from "./counting.ts";
import { alertProblems } from "./alerts.ts";
import { optionShapeProblems } from "./options.ts";
import { resourceProblems } from "./resource.ts";
import { routeProblems, sameRequests } from "./route.ts";
import { routeShapeProblems } from "./route-shape.ts";
import { frontProblems, topologyNeeds } from "./topology.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";

/**
 * Everything that would stop the start: a missing decision, an option that makes no sense, a combination that would
 * leave a hole. Looks at all of it, so that one start tells all.
 */
export function findProblems(
  config: ApiConfig,
  resources: readonly AnyResource[],
  declared: readonly DeclaredRoute[],
  demands: readonly Demand[],
  facts: AdapterFacts | undefined,
): readonly Problem[] {
  // A program without types can leave out what everything below reads.
  const missing = optionShapeProblems(config);
  if (missing.length > 0) return missing;
  const problems: Problem[] = [
    ...configProblems(config),
    ...resources.flatMap((one) => resourceProblems(one, resources)),
  ];
  if (facts !== undefined) problems.push(...topologyNeeds(config, facts));
  const routes: RoutePlan[] = [];
  for (const [index, route] of declared.entries()) {
    const where = route.policy.path;
    const undecided = routeShapeProblems(route, resources);
    problems.push(...undecided);
    if (undecided.length > 0) continue;
    try {
      const plan = planRoute(config, route, index);
      routes.push(plan);
      problems.push(...routeProblems(config, plan));
    } catch (error) {
      problems.push(asProblem(where, "policy", error));
    }
  }
  problems.push(...sameRequests(config, routes));
  const around = aroundOf(config, facts);
  for (const demand of demands) problems.push(...demand(around));
  if (declared.length === 0) {
    problems.push(problem("createApi", "routes", "there are no routes", "declare at least one with api.route"));
  }
  try {
    const rates = planRates(config);
    problems.push(...countingProblems(config, planDimensions(rates, routes).dimensions));
  } catch (error) {
    problems.push(asProblem("createApi", "limits", error));
  }
  return problems;
}

/** What parts that declare routes may ask of the API. */
function aroundOf(config: ApiConfig, facts: AdapterFacts | undefined): Around {
  const served = servedHosts(config.hosts);
  const { tls = "unknown" } = facts ?? {};
  const unproxied = tls === "none" && config.proxies === undefined ? "http" : undefined;
  return {
    credentials: config.credentials,
    origins: config.origins ?? [],
    scheme: tls === "1.3" || tls === "1.2" ? "https" : unproxied,
    serves: (host) => served(host) !== undefined,
  };
}

function configProblems(config: ApiConfig): Problem[] {
  const at = "createApi";
  const found: Problem[] = [];
  const add = (field: string, text: string, fix: string): void => {
    found.push(problem(at, field, text, fix));
  };
  for (const key of unknownKeys(config, configKeys))
    add(key, "is no option", `the options are ${configKeys.join(", ")}`);
  for (const [option, known] of Object.entries(nestedKeys)) {
    const value: unknown = Reflect.get(config, option);
    if (typeof value !== "object" || value === null) continue;
    for (const key of unknownKeys(value, known)) {
      add(`${option}.${key}`, "is no option", `${option} has ${known.join(", ")}`);
    }
  }
  if (isBlank(config.name)) add("name", "is empty", "name the service, as records should show it");
  if (config.hosts.length === 0)
    add("hosts", "no host is served", 'list the names clients use: hosts: ["api.example.com"]');
  for (const host of config.hosts) {
    if (!/^(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?$/.test(host)) {
      const fix = host.includes("*")
        ? "list each name that is served; there are no wildcards"
        : "write the name alone, in lower case, without scheme and path";
      add("hosts", `${JSON.stringify(host)} is no host name`, fix);
    }
  }
  for (const origin of config.origins ?? []) {
    const exact = isExactOrigin(origin);
    if (!exact) {
      add(
        "origins",
        `${JSON.stringify(origin)} is no exact origin`,
        "write scheme, host and port alone, such as https://app.example.com; there are no wildcards",
      );
    } else if (origin.startsWith("http://") && !isLoopbackHost(splitHost(origin.slice("http://".length)).host)) {
      add("origins", `${origin} is plain http`, "serve the page over https, or list a loopback origin");
    }
  }
  found.push(...frontProblems(config), ...alertProblems(config));
  const names = new Set<string>();
  for (const credential of config.credentials) {
    if (names.has(credential.name)) {
      add("credentials", `two are called ${credential.name}`, "give each its own name option");
    }
    names.add(credential.name);
    found.push(...credential.problems());
  }
  const issuers = config.credentials.filter((credential) => credential.issuer !== undefined);
  if (new Set(issuers.map(({ issuer }) => issuer)).size > 1) {
    for (const credential of issuers) {
      if (credential.mapsSubject) continue;
      add(
        `credentials.${credential.name}`,
        "there are several issuers and nothing tells their subjects apart",
        "say what a subject is with the subject option, for example (claims) => `${claims.iss} ${claims.sub}`",
      );
    }
  }
  if (config.audit?.sinks?.length === 0) {
    add("audit.sinks", "no record would be kept", "leave it out for standard output, or name a sink");
  }
  for (const [field, secret] of [
    ["cursors.secret", config.cursors?.secret],
    ["audit.accountKey", config.audit?.accountKey],
  ] as const) {
    if (secret === undefined) continue;
    if (secret.length < 32) add(field, "is shorter than 32 bytes", "use 32 random bytes or more");
    // A random one of this length misses this by far; a repeated word does not.
    else if (new Set<string | number>(secret).size < 8)
      add(field, "repeats a few characters", "use 32 random bytes or more");
  }
  const instances = config.limits?.instances ?? 1;
  if (instances > 1 && config.cursors === undefined) {
    add("cursors", "a cursor of one instance does not open on another", "give cursors.secret to all instances");
  }
  const share = config.limits?.unprovedShare;
  if (share !== undefined && !(share > 0 && share <= 1)) {
    add("limits.unprovedShare", `${share} is no share`, "write a number above 0 and up to 1");
  }
  for (const [field, value, max] of [
    ["body.maxBytes", config.body?.maxBytes, 2 ** 31 - 1],
    ["body.timeoutMs", config.body?.timeoutMs, 3_600_000],
    ["handlerTimeoutMs", config.handlerTimeoutMs, 3_600_000],
  ] as const) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= max)) {
      add(field, `${value} is out of range`, `write a whole number from 1 to ${max}`);
    }
  }
  return found;
}

const configKeys = [
  "name",
  "hosts",
  "origins",
  "proxies",
  "dangerouslyAllowLoopback",
  "credentials",
  "roles",
  "limits",
  "rateLimitHeaders",
  "body",
  "version",
  "handlerTimeoutMs",
  "problem",
  "cursors",
  "audit",
  "alerts",
  "minTls",
  "clock",
  "randomBytes",
  "fetch",
] as const satisfies readonly (keyof ApiConfig)[];

const nestedKeys = {
  proxies: ["trusted", "header", "forwardedHost", "dangerouslyAssumeProxy"] satisfies readonly (keyof ProxyOptions)[],
  limits: [
    "global",
    "address",
    "wideAddress",
    "caller",
    "tenant",
    "failures",
    "unprovedShare",
    "instances",
    "limiter",
  ] satisfies readonly (keyof ApiLimits)[],
  body: ["maxBytes", "timeoutMs"] satisfies readonly (keyof NonNullable<ApiConfig["body"]>)[],
  problem: ["members"] satisfies readonly (keyof NonNullable<ApiConfig["problem"]>)[],
  cursors: ["secret"] satisfies readonly (keyof NonNullable<ApiConfig["cursors"]>)[],
  audit: ["sinks", "accountKey", "onError", "onEvent"] satisfies readonly (keyof AuditOptions)[],
} as const;

function isExactOrigin(origin: string): boolean {
  try {
    const url = new URL(origin);
    return url.origin === origin && !origin.includes("*") && (url.protocol === "https:" || url.protocol === "http:");
  } catch {
    return false;
  }
}

function asProblem(where: string, field: string, error: unknown): Problem {
  if (error instanceof OptionsError) return { where, field, problem: error.message, fix: error.fix };
  return { where, field, problem: error instanceof Error ? error.message : String(error), fix: "mend the option" };
}

function problem(where: string, field: string, text: string, fix: string): Problem {
  return { where, field, problem: text, fix };
}
