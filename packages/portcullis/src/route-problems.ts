import type { Credential } from "./credential.ts";
import type { Problem } from "./environment.ts";
import { isByRole, objectsWithRoles } from "./lib/choose-output.ts";
import { pageParameters } from "./lib/paging.ts";
import { pointerSegment } from "./lib/json-pointer.ts";
import {
  declaresField,
  fieldNames,
  idFields,
  inputProblems,
  outputProblems,
  placePointers,
  whyNotCounted,
} from "./lib/schema-problems.ts";
import { unknownKeys } from "./lib/unknown-keys.ts";
import { outputJsonSchema } from "./lib/standard-schema.ts";
import type { ByRoleOutput, EgressOptOut, OutputRule } from "./output.ts";
import { isMethod } from "./plan.ts";
import type { InputPart, PlannedObject, RoutePlan } from "./plan.ts";
import type { ApiConfig, RoutePolicy } from "./policy.ts";
import type { AnyResource } from "./resource.ts";

type Add = (field: string, text: string, fix: string) => void;

/** What one route's policy leaves undecided or decides unsafely. */
export function routeProblems(config: ApiConfig, route: RoutePlan): readonly Problem[] {
  const found: Problem[] = [];
  const add: Add = (field, text, fix) => found.push({ where: route.name, field, problem: text, fix });
  for (const key of unknownKeys(route.policy, policyKeys)) {
    add(key, "is no part of a policy, or not built yet", `a policy has ${policyKeys.join(", ")}`);
  }
  pathProblems(config, route, add);
  accessProblems(config, route, add);
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
  const seen = new Map<string, RoutePlan>();
  return routes.flatMap((route) => {
    const path = route.segments.map((segment) => ("param" in segment ? ":" : segment.text)).join("/");
    const key = JSON.stringify([route.method, path, hasVersions ? route.version : undefined]);
    const before = seen.get(key);
    seen.set(key, before ?? route);
    if (before === undefined) return [];
    const fix = "name the values of the path alike to replace it, or take one of the two out";
    return [{ where: route.name, field: "path", problem: `matches what ${before.name} matches`, fix }];
  });
}

