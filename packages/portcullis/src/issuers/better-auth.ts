import type { Credential } from "../credential.ts";
import { jwt } from "../gates/jwt.ts";
import { issuedSession } from "../gates/sessions.ts";
import { jwksUrl } from "../lib/jwks-url.ts";
import { Refusal } from "../refusal.ts";
import { issuerNameProblems, subjectOf, type FoundSubject } from "./found-subject.ts";
import {
  addressProblems,
  withMore,
  withoutSlash,
  type IssuerCookieOptions,
  type IssuerOptions,
} from "./issuer-options.ts";

/** What Better Auth says of a session, as far as it is looked at here. */
export interface BetterAuthSession {
  readonly session: { readonly id: string; readonly userId: string; readonly expiresAt: Date };
  readonly user: { readonly id: string };
}

/** Your Better Auth instance. */
export interface BetterAuthOptions<Found extends BetterAuthSession> extends IssuerCookieOptions {
  /** What `betterAuth({ … })` returned; asked by shape. */
  readonly auth: {
    readonly api: {
      getSession(input: {
        headers: Headers;
        query: { disableCookieCache: true; disableRefresh: true };
      }): Promise<Found | null>;
    };
  };
  /** Default: the user's id. */
  readonly subject?: FoundSubject<Found>;
  /** The user's tenant, such as the active organization. Default: none. */
  readonly tenant?: (found: Found) => string | null | undefined;
  /** Distinct among an API's credentials; also the issuer its subjects are told apart by. Default `better-auth`. */
  readonly name?: string;
}

/** The cookie Better Auth sets over https. */
export const betterAuthCookie = "__Secure-better-auth.session_token";

/**
 * Accepts Better Auth's session cookie. The instance itself is asked on every request and its cookie cache is passed
 * over, so that a session that was revoked is over at once. The session is not renewed here and the cookie not cleared.
 * The csrf gate applies.
 *
 * @see https://www.better-auth.com/docs/concepts/session-management
 */
export function betterAuth<Found extends BetterAuthSession>(options: BetterAuthOptions<Found>): Credential {
  const {
    auth,
    cookie = betterAuthCookie,
    name = "better-auth",
    dangerouslyUnprefixedCookie,
    subject,
    tenant,
  } = options;
  return issuedSession({
    name,
    issuer: name,
    cookies: [cookie],
    keepBadCookie: true,
    mapsSubject: subject !== undefined,
    problems: () => issuerNameProblems(name),
    ...(dangerouslyUnprefixedCookie !== undefined && { dangerouslyUnprefixedCookie }),
    resolver: (environment) => async (cookies) => {
      const headers = new Headers({ cookie: `${cookie}=${cookies[cookie] ?? ""}` });
      const query = { disableCookieCache: true, disableRefresh: true } as const;
      const found = await auth.api.getSession({ headers, query });
      if (found === null) return null;
      const { session, user } = found;
      // A date that is none compares as false and must not count as the future.
      if (!(new Date(session.expiresAt).getTime() > environment.clock.now())) return refused("expired");
      if (session.userId !== user.id) return refused("the session is another user's");
      // The token of the session is what its cookie proves; handlers get none of it.
      const { id, userId, expiresAt } = session;
      const who = subjectOf(subject, name, user.id, found);
      if (who === undefined) return refused("no subject");
      return { subject: who, tenant: tenant?.(found), claims: { user, session: { id, userId, expiresAt } } };
    },
  });
}

/** Whose tokens: an app with Better Auth's JWT plugin. */
export interface BetterAuthTokensOptions extends IssuerOptions {
  /** The app's `baseURL`: `https://app.example.com`. */
  readonly baseUrl: string;
  /** `jwt.audience` of the plugin. Default: `baseUrl`, which is what the plugin writes where nothing else is said. */
  readonly audience?: string | readonly string[];
  /** `jwt.issuer` of the plugin. Default: `baseUrl`. */
  readonly issuer?: string;
}

/**
 * Accepts the tokens of Better Auth's JWT plugin in `Authorization: Bearer`. The plugin writes no `typ`, so a token
 * without one counts here as a plain JWT; the manifest says so. Access tokens the same keys signed for OAuth clients
 * are `at+jwt` and are refused. Throws nothing: a mistake in the options stops the start (`StartRefused`).
 *
 * @see https://www.better-auth.com/docs/plugins/jwt
 */
export function betterAuthTokens(options: BetterAuthTokensOptions): Credential {
  const { baseUrl, ...rest } = options;
  const address = withoutSlash(baseUrl);
  const credential = jwt({
    name: "better-auth-tokens",
    keys: jwksUrl(`${address}/api/auth/jwks`),
    issuer: address,
    audience: address,
    ...rest,
    typ: "JWT",
    dangerouslyUntypedTokens: "Better Auth's JWT plugin writes no typ",
  });
  return withMore(credential, () => [...addressProblems("baseUrl", baseUrl, '"https://app.example.com"')]);
}

function refused(reason: string): Refusal {
  return new Refusal("bad-credential", reason);
}
