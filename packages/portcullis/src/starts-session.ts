/**
 * How a route comes to sign somebody in. By a GET only where it ends what was begun in the same browser: whoever follows a
 * stranger's link to it has no cookie of a sign-in under way, and gets no session.
 */
export type StartsSession =
  | true
  | { /** Input field that names the account. */ readonly account: `body.${string}` }
  | {
      /** Cookie of the input that the first step of the sign-in set; without it no session cookie leaves. */
      readonly begunBy: `cookies.${string}`;
    };

/** The input field that names the account. */
export function accountOf(starts: StartsSession | undefined): `body.${string}` | undefined {
  return typeof starts === "object" && "account" in starts ? starts.account : undefined;
}

/** The cookie without which nobody is signed in. */
export function begunByOf(starts: StartsSession | undefined): string | undefined {
  return typeof starts === "object" && "begunBy" in starts ? starts.begunBy.slice("cookies.".length) : undefined;
}