/** What a program without types can leave out; nothing else of a policy can be looked at before these are there. */
export function missingDecisions(policy: RoutePolicy): readonly Problem[] {
  const where = policy.path;
  const isThere = (value: unknown): boolean => typeof value === "object" && value !== null;
  const found: Problem[] = [];
  if (!isThere(policy.access)) {
    const fix = 'say { scopes }, { roles }, { objectRole }, anyCaller or publicAccess("reason")';
    found.push({ where, field: "access", problem: "nobody decided who may call it", fix });
  }
  if (!isThere(policy.output)) {
    const fix = "say view(Schema, resource), list(Schema, resource), a schema, or nothing";
    found.push({ where, field: "output", problem: "nobody decided what leaves", fix });
  }
  return found;
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
  const version = config.version ?? "path";
  if (version === "path" && !/^v\d+$/.test(firstVersion(route))) {
    add("path", "has no version", 'begin with /v1/, or say createApi({ version: { none: "reason" } })');
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

function accessProblems(config: ApiConfig, route: RoutePlan, add: Add): void {
  const { access: plan } = route;
  const known = plan.public ? ["kind", "reason"] : ["scopes", "roles", "objectRole", "any"];
  for (const key of unknownKeys(route.policy.access, known)) {
    add("access", `${key} is no demand`, 'say scopes, roles, objectRole, anyCaller or publicAccess("reason")');
  }
  for (const scope of plan.scopes) {
    if (scopeToken.test(scope)) continue;
    add(
      "access.scopes",
      `${JSON.stringify(scope)} is no scope`,
      'use visible ASCII without blanks, " and \\ (RFC 6749)',
    );
  }
  if (plan.public) {
    if (plan.reason === undefined || plan.reason === "")
      add("access", "is public without a reason", "say why: publicAccess(reason)");
  } else {
    const demands = plan.scopes.length + plan.roles.length + plan.objectRole.size;
    if (demands === 0 && !("any" in route.policy.access))
      add("access", "demands nothing", "say anyCaller if every caller may call it");
    if (config.credentials.length === 0) {
      add(
        "access",
        "needs a caller and the API accepts no credential",
        "give createApi credentials, or say publicAccess(reason)",
      );
    }
    if (plan.roles.length > 0 && config.roles === undefined && !config.credentials.some(givesRoles)) {
      add(
        "access.roles",
        "nothing says which roles a caller has",
        "give createApi a roles function, or the credential rolesFromToken",
      );
    }
  }
  for (const [name, roles] of plan.objectRole) {
    const object = route.objects.find((one) => one.name === name);
    if (object === undefined || object.each)
      add("access.objectRole", `names no object of this route (${name})`, "name one of its objects");
    if (roles.length === 0) add("access.objectRole", "names no role", "name at least one, such as owner");
  }
  if (plan.public && route.policy.cache !== undefined && route.method !== "GET") {
    add("cache", "only a GET may be kept", "leave it out");
  }
  if (!plan.public && route.policy.cache !== undefined) {
    add("cache", "an answer for one caller may not be kept", "leave it out");
  }
  if (route.policy.cache !== undefined && !/^[\x20-\x7e]+$/.test(route.policy.cache)) {
    add("cache", `${JSON.stringify(route.policy.cache)} is no Cache-Control`, "write such as public, max-age=60");
  }
  sessionProblems(route, add);
}

function sessionProblems(route: RoutePlan, add: Add): void {
  const { startsSession, method, accountField, body, limits } = route;
  if (startsSession && method === "GET") add("startsSession", "a GET can be sent by any link", "use POST");
  if (accountField === undefined) return;
  if (body === undefined || !fieldNames(body.json).includes(accountField)) {
    add("startsSession", `the body has no ${accountField}`, "name the field of the body that names the account");
  } else if (!limits.some(({ by, field }) => by === "field" && field === accountField)) {
    const fix = `leave limit out, or say signIn("body.${accountField}") or a rate by "body.${accountField}"`;
    add("limit", "lets one account be guessed without end, from many addresses", fix);
  }
}

/** @see RFC 6749 section 3.3: it stands between quotes in WWW-Authenticate */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Tokens where the options say so; a session's own check says who the caller is, roles included. */
function givesRoles(credential: Credential): boolean {
  return credential.describe()["rolesFromToken"] === true || credential.protection === "sessions";
}

/** What gates decide by; raw in a handler it would be a credential that leaks, or an address that is believed. */
const ownedByGates: ReadonlySet<string> = new Set([
  "authorization",
  "cf-connecting-ip",
  "cookie",
  "fly-client-ip",
  "forwarded",
  "host",
  "origin",
  "proxy-authorization",
  "sec-fetch-site",
  "true-client-ip",
  "x-api-key",
  "x-client-ip",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
]);

function inputPartProblems(config: ApiConfig, route: RoutePlan, add: Add): void {
  const carriers = config.credentials.flatMap(({ carrier }) => (carrier.in === "header" ? [carrier.header] : []));
  const parts: readonly [string, InputPart | undefined][] = [
    ["input.params", route.params],
    ["input.query", route.query],
    ["input.headers", route.headers],
    ["input.body", route.body],
  ];
  for (const [field, part] of parts) {
    if (part === undefined) continue;
    for (const one of inputProblems(part.json)) add(`${field}${one.pointer}`, one.problem, one.fix);
  }
  const names = route.segments.flatMap((segment) => ("param" in segment ? [segment.param] : []));
  if (names.length > 0 && route.params === undefined) {
    add("input.params", `${names.join(", ")} may be anything`, "match it: params: z.strictObject({ id: z.uuid() })");
  }
  if (route.params !== undefined) {
    const matched = fieldNames(route.params.json);
    for (const name of names)
      if (!matched.includes(name)) add("input.params", `does not match :${name}`, "add the field");
    for (const name of matched) {
      if (!names.includes(name)) add("input.params", `matches ${name}, which the path does not have`, "take it out");
    }
  }
  if (route.body !== undefined && route.method === "GET") add("input.body", "a GET has no body", "use the query");
  for (const name of route.headers === undefined ? [] : fieldNames(route.headers.json)) {
    if (name !== name.toLowerCase())
      add("input.headers", `${name} is not in lower case`, "write header names in lower case");
    if (ownedByGates.has(name.toLowerCase()) || carriers.includes(name.toLowerCase())) {
      const fix = "take it out: handlers are given the caller, and the address as request.address";
      add("input.headers", `hands ${name} to the handler as it was sent`, fix);
    }
  }
}

/** Every id has a rule, wherever it stands: path, query, header or body, at any depth. */
function idProblems(route: RoutePlan, add: Add): void {
  const consumed = new Set(
    route.objects.map((one) => (one.place === "path" ? one.field : `${one.place}.${one.field}`)),
  );
  const excused = new Set(route.notObjects.map((one) => one.field));
  const ids: string[] = route.segments.flatMap((segment) => ("param" in segment ? [segment.param] : []));
  const places: readonly ["query" | "header" | "body", InputPart | undefined][] = [
    ["query", route.query],
    ["header", route.headers],
    ["body", route.body],
  ];
  for (const [place, part] of places) {
    if (part === undefined) continue;
    for (const pointer of idFields(part.json)) ids.push(`${place}${pointer.replaceAll("/", ".")}`);
  }
  for (const id of ids) {
    if (consumed.has(id) || excused.has(id)) continue;
    if (id === "body") {
      const fix =
        'put it into a field, such as { ids: [...] }, so that a rule can name it, or "body": notAnObject("reason")';
      add("objects", "the body itself is an id, or a list of them, and no rule consumes it", fix);
      continue;
    }
    const name = id.slice(id.lastIndexOf(".") + 1);
    add(
      "objects",
      `no rule consumes the id ${id}`,
      `say whose it is: objects: { ${name.replace(/Ids?$/, "")}: by("${id}", resource) }, or "${id}": notAnObject("reason")`,
    );
  }
  for (const { field, reason } of route.notObjects) {
    if (reason === "") add("objects", `${field} is excused without a reason`, "say why it names no object");
    if (!ids.includes(field)) add("objects", `${field} is excused and is no id of this route`, "take it out");
  }
}

const reserved = new Set(["caller", "params", "query", "headers", "body", "page", "request"]);

function objectProblems(route: RoutePlan, add: Add): void {
  for (const [position, one] of route.objects.entries()) {
    if (reserved.has(one.name)) add("objects", `${one.name} is what handlers are given already`, "choose another name");
    if (one.place === "path") {
      const known = route.segments.some((segment) => "param" in segment && segment.param === one.field);
      if (!known)
        add("objects", `the path has no :${one.field}`, "name a value of the path, or query.x, body.x, header.x");
    }
    if (one.place !== "path") placeProblems(route, one, add);
    if (one.within === undefined) continue;
    const above = route.objects.slice(0, position).find((other) => other.name === one.within);
    if (above === undefined) {
      add(
        "objects",
        `${one.name} stands within ${one.within}, which is not loaded before it`,
        "declare the parent first",
      );
    } else if (above.each) {
      add("objects", `${one.name} stands within ${one.within}, which is several`, "name one object");
    } else if (one.resource.rule.parent?.resource !== above.resource) {
      add("objects", `${one.resource.name} has no parent ${above.resource.name}`, "declare parent in the resource");
    }
  }
}

/** A rule that looks where nothing can stand loads nothing, and guards nothing. */
function placeProblems(route: RoutePlan, one: PlannedObject, add: Add): void {
  const part = { query: route.query, header: route.headers, body: route.body, path: undefined }[one.place];
  const names = one.place === "body" ? one.field.split(".") : [one.field];
  const pointer = names.map((name) => (name === "*" ? "/*" : pointerSegment(name))).join("");
  if (part === undefined || !placePointers(part.json).has(pointer)) {
    add(
      "objects",
      `the ${one.place} has no ${one.field}, which ${one.name} is loaded by`,
      "name a field of the schema; list items are *, as in body.items.*.projectId",
    );
  }
  if (names.includes("*") && !one.each) {
    add("objects", `${one.name} stands in a list, and one object is loaded`, "say byEach, which loads each of them");
  }
}

function serverSetProblems(route: RoutePlan, add: Add): void {
  if (route.body === undefined) return;
  const resources = new Set<AnyResource>(route.objects.map((one) => one.resource));
  for (const { rule } of route.outputs) for (const resource of resourcesOf(rule)) resources.add(resource);
  for (const resource of resources) {
    for (const field of resource.rule.serverSet ?? []) {
      if (!declaresField(route.body.json, field)) continue;
      if (route.objects.some((one) => one.place === "body" && one.field === field)) continue;
      add("input.body", `takes ${field}, which only the server sets on ${resource.name}`, "take it out of the schema");
    }
  }
}

function resourcesOf(rule: OutputRule | ByRoleOutput): readonly AnyResource[] {
  if (isByRole(rule)) return Object.values(rule.roles).flatMap(resourcesOf);
  return "kind" in rule && rule.kind !== "nothing" ? [rule.resource] : [];
}

function outputRuleProblems(route: RoutePlan, add: Add): void {
  if (route.outputs.length === 0) add("output", "declares no answer", "declare at least one 2xx status");
  for (const { status, rule } of route.outputs) {
    if (!Number.isInteger(status) || status < 200 || status > 299) {
      add("output", `${status} is no success`, "declare 2xx statuses; refusals have their own shape");
    }
    // RFC 9110 sections 15.3.5 and 15.3.6: a length beside such a status leaves client and proxy at odds.
    if ((status === 204 || status === 205) && !("kind" in rule && rule.kind === "nothing")) {
      add(`output.${status}`, "is an answer that has no body", "say nothing, or use another status");
    }
    checkRule(rule, `output.${status}`, route, add);
  }
}

function checkRule(rule: OutputRule | ByRoleOutput, field: string, route: RoutePlan, add: Add): void {
  if (isByRole(rule)) {
    if (rule.roles["otherwise"] === undefined) add(field, "has no view for other callers", "add otherwise");
    const [first, ...further] = objectsWithRoles(route);
    let above = first;
    for (const one of further) {
      if (one.within !== above?.name) {
        const fix = "put one within the other, or make two routes of it";
        add(field, `cannot tell whose role is meant: ${above?.name} and ${one.name} both give roles`, fix);
      }
      above = one;
    }
    for (const [role, one] of Object.entries(rule.roles)) checkRule(one, `${field}.${role}`, route, add);
    return;
  }
  if (!("kind" in rule)) {
    checkSchema(rule, field, add);
    return;
  }
  if (rule.kind === "nothing") return;
  checkSchema(rule.schema, field, add);
  checkOptOut(rule.optOut, field, add);
  if (rule.kind === "list" && route.page === undefined) {
    add("page", "a list without an end", "bound it: page: cursorPages() or pages()");
  }
}

function checkOptOut(optOut: EgressOptOut | undefined, field: string, add: Add): void {
  if (optOut === undefined) return;
  if (optOut.reason === "") add(field, "leaves owners unchecked without a reason", "say why");
  if (optOut.kind === "every-owner" && optOut.roles.length === 0)
    add(field, "names no role", "name the roles that see every owner");
}

function checkSchema(schema: Parameters<typeof outputJsonSchema>[0], field: string, add: Add): void {
  for (const one of outputProblems(outputJsonSchema(schema))) add(`${field}${one.pointer}`, one.problem, one.fix);
}

function pageProblems(route: RoutePlan, add: Add): void {
  const { page } = route;
  if (page === undefined) return;
  const isList = route.outputs.some(({ rule }) => "kind" in rule && (rule.kind === "list" || rule.kind === "by-role"));
  if (!isList) add("page", "the output is no list", "say list(Schema, resource)");
  if (
    !(
      Number.isInteger(page.size) &&
      Number.isInteger(page.max) &&
      page.size >= 1 &&
      page.max >= page.size &&
      page.max <= 1000
    )
  ) {
    add("page", "has no sensible bounds", "1 <= size <= max <= 1000");
  }
  if (page.kind === "pages" && !(Number.isInteger(page.maxPage) && page.maxPage >= 1 && page.maxPage <= 1_000_000)) {
    add("page", "has no sensible depth", "write a maxPage from 1 to 1000000");
  }
  const own = route.query === undefined ? [] : fieldNames(route.query.json);
  for (const name of pageParameters[page.kind]) {
    if (own.includes(name))
      add("input.query", `declares ${name}, which the page reads itself`, "take it out of the schema");
  }
}

function timeProblems(route: RoutePlan, add: Add): void {
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

function limitProblems(route: RoutePlan, add: Add): void {
  const { limit } = route.policy;
  const written: readonly unknown[] = Array.isArray(limit) ? limit : [limit];
  for (const one of written) {
    if (typeof one !== "object" || one === null || !("rate" in one)) continue;
    for (const key of unknownKeys(one, ["rate", "by", "counts"])) {
      add("limit", `${key} is no part of a limit`, "a limit has rate, by and counts");
    }
  }
  for (const { counts } of route.limits) {
    if (counts !== "requests" && counts !== "failures") {
      add("limit", `counts ${String(counts)}, which nobody counts`, "say requests or failures");
    }
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
