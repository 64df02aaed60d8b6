import { defaults } from "../defaults.ts";
import { isBlank } from "../lib/blank.ts";
import { isByRole, objectsWithRoles } from "../lib/choose-output.ts";
import type { JsonSchema } from "../lib/json-schema.ts";
import { pageParameters } from "../lib/paging.ts";
import { allowlistProblem } from "../lib/redirect-target.ts";
import { idFields, outputProblems } from "../lib/schema-problems.ts";
import { outputJsonSchema } from "../lib/standard-schema.ts";
import type { ByRoleOutput, EgressOptOut, OutputRule } from "../output.ts";
import type { RoutePlan } from "../plan.ts";
import type { RedirectAllowlist } from "../redirect.ts";
import type { AnyResource } from "../resource.ts";
import type { Add } from "./add.ts";

/** What may leave: closed, bounded schemas by success status, with a reason for every owner left unchecked. */
export function outputRuleProblems(route: RoutePlan, add: Add): void {
  if (route.outputs.length === 0) add("output", "declares no answer", "declare at least one 2xx status");
  for (const { status, rule } of route.outputs) {
    statusProblems(status, rule, add);
    // RFC 9110 sections 15.3.5 and 15.3.6: a length beside such a status leaves client and proxy at odds.
    if ((status === 204 || status === 205) && !("kind" in rule && rule.kind === "nothing")) {
      add(`output.${status}`, "is an answer that has no body", "say nothing, or use another status");
    }
    checkRule(rule, `output.${status}`, route, add);
  }
}

function statusProblems(status: number, rule: OutputRule | ByRoleOutput, add: Add): void {
  const kind = "kind" in rule ? rule.kind : "schema";
  if (kind === "redirect") {
    if (status !== 303 && status !== 302) add(`output.${status}`, "is no status of a redirect", "say 303");
  } else if (kind === "protocol-error" || (kind === "html" && status >= 400)) {
    // Those that `Refusal` has a code for; the others are gates' own.
    if (![400, 401, 403, 404].includes(status)) {
      add(`output.${status}`, "is no refusal a handler declares", "say 400, 401, 403 or 404");
    }
  } else if (!Number.isInteger(status) || status < 200 || status > 299) {
    add("output", `${status} is no success`, "declare 2xx statuses; refusals have their own shape");
  }
}

/** Where browsers are sent is written down, entry by entry. */
function allowlistProblems(allowlist: RedirectAllowlist, field: string, add: Add): void {
  for (const entry of allowlist) {
    const problem = allowlistProblem(entry);
    if (problem === undefined) continue;
    const fix = 'write "/path", "/below/*", "https://host/path", or { reason, allows: (url) => … }';
    add(field, `${typeof entry === "string" ? entry : "an entry"} ${problem}`, fix);
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
    for (const [role, one] of Object.entries(rule.roles)) {
      if ("kind" in one && (one.kind === "redirect" || one.kind === "protocol-error")) {
        add(`${field}.${role}`, "has a status of its own, which roles do not choose", "name it by status: { 303: … }");
      }
      checkRule(one, `${field}.${role}`, route, add);
    }
    return;
  }
  if (!("kind" in rule)) {
    checkSchema(rule, field, add);
    checkOwners(outputJsonSchema(rule), field, add);
    return;
  }
  if (rule.kind === "nothing") return;
  if (rule.kind === "redirect") {
    if (rule.allowlist.length === 0) add(field, "sends browsers nowhere", 'name where to: redirect(["/account"])');
    allowlistProblems(rule.allowlist, field, add);
    return;
  }
  if (rule.kind === "html") {
    if (/<\/style/i.test(rule.style ?? "")) add(field, "has a style sheet that ends early", "take </style> out of it");
    allowlistProblems(rule.navigatesTo, field, add);
    if (route.policy.cache !== undefined) {
      add("cache", "a page holds a nonce, which is good for one answer", "leave it out");
    }
    return;
  }
  checkSchema(rule.schema, field, add);
  if (rule.kind === "protocol-error") {
    if (isBlank(rule.reason)) add(field, "has a shape of its own without a reason", "name the specification");
    return;
  }
  if (rule.kind === "unowned") {
    if (isBlank(rule.reason))
      add(field, "leaves owners unchecked without a reason", "say why: unowned(schema, reason)");
    if (idFields(outputJsonSchema(rule.schema)).length === 0) {
      add(field, "is excused and holds no id", "take unowned away: output: schema");
    }
    return;
  }
  checkOptOut(rule.optOut, rule.resource, field, add);
  if (rule.kind === "list" && route.page === undefined) {
    add("page", "a list without an end", "bound it: page: cursorPages() or pages()");
  }
}

