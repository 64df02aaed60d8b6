import { appOrigin } from "../product/people.ts";
import { type Incoming, problem, type Reply } from "./exchange.ts";
import type { World } from "./world.ts";

/** What browsers of other origins are told. `Vary` stands on every answer, since every answer could differ. */
export function corsHeaders({ headers }: Incoming, { mutant }: World): Record<string, string> {
  const { origin } = headers;
  const vary = mutant("cors-no-vary") ? {} : { vary: "Origin" };
  if (mutant("cors-star")) {
    return { ...vary, "access-control-allow-origin": "*", "access-control-allow-credentials": "true" };
  }
  if (origin === undefined || !isAllowed(origin, mutant)) return vary;
  return { ...vary, "access-control-allow-origin": origin, "access-control-allow-credentials": "true" };
}

/**
 * Answers OPTIONS: a preflight, or the question which methods there are.
 *
 * @param methods  of the path
 */
export function answerOptions(incoming: Incoming, world: World, methods: readonly string[]): Reply {
  const allow = methods.join(", ");
  const asked = incoming.headers["access-control-request-method"];
  if (asked === undefined) return { status: 204, headers: { allow } };
  const isPossible = corsHeaders(incoming, world)["access-control-allow-origin"] !== undefined;
  if (!isPossible) return problem(403);
  const every = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE";
  return {
    status: 204,
    headers: {
      "access-control-allow-methods": world.mutant("cors-methods") ? every : allow,
      "access-control-allow-headers": "authorization, content-type, x-api-key, idempotency-key",
      "access-control-max-age": "7200",
    },
  };
}

function isAllowed(origin: string, mutant: World["mutant"]): boolean {
  if (origin === appOrigin || mutant("cors-reflects")) return true;
  if (mutant("cors-null") && origin === "null") return true;
  if (mutant("cors-suffix") && origin.endsWith("app.projects.example")) return true;
  return mutant("cors-prefix") && origin.startsWith(appOrigin);
}
