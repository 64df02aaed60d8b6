import type { AnyResource } from "../resource.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import type { Add } from "./add.ts";
import { resourceMistake } from "./resource.ts";
import type { Written } from "./shapes.ts";
import { isObject, isSchema, isTexts, shown } from "./shapes.ts";

/** Whether an output is one of those there are, with everything it needs; by status and by role too. */
export function outputShape(output: unknown, resources: readonly AnyResource[], add: Add): void {
  if (output === undefined || output === null) {
    add("output", "nobody decided what leaves", outputFix);
    return;
  }
  if (!isObject(output) || isSchema(output) || "kind" in output) {
    ruleShape("output", output, resources, add);
    return;
  }
  for (const [status, rule] of Object.entries(output)) {
    if (/^\d{3}$/.test(status)) ruleShape(`output.${status}`, rule, resources, add);
    else add("output", `${shown(status)} is no status`, `write { 200: …, 201: … }, or ${outputFix}`);
  }
}

const outputFix = "say view(Schema, resource), list(Schema, resource), a schema, or nothing";

function ruleShape(field: string, rule: unknown, resources: readonly AnyResource[], add: Add, isForRole = false): void {
  if (isSchema(rule)) return;
  const kind = isObject(rule) ? rule["kind"] : undefined;
  if (!isObject(rule) || (kind === "by-role" && isForRole)) {
    add(field, `${isObject(rule) ? "byRole within byRole" : shown(rule)} is no output`, outputFix);
    return;
  }
  if (kind === "nothing") return;
  if (kind === "html" || kind === "redirect") {
    const list = rule[kind === "html" ? "navigatesTo" : "allowlist"];
    if (!Array.isArray(list)) add(field, `${shown(list)} is no list of addresses`, 'write a list: ["/account"]');
    if (kind === "html" && rule["style"] !== undefined && typeof rule["style"] !== "string") {
      add(field, `style is ${shown(rule["style"])}`, "write CSS as a text");
    }
    return;
  }
  if (kind === "by-role") {
    if (!isObject(rule["roles"])) add(field, "names no roles", "say byRole({ admin: …, otherwise: … })");
    else
      for (const [role, one] of Object.entries(rule["roles"])) ruleShape(`${field}.${role}`, one, resources, add, true);
    return;
  }
  if (kind !== "view" && kind !== "list" && kind !== "unowned" && kind !== "protocol-error") {
    add(field, "is no output", outputFix);
    return;
  }
  if (!isSchema(rule["schema"]))
    add(field, `${shown(rule["schema"])} is no schema`, "declare what leaves: z.object({ … })");
  if (kind === "unowned" || kind === "protocol-error") return;
  const mistake = resourceMistake(rule["resource"], resources);
  if (mistake !== undefined) add(field, mistake.problem, `${kind}(Schema, resource): ${mistake.fix}`);
  if (rule["at"] !== undefined && typeof rule["at"] !== "function") {
    add(field, `at is ${shown(rule["at"])}`, "write a function: at: (answer) => answer.items");
  }
  if (rule["optOut"] !== undefined) optOutShape(field, rule["optOut"], add);
}

function optOutShape(field: string, optOut: unknown, add: Add): void {
  const isOne = (value: unknown): value is Written => isObject(value) && value["kind"] === "shared";
  if (isOne(optOut)) return;
  if (!isObject(optOut) || optOut["kind"] !== "every-owner") {
    add(field, `owners is ${shown(optOut)}`, 'say shared("reason") or everyOwner({ roles, reason })');
    return;
  }
  if (!isTexts(optOut["roles"])) add(field, "everyOwner has no list of roles", 'write roles: ["admin"]');
  for (const key of unknownKeys(optOut, ["kind", "roles", "reason"]))
    add(field, `everyOwner has no ${key}`, "take it out");
}
