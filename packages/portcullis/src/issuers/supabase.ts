import type { Credential } from "../credential.ts";
import { jwt } from "../gates/jwt.ts";
import { decodeBase64url, isCanonicalBase64url } from "../lib/base64url.ts";
import { isRecord } from "../lib/compact-jws.ts";
import { jwksUrl } from "../lib/jwks-url.ts";
import { secret } from "../lib/jwt-keys.ts";
import { readJson } from "../lib/read-json.ts";
import type { ProvedClaims } from "../lib/token-claims.ts";
import { Unreadable } from "../lib/unreadable.ts";
import { chunkNames, joinChunks } from "./cookie-chunks.ts";
import {
  addressProblems,
  emptyList,
  emptyReason,
  refusesBoth,
  withMore,
  withoutSlash,
  type IssuerCookieOptions,
  type IssuerOptions,
} from "./issuer-options.ts";
import { tokenInCookie } from "./token-in-cookie.ts";

/** Whose users, and which of them. */
export interface SupabaseOptions extends IssuerOptions {
  /** The project's address: `https://abcdefghijklmnopqrst.supabase.co`, your custom domain, or your own host. */
  readonly project: string;
  /**
   * The project's JWT secret, for projects that still sign with HS256. Default: the project's public keys, which is what
   * new projects have and what cannot be used to sign.
   */
  readonly legacySecret?: string;
  /** OAuth clients of the project whose tokens count too, by `client_id`. Default: none, only the project's own apps. */
  readonly oauthClients?: readonly string[];
  /** Why users who signed in anonymously count as callers: anybody can become as many of them as he likes. */
  readonly dangerouslyAnonymousUsers?: string;
}

/**
 * Accepts the access tokens of a Supabase project's users in `Authorization: Bearer`. The anon, publishable and
 * service_role keys are no users and are refused, and so are tokens of another project and of OAuth clients that are not
 * listed. `role: authenticated` is a role of the database and none of your application's: it is not read.
 * Throws nothing: a mistake in the options stops the start (`StartRefused`).
 *
 * @see https://supabase.com/docs/guides/auth/jwt-fields
 */
export function supabase(options: SupabaseOptions): Credential {
  const { project, legacySecret, oauthClients = [], dangerouslyAnonymousUsers, refuses, ...rest } = options;
  const issuer = `${withoutSlash(project)}/auth/v1`;
  const clients: ReadonlySet<unknown> = new Set(oauthClients);
  const credential = jwt({
    name: "supabase",
    keys: legacySecret === undefined ? jwksUrl(`${issuer}/.well-known/jwks.json`) : secret(legacySecret),
    ...rest,
    issuer,
    audience: "authenticated",
    typ: "JWT",
    refuses: refusesBoth((claims) => whyNoUser(claims, clients, dangerouslyAnonymousUsers !== undefined), refuses),
  });
  return withMore(
    credential,
    () => [
      ...addressProblems("project", project, '"https://abcdefghijklmnopqrst.supabase.co"'),
      ...emptyReason("dangerouslyAnonymousUsers", dangerouslyAnonymousUsers),
      ...emptyList("oauthClients", options.oauthClients),
    ],
    {
      ...(clients.size > 0 && { oauthClients: [...oauthClients] }),
      ...(dangerouslyAnonymousUsers !== undefined && { dangerouslyAnonymousUsers }),
    },
  );
}

/**
 * Accepts the session cookie that `@supabase/ssr` sets, by the access token in it; everything {@link supabase} checks is
 * checked. The cookie is neither renewed nor cleared here: your pages' Supabase client does that. The csrf gate applies.
 *
 * @see https://supabase.com/docs/guides/auth/server-side
 */
export function supabaseCookie(options: SupabaseOptions & IssuerCookieOptions): Credential {
  const { cookie = `sb-${referenceOf(options.project)}-auth-token`, dangerouslyUnprefixedCookie, ...rest } = options;
  const token = supabase({ name: "supabase-cookie", ...rest });
  return tokenInCookie({
    name: token.name,
    token,
    cookies: chunkNames(cookie),
    ...(dangerouslyUnprefixedCookie !== undefined && { dangerouslyUnprefixedCookie }),
    read: (cookies) => readSession(cookie, cookies),
  });
}

/** Why verified claims are not those of a user who signed in to one of the project's own apps. */
function whyNoUser(claims: ProvedClaims, clients: ReadonlySet<unknown>, anonymousToo: boolean): string | undefined {
  if (claims["role"] !== "authenticated") return "its role is not authenticated";
  const anonymous = claims["is_anonymous"] ?? false;
  if (anonymous !== false && !(anonymous === true && anonymousToo)) return "its user is anonymous";
  const client = claims["client_id"];
  return client === undefined || clients.has(client) ? undefined : "it was given to an OAuth client that is not listed";
}

/** The access token of the session that stands in the cookie as JSON, base64url, perhaps in pieces. */
function readSession(name: string, cookies: Readonly<Record<string, string>>): { readonly token: string } | string {
  const joined = joinChunks(name, cookies);
  if (typeof joined === "string") return joined;
  const { value } = joined;
  const encoded = value.slice(PREFIX.length);
  if (!value.startsWith(PREFIX) || !isCanonicalBase64url(encoded)) return "the cookie is not base64url";
  const session = readJson(decodeBase64url(encoded), SESSION_LIMITS);
  if (session instanceof Unreadable) return `the cookie holds no JSON: ${session.reason}`;
  const token = isRecord(session) ? session["access_token"] : undefined;
  return typeof token === "string" && token !== "" ? { token } : "the cookie holds no access token";
}

/** What supabase-js calls a project: the first part of its host name. */
function referenceOf(project: string): string {
  return URL.canParse(project) ? (new URL(project).hostname.split(".")[0] ?? "") : "";
}

const PREFIX = "base64-";
const SESSION_LIMITS = Object.freeze({ maxDepth: 12, maxKeys: 1_000 });
