import type { Exchange } from "../exchange.ts";
import type { RouteGate } from "../gate.ts";
import { intern } from "../lib/intern.ts";
import { Refusal } from "../refusal.ts";

/**
 * Lets a caller use a function only with every scope and one of the roles that the route's policy names (BFLA).
 *
 * @returns step; refuses with `scope-missing` (403, with the scopes in WWW-Authenticate) or `role-missing` (403)
 * @see OWASP API5:2023, RFC 6750 section 3.1 (insufficient_scope), OWASP ASVS 5.0 8.2.1
 */
export const functionAccess: RouteGate = (_api, route) => {
  const scopes = route.access.scopes.map(intern);
  const { roles } = route.access;
  if (route.access.public || (scopes.length === 0 && roles.length === 0)) return undefined;
  const insufficient = ["www-authenticate", `Bearer error="insufficient_scope", scope="${scopes.join(" ")}"`];

  return function requireScopesAndRoles(x) {
    const { caller } = x;
    if (caller === undefined) return new Refusal("no-credential", "no caller at a route that demands one");
    for (const scope of scopes) {
      if (!caller.scopes.includes(scope)) {
        return new Refusal("scope-missing", `lacks ${scope}`, sentBearer(x) ? { headers: insufficient } : {});
      }
    }
    if (roles.length > 0 && !roles.some((role) => caller.roles.includes(role))) {
      return new Refusal("role-missing", `needs one of ${roles.join(", ")}`);
    }
    return undefined;
  };
};

/** Whether the caller came by a Bearer credential: only who did is told in its words what it lacks. */
function sentBearer({ credential }: Exchange): boolean {
  return (
    credential !== undefined &&
    credential !== "unread" &&
    !(credential instanceof Refusal) &&
    credential.verifier.credential.carrier.in === "authorization"
  );
}
