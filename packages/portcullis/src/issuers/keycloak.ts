import type { Credential } from "../credential.ts";
import { jwt } from "../gates/jwt.ts";
import { isRecord } from "../lib/compact-jws.ts";
import { jwksUrl } from "../lib/jwks-url.ts";
import type { ProvedClaims } from "../lib/token-claims.ts";
import { addressProblems, refusesBoth, withMore, withoutSlash, type IssuerOptions } from "./issuer-options.ts";

/** Which realm, and which of its tokens are for this API. */
export interface KeycloakOptions extends Omit<IssuerOptions, "rolesFromToken"> {
  /** The realm's address: `https://id.example.com/realms/shop`. */
  readonly realm: string;
  /**
   * This API's client id in the realm; it stands in `aud` once an audience mapper puts it there. Give this, `clients`, or
   * both.
   */
  readonly audience?: string | readonly string[];
  /** Clients whose tokens count, by `azp`. */
  readonly clients?: readonly string[];
  /**
   * Takes roles from the token, as old as it is: those of the realm, or those of one client. Default: none; the policy's
   * resolver says who has which role.
   */
  readonly rolesFromToken?: "realm" | { readonly client: string };
}

/**
 * Accepts a Keycloak realm's access tokens. The realm signs ID, refresh and logout tokens too and says which is which in
 * the claim `typ`: only `Bearer` counts. Throws nothing: a mistake in the options stops the start (`StartRefused`).
 *
 * @see https://www.keycloak.org/securing-apps/oidc-layers
 */
export function keycloak(options: KeycloakOptions): Credential {
  const { realm, audience, clients, rolesFromToken, refuses, ...rest } = options;
  const issuer = withoutSlash(realm);
  const credential = jwt({
    name: "keycloak",
    keys: jwksUrl(`${issuer}/protocol/openid-connect/certs`),
    ...rest,
    issuer,
    ...(audience !== undefined && { audience }),
    ...(clients !== undefined && { authorizedParties: clients }),
    typ: ["JWT", "at+jwt"],
    ...(rolesFromToken !== undefined && { rolesFromToken: (claims) => rolesOf(claims, rolesFromToken) ?? [] }),
    refuses: refusesBoth((claims) => whyNoAccessToken(claims, rolesFromToken), refuses),
  });
  return withMore(credential, () => [
    ...addressProblems("realm", realm, '"https://id.example.com/realms/shop"'),
    ...([audience].flat().includes("account") ? [ACCOUNT] : []),
  ]);
}

function whyNoAccessToken(claims: ProvedClaims, from: RoleSource | undefined): string | undefined {
  if (claims["typ"] !== "Bearer") return "it is no access token";
  return from === undefined || rolesOf(claims, from) !== undefined ? undefined : "its roles are no list of texts";
}

type RoleSource = NonNullable<KeycloakOptions["rolesFromToken"]>;

/** The roles in `realm_access` or in the client's part of `resource_access`; undefined for what is no list of texts. */
function rolesOf(claims: ProvedClaims, from: RoleSource): readonly string[] | undefined {
  const access = from === "realm" ? claims["realm_access"] : own(claims["resource_access"], from.client);
  const roles: unknown = isRecord(access) ? (access["roles"] ?? []) : [];
  return isTexts(roles) ? roles : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function own(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

const ACCOUNT = Object.freeze({
  field: "audience",
  problem: "the audience account stands in every token of the realm",
  fix: "Give this API a client of its own and add an audience mapper for it.",
});
