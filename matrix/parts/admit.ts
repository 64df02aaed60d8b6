import { appOrigin } from "../product/people.ts";
import type { Caller, Operation } from "../product/operation.ts";
import { scopes } from "../product/schemas.ts";
import { type Incoming, problem, type Reply } from "./exchange.ts";
import { rates } from "./limiter.ts";
import type { World } from "./world.ts";

/** Everything that is decided before a body is read: who calls, whether a page of somebody else does, how often, with which rights. */
export function admit(operation: Operation, incoming: Incoming, world: World): { caller: Caller } | { reply: Reply } {
  const { mutant } = world;
  const caller = callerOf(incoming, world);
  if (caller === "bad") return { reply: unauthorized };
  const isOpen = operation.access !== "caller" || isForgotten(operation, incoming, world);
  if (caller === undefined && !isOpen) return { reply: unauthorized };
  const isByCookie = caller?.via === "cookie" && operation.method !== "GET";
  if ((isByCookie || operation.startsSession === true) && isForeignPage(incoming, isByCookie, world)) {
    return { reply: problem(403) };
  }
  const wait = count(operation, incoming, caller, world);
  if (wait > 0) return { reply: problem(429, mutant("no-retry-after") ? {} : { "retry-after": String(wait) }) };
  if (caller !== undefined && !mayCall(operation, incoming, caller, world)) return { reply: problem(403) };
  return { caller: caller ?? nobody };
}

const nobody: Caller = { subject: "", tenant: "", scopes: [], via: "token" };
const unauthorized = problem(401, { "www-authenticate": "Bearer" });

/** `bad` where a credential was sent that is none. A cookie that is none counts as absent, or nobody could sign in again. */
function callerOf(incoming: Incoming, world: World): Caller | "bad" | undefined {
  const { headers, query } = incoming;
  const { mutant } = world;
  const { authorization } = headers;
  const key = headers["x-api-key"] ?? (mutant("key-in-query") ? (query.get("api_key") ?? undefined) : undefined);
  if (authorization !== undefined && key !== undefined && !mutant("two-credentials")) return "bad";
  const token =
    tokenIn(authorization, mutant) ?? (mutant("token-in-query") ? (query.get("access_token") ?? undefined) : undefined);
  if (token !== undefined) {
    const claims = world.tokens.verify(token);
    if (claims === undefined || isDisabled(claims.sub, world)) return "bad";
    return { subject: claims.sub, tenant: claims.tid, scopes: claims.scope.split(" "), via: "token" };
  }
  if (authorization !== undefined) return "bad";
  if (key !== undefined) {
    const row = world.keys.verify(key);
    if (row === undefined || isDisabled(row.userId, world)) return "bad";
    const granted = mutant("key-scope") ? scopes : row.scopes;
    return { subject: row.userId, tenant: tenantOf(row.userId, world), scopes: granted, via: "key" };
  }
  const userId = headers["x-user-id"];
  if (mutant("user-id-header") && userId !== undefined && world.data.users.has(userId)) {
    return { subject: userId, tenant: tenantOf(userId, world), scopes, via: "token" };
  }
  const cookie = world.cookieOf(incoming);
  const subject = cookie === undefined ? undefined : world.sessions.resolve(cookie);
  if (cookie === undefined || subject === undefined || isDisabled(subject, world)) return undefined;
  return { subject, tenant: tenantOf(subject, world), scopes, via: "cookie", sessionId: cookie };
}

function tokenIn(authorization: string | undefined, mutant: World["mutant"]): string | undefined {
  if (authorization === undefined) return undefined;
  if (mutant("any-scheme")) return authorization.split(" ")[1];
  if (mutant("bare-token")) return authorization.replace("Bearer ", "");
  return /^Bearer ([\w.~+/=-]+)$/i.exec(authorization)?.[1];
}

function isForgotten({ path, method }: Operation, incoming: Incoming, { mutant }: World): boolean {
  if (mutant("route-without-auth") && path === "/v1/reports/summary") return true;
  if (mutant("write-without-auth") && path === "/v1/previews") return true;
  return (
    mutant("auth-by-path-prefix") &&
    method === "GET" &&
    path === "/v1/reports/summary" &&
    !incoming.path.startsWith("/v1/reports")
  );
}

/** Sec-Fetch-Site first, then Origin; without either, a cookie alone writes nothing. */
function isForeignPage({ headers }: Incoming, isByCookie: boolean, { mutant }: World): boolean {
  if (mutant("no-csrf")) return false;
  if (mutant("csrf-forms-only") && !(headers["content-type"] ?? "").startsWith("application/x-www-form")) return false;
  const { origin, host } = headers;
  if (mutant("csrf-prefix") && origin !== undefined) return !origin.startsWith(`https://${host?.split(":")[0]}`);
  const site = headers["sec-fetch-site"];
  if (origin !== undefined && origin === appOrigin) return false;
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  if (origin !== undefined) return origin !== `https://${host}`;
  return isByCookie;
}

function count(
  operation: Operation,
  incoming: Incoming,
  caller: Caller | undefined,
  { mutant, limiter }: World,
): number {
  if (mutant("head-not-counted") && incoming.method === "HEAD") return 0;
  const name = `${operation.method} ${operation.path}`;
  if (operation.rate === "signIn") {
    if (mutant("sign-in-unlimited")) return 0;
    const forwarded = mutant("limit-by-forwarded-for") ? incoming.headers["x-forwarded-for"] : undefined;
    return limiter.take(`${name} ${forwarded ?? incoming.address}`, rates.signIn);
  }
  if (mutant("no-limit") && operation.access === "caller") return 0;
  const who = caller?.subject ?? incoming.address;
  if (mutant("fixed-window")) return limiter.takeFixed(`${name} ${who}`, { limit: 200, windowMs: 5000 });
  return limiter.take(`${name} ${who} ${mutant("limit-by-spelling") ? incoming.target : ""}`, rates[operation.rate]);
}

function mayCall(
  { role, scope, path }: Operation,
  { headers, query }: Incoming,
  caller: Caller,
  { data, mutant }: World,
): boolean {
  if (scope !== undefined && !caller.scopes.includes(scope)) return false;
  if (role === undefined || data.users.get(caller.subject)?.role === role) return true;
  if (mutant("admin-read") && path === "/v1/admin/users") return true;
  if (mutant("admin-write") && path.endsWith("/disable")) return true;
  if (mutant("admin-by-header") && headers["x-role"] === "admin") return true;
  return mutant("admin-by-query") && query.get("admin") === "true";
}

function isDisabled(subject: string, { data }: World): boolean {
  return data.users.get(subject)?.disabled !== false;
}

function tenantOf(subject: string, { data }: World): string {
  return data.users.get(subject)?.tenantId ?? "";
}
