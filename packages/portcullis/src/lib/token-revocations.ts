import type { MaybePromise } from "./maybe-promise.ts";
import type { ProvedClaims } from "./token-claims.ts";

/**
 * Takes back tokens before they expire: a deny list by `jti`, a not-before per subject, whatever the application keeps.
 *
 * @see OWASP ASVS 5.0 section 7.4.1
 */
export interface TokenRevocations {
  /**
   * A number that changes, after the fact is stored, whenever any token was revoked, also by another instance. Asked at
   * every use of a cached token, so it has to answer at once, from memory.
   */
  generation(): number;
  /** Whether a token with these verified claims was taken back. Throwing refuses the request with 503. */
  isRevoked(claims: ProvedClaims): MaybePromise<boolean>;
}
