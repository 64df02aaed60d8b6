import type { Problem } from "../environment.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import type { DeclaredRoute } from "../plan.ts";
import type { AnyResource } from "../resource.ts";
import type { Add } from "./add.ts";
import { outputShape } from "./output-shape.ts";
import { resourceMistake } from "./resource.ts";
import type { Written } from "./shapes.ts";
import { isObject, isSchema, isTexts, shown } from "./shapes.ts";

/**
 * What a program without types can leave out or write as something else. Nothing else of a policy can be looked at
 * before each member is what its type says: a text where a list belongs would be read letter by letter.
 */
export function routeShapeProblems(declared: DeclaredRoute, resources: readonly AnyResource[]): readonly Problem[] {
  const policy: Written = { ...declared.policy };
  const where = typeof policy["path"] === "string" ? policy["path"] : "api.route";
  const found: Problem[] = [];
  const add: Add = (field, text, fix) => found.push({ where, field, problem: text, fix });
  if (typeof policy["path"] !== "string") add("path", "is no text", 'write method and path: "GET /v1/projects/:id"');
  if (!declared.hasHandler) {
    add("handler", "there is no handler", "give api.route a function beside the policy: api.route(policy, handler)");
  }
  accessShape(policy["access"], add);
  inputShape(policy["input"], add);
  objectsShape(policy["objects"], resources, add);
  outputShape(policy["output"], resources, add);
  limitShape(policy["limit"], add);
  otherShapes(policy, add);
  return found;
}

function accessShape(access: unknown, add: Add): void {
  const fix = 'say { scopes }, { roles }, { objectRole }, anyCaller or publicAccess("reason")';
  if (!isObject(access)) {
    add("access", access === undefined ? "nobody decided who may call it" : `${shown(access)} is no access`, fix);
    return;
  }
  for (const name of ["scopes", "roles"]) {
    const value = access[name];
    if (value !== undefined && !isTexts(value)) {
      add(`access.${name}`, `${shown(value)} is no list of texts`, `write a list: ${name}: ["…"]`);
    }
  }
  const { objectRole, any } = access;
  const isRoles = (value: unknown): boolean => typeof value === "string" || isTexts(value);
  const isByName = isObject(objectRole) && Object.values(objectRole).every(isTexts);
  if (objectRole !== undefined && !isRoles(objectRole) && !isByName) {
    add("access.objectRole", `${shown(objectRole)} names no roles`, 'write ["owner"], or { project: ["owner"] }');
  }
  if ("any" in access && any !== true) {
    add("access.any", `${shown(any)} decides nothing`, "say anyCaller, or name what is demanded");
  }
  if (any === true && ["scopes", "roles", "objectRole"].some((name) => access[name] !== undefined)) {
    add("access.any", "stands beside a demand, and only one of the two can be meant", "take one of them out");
  }
}

function inputShape(input: unknown, add: Add): void {
  if (input === undefined) return;
  const fix = "name places by their schemas: input: { params, query, headers, cookies, body }";
  if (!isObject(input)) {
    add("input", `${shown(input)} is no input`, fix);
    return;
  }
  for (const key of unknownKeys(input, places)) add(`input.${key}`, "is no place of input", fix);
  for (const place of places) {
    if (input[place] !== undefined && !isSchema(input[place])) {
      add(`input.${place}`, `${shown(input[place])} is no schema`, "write a closed schema: z.strictObject({ … })");
    }
  }
}

const places = ["params", "query", "headers", "cookies", "body"];

