import type { Problem } from "../environment.ts";
import { isBlank } from "../lib/blank.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import type { AnyResource, ResourceRule } from "../resource.ts";
import type { Add } from "./add.ts";
import type { Written } from "./shapes.ts";
import { isObject, isTexts, shown } from "./shapes.ts";

/** What one resource's rule leaves out, or says in a way that nobody could ask. */
export function resourceProblems(resource: AnyResource, resources: readonly AnyResource[]): readonly Problem[] {
  const name: unknown = resource.name;
  const rule: Written = { ...resource.rule };
  const where = `resource ${typeof name === "string" ? name : shown(name)}`;
  const found: Problem[] = [];
  const add: Add = (field, text, fix) => found.push({ where, field, problem: text, fix });
  if (typeof name !== "string" || !/^[A-Za-z][A-Za-z0-9]*$/.test(name)) {
    add("name", "is no name", "use letters and digits, beginning with a letter");
  }
  for (const key of unknownKeys(rule, ruleKeys)) add(key, "is no part of a rule", `a rule has ${ruleKeys.join(", ")}`);
  if (typeof rule["load"] !== "function") add("load", "is missing", "say how one is loaded by its id");
  for (const [part, example] of Object.entries(functions)) {
    const value = rule[part];
    if (value !== undefined && typeof value !== "function") {
      add(part, `${shown(value)} is no function`, `say how it is read: ${part}: ${example}`);
    }
  }
  const { shared, parent, serverSet } = rule;
  if (shared !== undefined && isBlank(shared)) {
    add("shared", "has no reason", 'say why everybody may see it: shared: "published for everybody"');
  }
  if (serverSet !== undefined && !isTexts(serverSet)) {
    add("serverSet", `${shown(serverSet)} is no list of fields`, 'write serverSet: ["id", "ownerId"]');
  }
  if (parent !== undefined) {
    const fix = "write parent: { resource: project, id: (comment) => comment.projectId }";
    if (!isObject(parent) || typeof parent["id"] !== "function") add("parent", "does not say which one it is", fix);
    const mistake = isObject(parent) ? resourceMistake(parent["resource"], resources) : undefined;
    if (mistake !== undefined) add("parent", mistake.problem, mistake.fix);
    if (isObject(parent)) {
      for (const key of unknownKeys(parent, ["resource", "id"])) add(`parent.${key}`, "is nothing it has", fix);
    }
  }
  const isReachable = ["owner", "grant", "shared", "parent"].some((part) => rule[part] !== undefined);
  if (!isReachable) add("owner", "nobody could reach it", "say owner, grant, parent, or shared with a reason");
  return found;
}

/**
 * Why something is no resource whose rule this API asks. One that was declared again under the same name is none either:
 * the manifest shows the later rule, and the earlier would decide.
 */
export function resourceMistake(
  value: unknown,
  resources: readonly AnyResource[],
): { readonly problem: string; readonly fix: string } | undefined {
  if (resources.some((resource) => resource === value)) return undefined;
  const fix = "name what api.resource returned";
  if (!isObject(value) || typeof value["name"] !== "string") return { problem: "names no resource", fix };
  const { name } = value;
  return resources.some((resource) => resource.name === name)
    ? { problem: `uses a resource ${name} that was declared a second time`, fix: "declare each resource once" }
    : { problem: `uses a resource ${name} that is not declared with this API`, fix };
}

const ruleKeys = [
  "load",
  "tenant",
  "owner",
  "grant",
  "shared",
  "parent",
  "serverSet",
] as const satisfies readonly (keyof ResourceRule<unknown>)[];

const functions = {
  tenant: "(project) => project.tenantId",
  owner: "(project) => project.ownerId",
  grant: "(project, caller) => project.rolesOf(caller.subject)",
} as const;
