import { isBlank } from "../lib/blank.ts";
import { isByRole } from "../lib/choose-output.ts";
import { pointerSegment } from "../lib/json-pointer.ts";
import { declaresField, idFields, inputProblems, placePointers } from "../lib/schema-problems.ts";
import type { ByRoleOutput, OutputRule } from "../output.ts";
import type { InputPart, PlannedObject, RoutePlan } from "../plan.ts";
import type { ApiConfig } from "../api-config.ts";
import type { AnyResource } from "../resource.ts";
import { isWebhookEvent } from "../webhooks/webhook-event.ts";
import type { Add } from "./add.ts";

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

/** Every place of input is a closed, bounded schema that names what the path has and nothing a gate reads itself. */
export function inputPartProblems(config: ApiConfig, route: RoutePlan, add: Add): void {
  const carriers = config.credentials.flatMap(({ carrier }) => (carrier.in === "header" ? [carrier.header] : []));
  const parts: readonly [string, InputPart | undefined][] = [
    ["input.params", route.params],
    ["input.query", route.query],
    ["input.headers", route.headers],
    ["input.cookies", route.cookies],
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
    const matched = route.params.names;
    for (const name of names)
      if (!matched.includes(name)) add("input.params", `does not match :${name}`, "add the field");
    for (const name of matched) {
      if (!names.includes(name)) add("input.params", `matches ${name}, which the path does not have`, "take it out");
    }
  }
  if (route.cookies !== undefined) cookieProblems(config, route.cookies, add);
  if (route.body?.form === true) formProblems(route.body, route.access.public, add);
  for (const [field, part] of parts) {
    if (part?.form === true && part !== route.body)
      add(field, "is no body, and cannot come as a form", "take form away");
  }
  if (route.body !== undefined && route.method === "GET") add("input.body", "a GET has no body", "use the query");
  for (const name of route.headers?.names ?? []) {
    if (name !== name.toLowerCase())
      add("input.headers", `${name} is not in lower case`, "write header names in lower case");
    if (ownedByGates.has(name.toLowerCase()) || carriers.includes(name.toLowerCase())) {
      const fix = "take it out: handlers are given the caller, and the address as request.address";
      add("input.headers", `hands ${name} to the handler as it was sent`, fix);
    }
  }
}

/** A credential's cookie is read by its gate alone; any other is nobody's who could set it from a sibling host. */
function cookieProblems(config: ApiConfig, cookies: InputPart, add: Add): void {
  const carriers = config.credentials.flatMap(({ carrier }) => (carrier.in === "cookie" ? carrier.cookies : []));
  for (const name of cookies.names) {
    if (carriers.includes(name)) {
      add("input.cookies", `hands the credential ${name} to the handler`, "take it out: handlers are given the caller");
    } else if (!name.startsWith("__Host-")) {
      add("input.cookies", `${name} may be set by any sibling host`, `call it __Host-${name}`);
    }
  }
}

/** A form has one text per name; what cannot be written as one would never be there. */
function formProblems(body: InputPart, isPublic: boolean, add: Add): void {
  if (body.basic !== undefined) {
    const { user, password } = body.basic;
    const fix = 'name two of its texts: { user: "client_id", password: "client_secret" }';
    for (const field of [user, password]) {
      if (!body.names.includes(field)) add("input.body", `has no ${field} for Authorization`, fix);
    }
    if (!isPublic) add("input.body", "takes Authorization, which proves the caller here", "take basic out");
  }
  const { type } = body.json;
  if (type !== undefined && type !== "object") {
    add("input.body", "is no object, and a form is nothing else", "name its fields: form(z.strictObject({ … }))");
    return;
  }
  for (const pointer of placePointers(body.json)) {
    if (pointer.lastIndexOf("/") > 0) {
      add(`input.body${pointer}`, "stands inside another value, which a form cannot say", "take JSON, or flatten it");
    }
  }
}

/** Every id has a rule, wherever it stands: path, query, header or body, at any depth. */
export function idProblems(route: RoutePlan, add: Add): void {
  const consumed = new Set(
    route.objects.map((one) => (one.place === "path" ? one.field : `${one.place}.${one.field}`)),
  );
  const excused = new Set(route.notObjects.map((one) => one.field));
  const ids: string[] = route.segments.flatMap((segment) => ("param" in segment ? [segment.param] : []));
  const places: readonly ["query" | "header" | "cookie" | "body", InputPart | undefined][] = [
    ["query", route.query],
    ["header", route.headers],
    ["cookie", route.cookies],
    ["body", route.body],
  ];
  for (const [place, part] of places) {
    // The ids of an event are its sender's: no rule of ours knows them.
    if (part === undefined || isWebhookEvent(part.schema)) continue;
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
    if (id.startsWith("cookie.")) {
      const fix = `keep it on the server under a random value, or say "${id}": notAnObject("reason")`;
      add("objects", `no rule consumes the id ${id}`, fix);
      continue;
    }
    add(
      "objects",
      `no rule consumes the id ${id}`,
      `say whose it is: objects: { ${name.replace(/Ids?$/, "")}: by("${id}", resource) }, or "${id}": notAnObject("reason")`,
    );
  }
  for (const { field, reason } of route.notObjects) {
    if (isBlank(reason)) add("objects", `${field} is excused without a reason`, "say why it names no object");
    if (!ids.includes(field)) add("objects", `${field} is excused and is no id of this route`, "take it out");
  }
}

const reserved = new Set(["caller", "params", "query", "headers", "cookies", "body", "page", "delivery", "request"]);

/** The objects a route loads: named apart, found where they are said to stand, parents before children. */
export function objectProblems(route: RoutePlan, add: Add): void {
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

/** What only the server sets is taken from nobody: no body schema declares it. */
export function serverSetProblems(route: RoutePlan, add: Add): void {
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
  return "resource" in rule ? [rule.resource] : [];
}
