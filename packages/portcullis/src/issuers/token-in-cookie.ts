import type { Credential } from "../credential.ts";
import { issuedSession, type IssuedSessionOptions } from "../gates/sessions.ts";
import { Refusal } from "../refusal.ts";

/** A cookie that carries a token. */
export interface TokenInCookieOptions
  extends Pick<IssuedSessionOptions, "name" | "cookies" | "dangerouslyUnprefixedCookie"> {
  /** The credential that takes the token itself; all its checks apply. */
  readonly token: Credential;
  /** The token of the cookies that were sent, or the private reason why there is none. */
  readonly read: (cookies: Readonly<Record<string, string>>) => { readonly token: string } | string;
}

/**
 * Accepts an issuer's token where a browser sends it in a cookie. The token is checked as in a header, proved tokens
 * are remembered as there, and because a browser attaches the cookie by itself the csrf gate applies to the caller. A
 * cookie that proves nobody is left where it is: the issuer's own code renews it.
 */
export function tokenInCookie(options: TokenInCookieOptions): Credential {
  const { token, read } = options;
  return issuedSession({
    name: options.name,
    cookies: options.cookies,
    ...(options.dangerouslyUnprefixedCookie !== undefined && {
      dangerouslyUnprefixedCookie: options.dangerouslyUnprefixedCookie,
    }),
    keepBadCookie: true,
    ...(token.issuer !== undefined && { issuer: token.issuer }),
    mapsSubject: token.mapsSubject,
    problems: () => token.problems(),
    describe: () => ({ token: token.describe() }),
    resolver(environment) {
      const verifier = token.build(environment);
      return async (cookies) => {
        const found = read(cookies);
        if (typeof found === "string") return new Refusal("bad-credential", found);
        const caller = verifier.cached(found.token) ?? (await verifier.verify(found.token));
        if (caller instanceof Refusal) return caller;
        const { subject, tenant, scopes, roles, proof } = caller;
        return { subject, tenant, scopes, roles, claims: proof.claims };
      };
    },
  });
}
