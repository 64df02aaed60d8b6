import type { Exchange } from "../exchange.ts";
import type { ByRoleOutput, OutputRule } from "../output.ts";
import type { PlannedObject, RoutePlan } from "../plan.ts";

/**
 * The output rule for what the handler answered: by its status, then by the caller's roles and those in the route's
 * innermost object. Undefined where the status is not declared.
 */
export function chooseOutput(route: RoutePlan, x: Exchange): OutputRule | undefined {
  const declared = route.outputs.find((output) => output.status === x.status)?.rule;
  return declared === undefined || !isByRole(declared) ? declared : forRole(route, declared, x);
}

/** Whether an output depends on roles. */
export function isByRole(rule: OutputRule | ByRoleOutput): rule is ByRoleOutput {
  return "kind" in rule && rule.kind === "by-role";
}

/** The single objects of a route in which a caller can have roles; where a view depends on roles, each stands within the last. */
export function objectsWithRoles(route: RoutePlan): readonly PlannedObject[] {
  return route.objects.filter(({ each, resource: { rule } }) => {
    const givesRoles = rule.owner !== undefined || rule.grant !== undefined || rule.parent !== undefined;
    return !each && givesRoles;
  });
}

function forRole(route: RoutePlan, rule: ByRoleOutput, x: Exchange): OutputRule | undefined {
  const held = new Set(x.caller?.roles);
  // Of the innermost alone: who owns some other object named in the same request owns nothing of this one.
  const innermost = objectsWithRoles(route).at(-1);
  if (innermost !== undefined) for (const role of x.reached[innermost.name]?.roles ?? []) held.add(role);
  for (const [role, output] of Object.entries(rule.roles)) if (held.has(role)) return output;
  return rule.roles["otherwise"];
}
