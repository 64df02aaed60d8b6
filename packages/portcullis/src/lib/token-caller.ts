import type { Caller } from "../caller.ts";
import type { ProvedClaims } from "./token-claims.ts";
import { readRoles, readScopes, type GrantSource } from "./token-grants.ts";

/** How a token's claims become a caller. */
export interface CallerMapping {
  /**
   * Who the caller is. Default: `sub`, which is enough for one issuer. `iss-and-sub` joins both with a space, for APIs
   * with several issuers. A function may map; a token it gives no subject for is refused.
   */
  readonly subject?: "iss-and-sub" | ((claims: ProvedClaims) => string | undefined);
  /** The caller's tenant, from the verified claims. Default: none. */
  readonly tenant?: (claims: ProvedClaims) => string | undefined;
  /** Where scopes stand. Default: `scope` (one text with spaces), else `scp`. */
  readonly scopes?: GrantSource;
  /** Takes roles from the token, as old as it is. Default: none; the policy's resolver says who has which role. */
  readonly rolesFromToken?: GrantSource;
}

/**
 * The caller a token with these verified claims proves; frozen.
 *
 * @returns the caller, or a private reason where the claims name nobody or say something unreadable
 * @throws whatever a mapping function throws; that means "could not decide"
 */
export function callerOfToken(claims: ProvedClaims, mapping: CallerMapping): Caller | string {
  const subject = subjectOf(claims, mapping.subject);
  const tenant: unknown = mapping.tenant?.(claims);
  const scopes = readScopes(claims, mapping.scopes);
  const roles = readRoles(claims, mapping.rolesFromToken);
  if (typeof subject !== "string" || subject === "") return "no subject";
  if (typeof tenant !== "string" && tenant !== undefined && tenant !== null) return "tenant is no text";
  if (scopes === undefined) return "scopes are no list of texts";
  if (roles === undefined) return "roles are no list of texts";
  return Object.freeze({
    subject,
    tenant: tenant || undefined,
    scopes,
    roles,
    proof: Object.freeze({ kind: "jwt", issuer: claims.iss, credentialId: claims.jti, ambient: false, claims }),
  });
}

function subjectOf(claims: ProvedClaims, subject: CallerMapping["subject"]): unknown {
  if (subject === undefined) return claims.sub;
  // A configured issuer has no white space in it (see jwt-options.ts), so the first space always ends the issuer.
  return subject === "iss-and-sub" ? `${claims.iss} ${claims.sub}` : subject(claims);
}
