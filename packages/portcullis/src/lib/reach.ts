import type { Caller } from "../caller.ts";
import type { AnyResource } from "../resource.ts";
import { isPromise } from "./maybe-promise.ts";

/** An object that passed its rule in this request, with the roles the caller holds in it. */
export interface Reached {
  readonly resource: AnyResource;
  /** The id it was loaded by. */
  readonly id: string;
  readonly object: unknown;
  readonly roles: readonly string[];
}

/**
 * The one rule that decides whether a caller reaches an object: tenant AND (owner OR grant OR parent OR shared). It is
 * asked when an object is loaded and again when objects leave. null, undefined and "" equal nothing, so that an object
 * without an owner is nobody's.
 *
 * @param caller  undefined on a public route: then only `shared` objects without a tenant can be reached
 * @param parent  the parent as reached in this request, if it was
 * @returns the caller's roles in the object, possibly none, or undefined where it is out of reach
 */
export function rolesWithin(
  resource: AnyResource,
  object: unknown,
  caller: Caller | undefined,
  parent: Reached | undefined,
): readonly string[] | undefined {
  const { rule } = resource;
  if (!isOfTenant(resource, object, caller)) return undefined;
  let reached = rule.shared !== undefined;
  const roles: string[] = [];
  if (caller !== undefined) {
    const owner = rule.owner?.(object);
    if (isName(owner) ? owner === caller.subject : nothingYet(owner)) roles.push("owner");
    const granted = rule.grant?.(object, caller);
    if (granted !== undefined) {
      // A text would give a role for each of its letters.
      if (!Array.isArray(granted) && !nothingYet(granted)) {
        throw new TypeError(`grant of ${resource.name} answered no list`);
      }
      // `[row.roles[caller.subject]]` of somebody without a role is [undefined], and that is none.
      for (const role of granted) if (isName(role)) roles.push(role);
    }
  }
  if (rule.parent !== undefined) {
    const parentId = rule.parent.id(object);
    // A child whose parent is not the one at hand is out of reach, even for its owner.
    if (!isName(parentId) || parent === undefined || parentId !== parent.id) return undefined;
    reached = true;
    for (const role of parent.roles) roles.push(`${parent.resource.name}:${role}`);
  }
  return reached || roles.length > 0 ? roles : undefined;
}

/** Whether the object belongs to the caller's tenant; true where the resource knows no tenants. */
export function isOfTenant(resource: AnyResource, object: unknown, caller: Caller | undefined): boolean {
  const { rule } = resource;
  if (rule.tenant === undefined) return true;
  const tenant = rule.tenant(object);
  if (!isName(tenant)) return nothingYet(tenant);
  return caller !== undefined && tenant === caller.tenant;
}

/**
 * False, whatever it is: only a text and a list say something. A promise, where no compiler saw the mistake, must not end
 * the process by its rejection either.
 */
function nothingYet(answer: unknown): false {
  if (isPromise(answer)) answer.then(undefined, () => undefined);
  return false;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
