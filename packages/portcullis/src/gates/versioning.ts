import type { ArrivalGate } from "../gate.ts";
import { buildRouter } from "../lib/router.ts";
import { Refusal } from "../refusal.ts";

/**
 * Finds the route, or says so: 404 for a path nobody declared, 405 with Allow for a method the path does not have, 410
 * after a route's sunset. Every one is recorded, so that probing shows. The list of routes is no secret.
 *
 * @returns step; refuses with `route-not-found`, `method-not-allowed`, `route-gone`
 * @see RFC 9110 section 15.5.6 (405 carries Allow), RFC 8594 (Sunset), OWASP API9:2023
 */
export const versioning: ArrivalGate = (api) => {
  const byHeader =
    typeof api.config.version === "object" && "header" in api.config.version ? api.config.version : undefined;
  const header = byHeader?.header.toLowerCase() ?? "";
  const router = buildRouter(api.routes);

  return function findRoute(x) {
    const values: string[] = [];
    const place = router(x.segments, values);
    if (place === undefined) return new Refusal("route-not-found", "no such path");
    if (x.method === "OPTIONS") {
      x.allowedMethods = place.allow;
      return undefined;
    }
    const version = byHeader === undefined ? undefined : (x.headers[header] ?? byHeader.default);
    const candidates = place.routes.get(x.method);
    if (candidates === undefined) {
      return new Refusal("method-not-allowed", `${x.method} on a path without it`, {
        headers: ["allow", place.allow.join(", ")],
      });
    }
    const route =
      version === undefined
        ? candidates[0]
        : candidates.find((candidate) => candidate.isUnversioned || candidate.version === version);
    if (route === undefined) return new Refusal("route-not-found", "no such version");
    x.route = route;
    x.pathValues = values;
    if (route.sunsetMs !== undefined && x.timeMs >= route.sunsetMs) {
      return new Refusal("route-gone", "after its sunset");
    }
    return undefined;
  };
};
