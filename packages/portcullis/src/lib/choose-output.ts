import type { Exchange } from "../exchange.ts";
import type { ByRoleOutput, OutputRule } from "../output.ts";
import type { RoutePlan } from "../plan.ts";

/**
 * The output rule for what the handler answered: by its status, then by the caller's roles, those in the route's
 * objects before those of the caller. Undefined where the status is not declared.
 */
export function chooseOutput(route: RoutePlan, x: Exchange): OutputRule | undefined {
  const declared = route.outputs.find((output) => output.status === x.status)?.rule;
  return declared === undefined || !isByRole(declared) ? declared : forRole(declared, x);
}

/** Whether an output depends on roles. */
export function isByRole(rule: OutputRule | ByRoleOutput): rule is ByRoleOutput {
  return "kind" in rule && rule.kind === "by-role";
}

function forRole(rule: ByRoleOutput, x: Exchange): OutputRule | undefined {
  const held = new Set(x.caller?.roles);
  for (const name in x.reached) for (const role of x.reached[name]?.roles ?? []) held.add(role);
  for (const [role, output] of Object.entries(rule.roles)) if (held.has(role)) return output;
  return rule.roles["otherwise"];
}
