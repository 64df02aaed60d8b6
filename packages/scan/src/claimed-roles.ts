import { cookieClaims, headerClaims, queryClaims, tryClaims } from "./claims.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Header, Identity } from "./identities.ts";
import { isLimited, sameSignature } from "./oracle.ts";
import { held, inconclusive, limitedWhy, notApplicable, type Outcome } from "./probe.ts";
import { withCredential } from "./requests.ts";

/** Headers by which a gateway, a console or a test says what somebody may do. `*` stands for the role. */
const headers: readonly Header[] = [
  ...[
    "x-role",
    "x-roles",
    "x-user-role",
    "x-user-roles",
    "x-auth-role",
    "x-auth-roles",
    "x-forwarded-role",
    "x-forwarded-roles",
    "x-forwarded-groups",
    "x-remote-groups",
    "x-groups",
    "x-permissions",
    "x-user-type",
    "x-hasura-role",
    "role",
  ].map((name): Header => [name, "*"]),
  ...["x-admin", "x-is-admin", "x-isadmin", "x-superuser", "x-internal", "x-debug"].map(
    (name): Header => [name, "true"],
  ),
];

/** Query parameters that do the same. */
const query: readonly Header[] = [
  ["admin", "true"],
  ["admin", "1"],
  ["isAdmin", "true"],
  ["is_admin", "true"],
  ["role", "*"],
  ["user_role", "*"],
  ["superuser", "true"],
];

const cookies: readonly Header[] = [
  ["role", "*"],
  ["user_role", "*"],
  ["admin", "true"],
  ["isAdmin", "true"],
  ["is_admin", "1"],
];

/**
 * Whether a caller who is refused gets in by saying what he is: a role in a header, in a query parameter or in a cookie.
 *
 * @param positive  the answer to somebody who has the role
 * @param caller    somebody without it, who is refused
 * @param role      the role's name
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function claimedRole(
  context: ProbeContext,
  positive: Trial,
  caller: Identity,
  role: string,
): Promise<Outcome> {
  const plain = { ...withCredential(positive.outgoing, caller.header, caller.name), as: caller };
  const refused = await context.send("negative", plain);
  if (isLimited(refused.answer)) return inconclusive(limitedWhy(refused.answer), [refused]);
  if (sameSignature(refused.answer, positive.answer)) return notApplicable(`${caller.name} gets in anyway.`);
  const named = (pairs: readonly Header[]) =>
    pairs.map(([name, value]): Header => [name, value === "*" ? role : value]);
  const trials: Trial[] = [refused];
  for (const claims of [
    headerClaims(plain, named(headers)),
    queryClaims(plain, named(query)),
    cookieClaims(plain, named(cookies)),
  ]) {
    const found = await tryClaims(context, claims, {
      positive,
      negatives: [refused],
      broken: (what) => `${caller.name} gets the role ${role} by claiming it (${what})`,
    });
    if (found.believed !== undefined) return found.believed;
    trials.push(...found.trials);
  }
  return held("a role named in a header, the query or a cookie gives nothing", trials);
}
