import type { Credential } from "../credential.ts";
import { jwt } from "../gates/jwt.ts";
import { isRecord } from "../lib/compact-jws.ts";
import { jwksUrl } from "../lib/jwks-url.ts";
import type { ProvedClaims } from "../lib/token-claims.ts";
import {
  addressProblems,
  refusesBoth,
  withMore,
  withoutSlash,
  type IssuerCookieOptions,
  type IssuerOptions,
} from "./issuer-options.ts";
import { tokenInCookie } from "./token-in-cookie.ts";

/** Which Clerk instance, and from which of your pages. */
export interface ClerkOptions extends IssuerOptions {
  /** The instance's Frontend API: `https://clerk.example.com`, or `https://name-00.clerk.accounts.dev` in development. */
  readonly issuer: string;
  /**
   * Origins whose tokens count, by `azp`: `["https://app.example.com"]`. A session token has no audience, so this is
   * what keeps a token of a sibling site out.
   */
  readonly authorizedParties: readonly string[];
}

/**
 * Accepts Clerk's session tokens in `Authorization: Bearer`. A session that still has a task to do (`sts: pending`) is
 * signed out, as Clerk itself has it; tokens of a JWT template and of machines are no session tokens and are refused.
 * The active organization is the caller's tenant unless `tenant` says otherwise. Throws nothing: a mistake in the
 * options stops the start (`StartRefused`).
 *
 * @see https://clerk.com/docs/guides/sessions/session-tokens
 */
export function clerk(options: ClerkOptions): Credential {
  const { issuer, authorizedParties, refuses, ...rest } = options;
  const address = withoutSlash(issuer);
  const credential = jwt({
    name: "clerk",
    keys: jwksUrl(`${address}/.well-known/jwks.json`),
    tenant: activeOrganization,
    ...rest,
    issuer: address,
    authorizedParties,
    typ: "JWT",
    refuses: refusesBoth(whyNoSession, refuses),
  });
  return withMore(credential, () => [...addressProblems("issuer", issuer, '"https://clerk.example.com"')]);
}

/**
 * Accepts the `__session` cookie Clerk sets on your own site, by the session token in it; everything {@link clerk} checks
 * is checked. The cookie is neither renewed nor cleared here. The csrf gate applies.
 */
export function clerkCookie(options: ClerkOptions & IssuerCookieOptions): Credential {
  const { cookie = "__session", dangerouslyUnprefixedCookie, ...rest } = options;
  const token = clerk({ name: "clerk-cookie", ...rest });
  return tokenInCookie({
    name: token.name,
    token,
    cookies: [cookie],
    ...(dangerouslyUnprefixedCookie !== undefined && { dangerouslyUnprefixedCookie }),
    read: (cookies) => ({ token: cookies[cookie] ?? "" }),
  });
}

/** Why verified claims are not those of a session in which somebody is signed in. */
function whyNoSession(claims: ProvedClaims): string | undefined {
  const { sid, sts = "active" } = claims;
  if (typeof sid !== "string" || sid === "") return "it is no session token";
  return sts === "active" ? undefined : "its session is not active";
}

/** The organization the session is in: `o.id` in version 2 of Clerk's tokens, `org_id` in version 1. */
function activeOrganization(claims: ProvedClaims): string | undefined {
  const { o, org_id } = claims;
  const id = isRecord(o) ? o["id"] : org_id;
  return typeof id === "string" ? id : undefined;
}