/** An id in a plain value stands for some object, and nobody would ask whose: its row may leave with it. */
function checkOwners(schema: JsonSchema, field: string, add: Add): void {
  for (const pointer of idFields(schema)) {
    add(
      `${field}${pointer}`,
      "is an id, and nothing says whose object it is",
      'say view(Schema, resource) or list(Schema, resource), or unowned(Schema, "reason") where it is nobody\'s',
    );
  }
}

function checkOptOut(optOut: EgressOptOut | undefined, resource: AnyResource, field: string, add: Add): void {
  if (optOut === undefined) return;
  if (optOut.kind === "every-owner" && resource.rule.tenant === undefined && hasTenantAbove(resource)) {
    const fix = `give the resource ${resource.name} its own tenant: in an answer nobody loads its parent`;
    add(field, `lets ${optOut.roles.join(", ")} see ${resource.name} of every tenant`, fix);
  }
  if (isBlank(optOut.reason)) add(field, "leaves owners unchecked without a reason", "say why");
  if (optOut.kind === "every-owner" && optOut.roles.length === 0)
    add(field, "names no role", "name the roles that see every owner");
}

/** Whether one of the objects it stands under knows tenants. Parents in a circle end where they began. */
function hasTenantAbove(resource: AnyResource): boolean {
  const seen = new Set<AnyResource>();
  for (let up = resource.rule.parent?.resource; up !== undefined && !seen.has(up); up = up.rule.parent?.resource) {
    if (up.rule.tenant !== undefined) return true;
    seen.add(up);
  }
  return false;
}

function checkSchema(schema: Parameters<typeof outputJsonSchema>[0], field: string, add: Add): void {
  for (const one of outputProblems(outputJsonSchema(schema))) add(`${field}${one.pointer}`, one.problem, one.fix);
}

function holdsList(rule: OutputRule | ByRoleOutput): boolean {
  if (isByRole(rule)) return Object.values(rule.roles).some(holdsList);
  return "kind" in rule && rule.kind === "list";
}

/** Lists end: a page inside sensible bounds, read by nobody else. */
export function pageProblems(route: RoutePlan, add: Add): void {
  const { page } = route;
  if (page === undefined) return;
  const isList = route.outputs.some(({ rule }) => holdsList(rule));
  if (!isList) add("page", "the output is no list", "say list(Schema, resource)");
  if (
    !(
      Number.isInteger(page.size) &&
      Number.isInteger(page.max) &&
      page.size >= 1 &&
      page.max >= page.size &&
      page.max <= defaults.pageMaxHighest
    )
  ) {
    add("page", "has no sensible bounds", `1 <= size <= max <= ${defaults.pageMaxHighest}`);
  }
  if (
    page.kind === "pages" &&
    !(Number.isInteger(page.maxPage) && page.maxPage >= 1 && page.maxPage <= defaults.pageDepthHighest)
  ) {
    add("page", "has no sensible depth", `write a maxPage from 1 to ${defaults.pageDepthHighest}`);
  }
  const own = route.query?.names ?? [];
  for (const name of pageParameters[page.kind]) {
    if (own.includes(name))
      add("input.query", `declares ${name}, which the page reads itself`, "take it out of the schema");
  }
}