function objectsShape(objects: unknown, resources: readonly AnyResource[], add: Add): void {
  if (objects === undefined) return;
  if (!isObject(objects)) {
    add("objects", `${shown(objects)} names no objects`, 'write objects: { project: by("id", project) }');
    return;
  }
  for (const [name, rule] of Object.entries(objects)) {
    const at = `objects.${name}`;
    if (isObject(rule) && rule["kind"] === "not-an-object") continue;
    if (!isObject(rule) || (rule["kind"] !== "by" && rule["kind"] !== "by-each")) {
      add(
        at,
        `${shown(rule)} is no rule`,
        'say by("id", resource), byEach("body.ids", resource) or notAnObject("reason")',
      );
      continue;
    }
    if (typeof rule["field"] !== "string" || rule["field"] === "") {
      add(at, "names no field", 'name the place of the id: by("id", resource), by("body.projectId", resource)');
    }
    const mistake = resourceMistake(rule["resource"], resources);
    if (mistake !== undefined) add(at, mistake.problem, mistake.fix);
  }
}

function limitShape(limit: unknown, add: Add): void {
  if (limit === undefined || typeof limit === "string") return;
  for (const one of Array.isArray(limit) ? limit : [limit]) {
    const isLimit = isObject(one) && ("rate" in one || (!Array.isArray(limit) && "windowMs" in one));
    if (!isLimit) {
      add("limit", `${shown(one)} is no limit`, 'write "60/min", { rate: "5/min", by: "address" }, or a list of those');
      continue;
    }
    for (const name of ["by", "counts", "sharedAs"]) {
      if (one[name] !== undefined && typeof one[name] !== "string") {
        add(`limit.${name}`, `${shown(one[name])} is no text`, 'write by: "caller", counts: "requests"');
      }
    }
  }
}

function otherShapes(policy: Written, add: Add): void {
  const { page, startsSession, deprecated } = policy;
  if (page !== undefined && !(isObject(page) && (page["kind"] === "cursor" || page["kind"] === "pages"))) {
    add("page", `${shown(page)} is no page`, "say cursorPages() or pages()");
  }
  const account = isObject(startsSession) ? startsSession["account"] : undefined;
  const namesAccount = typeof account === "string" && account.startsWith("body.");
  const begunBy = isObject(startsSession) ? startsSession["begunBy"] : undefined;
  const begun = Array.isArray(begunBy) ? begunBy : [begunBy];
  const namesCookie = begun.length > 0 && begun.every(isCookie) && account === undefined;
  if (startsSession !== undefined && startsSession !== true && namesAccount === namesCookie) {
    const fix = 'say true, { account: "body.email" } or { begunBy: "cookies.__Host-sign-in" }, or leave it out';
    add("startsSession", `${shown(startsSession)} does not say what is started`, fix);
  }
  if (isObject(startsSession)) known("startsSession", startsSession, ["account", "begunBy"], add);
  if (deprecated !== undefined && !(isObject(deprecated) && isDate(deprecated["since"]))) {
    add("deprecated", `${shown(deprecated)} does not say since when`, 'write { since: "2026-01-31" }');
  }
  if (isObject(deprecated)) {
    known("deprecated", deprecated, ["since", "sunset", "link"], add);
    if (deprecated["sunset"] !== undefined && !isDate(deprecated["sunset"])) {
      add("deprecated.sunset", `${shown(deprecated["sunset"])} is no date`, "write 2026-06-30");
    }
    text("deprecated.link", deprecated["link"], add);
  }
  versionShape(policy["version"], add);
  text("cache", policy["cache"], add);
}

function versionShape(version: unknown, add: Add): void {
  if (!isObject(version)) return text("version", version, add);
  known("version", version, ["none"], add);
  const { none } = version;
  if (typeof none !== "string" || none.trim() === "") {
    add("version.none", "has no reason", "say why this route has no version");
  }
}

function isCookie(name: unknown): boolean {
  return typeof name === "string" && name.startsWith("cookies.");
}

function known(field: string, value: Written, names: readonly string[], add: Add): void {
  for (const key of unknownKeys(value, names))
    add(`${field}.${key}`, "is nothing it has", `it has ${names.join(", ")}`);
}

function text(field: string, value: unknown, add: Add): void {
  if (value !== undefined && typeof value !== "string") add(field, `${shown(value)} is no text`, "write a text");
}

function isDate(value: unknown): boolean {
  return typeof value === "string" || value instanceof Date;
}
