/**
 * Presets for tokens and sessions that come from elsewhere; each is a thin layer over `jwt()` and `session()`.
 *
 * @packageDocumentation
 */
export { auth0 } from "./auth0.ts";
export type { Auth0Options } from "./auth0.ts";
export { authJs, authJsDatabase } from "./auth-js.ts";
export type { AuthJsDatabaseOptions, AuthJsFound, AuthJsOptions } from "./auth-js.ts";
export { betterAuth, betterAuthTokens } from "./better-auth.ts";
export type { BetterAuthOptions, BetterAuthSession, BetterAuthTokensOptions } from "./better-auth.ts";
export { clerk, clerkCookie } from "./clerk.ts";
export type { ClerkOptions } from "./clerk.ts";
export type { FoundSubject } from "./found-subject.ts";
export type { IssuerCookieOptions, IssuerOptions } from "./issuer-options.ts";
export { keycloak } from "./keycloak.ts";
export type { KeycloakOptions } from "./keycloak.ts";
export { supabase, supabaseCookie } from "./supabase.ts";
export type { SupabaseOptions } from "./supabase.ts";
