import type { Credential } from "../credential.ts";
import { isBlank } from "../lib/blank.ts";
import { unknownKeys } from "../lib/unknown-keys.ts";
import type { RoutePlan } from "../plan.ts";
import type { ApiConfig } from "../api-config.ts";
import type { Add } from "./add.ts";

/** Who may call the route: a decision that demands something, of somebody who can have it. */
export function accessProblems(config: ApiConfig, route: RoutePlan, add: Add): void {
  const { access: plan } = route;
  // Its sender is the only caller; see webhookProblems.
  if (route.webhook !== undefined) return;
  const known = plan.public ? ["kind", "reason"] : ["scopes", "roles", "objectRole", "any"];
  for (const key of unknownKeys(route.policy.access, known)) {
    add("access", `${key} is no demand`, 'say scopes, roles, objectRole, anyCaller or publicAccess("reason")');
  }
  for (const scope of plan.scopes) {
    if (scopeToken.test(scope)) continue;
    add(
      "access.scopes",
      `${JSON.stringify(scope)} is no scope`,
      'use visible ASCII without blanks, " and \\ (RFC 6749)',
    );
  }
  if (plan.public) {
    if (isBlank(plan.reason)) add("access", "is public without a reason", "say why: publicAccess(reason)");
  } else {
    const demands = plan.scopes.length + plan.roles.length + plan.objectRole.size;
    if (demands === 0 && !("any" in route.policy.access))
      add("access", "demands nothing", "say anyCaller if every caller may call it");
    if (config.credentials.length === 0) {
      add(
        "access",
        "needs a caller and the API accepts no credential",
        "give createApi credentials, or say publicAccess(reason)",
      );
    }
    if (plan.roles.length > 0 && config.roles === undefined && !config.credentials.some(givesRoles)) {
      add(
        "access.roles",
        "nothing says which roles a caller has",
        "give createApi a roles function, or the credential rolesFromToken",
      );
    }
  }
  for (const [name, roles] of plan.objectRole) {
    const object = route.objects.find((one) => one.name === name);
    if (object === undefined || object.each)
      add("access.objectRole", `names no object of this route (${name})`, "name one of its objects");
    if (roles.length === 0) add("access.objectRole", "names no role", "name at least one, such as owner");
  }
  if (plan.public && route.policy.cache !== undefined && route.method !== "GET") {
    add("cache", "only a GET may be kept", "leave it out");
  }
  if (plan.public && route.policy.cache !== undefined && route.cookies !== undefined) {
    add("cache", "an answer that a cookie decides may not be kept", "leave it out");
  }
  if (!plan.public && route.policy.cache !== undefined) {
    add("cache", "an answer for one caller may not be kept", "leave it out");
  }
  if (route.policy.cache !== undefined && !/^[\x20-\x7e]+$/.test(route.policy.cache)) {
    add("cache", `${JSON.stringify(route.policy.cache)} is no Cache-Control`, "write such as public, max-age=60");
  }
  sessionProblems(route, add);
}

function sessionProblems(route: RoutePlan, add: Add): void {
  const { startsSession, method, accountField, begunBy, body, limits } = route;
  const cookies = route.cookies?.names ?? [];
  const missing = begunBy?.find((one) => !cookies.includes(one));
  if (missing !== undefined) {
    add(
      "startsSession",
      `the input has no cookie ${missing}`,
      "name the cookie that the first step of the sign-in set",
    );
  } else if (startsSession && method === "GET" && begunBy === undefined) {
    add("startsSession", "a GET can be sent by any link", 'use POST, or say { begunBy: "cookies.__Host-…" }');
  }
  if (accountField === undefined) return;
  if (body?.names.includes(accountField) !== true) {
    add("startsSession", `the body has no ${accountField}`, "name the field of the body that names the account");
  } else if (!limits.some(({ by, field, isPerAddress }) => by === "field" && field === accountField && !isPerAddress)) {
    const fix = `leave limit out, or say signIn("body.${accountField}") or a rate by "body.${accountField}"`;
    add("limit", "lets one account be guessed without end, from many addresses", fix);
  }
}

/** @see RFC 6749 section 3.3: it stands between quotes in WWW-Authenticate */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Tokens where the options say so; a session's own check says who the caller is, roles included. */
function givesRoles(credential: Credential): boolean {
  return credential.describe()["rolesFromToken"] === true || credential.protection === "sessions";
}
