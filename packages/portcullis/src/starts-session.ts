/**
 * How a route comes to sign somebody in. By a GET only where it ends what was begun in the same browser: whoever follows a
 * stranger's link to it has no cookie of a sign-in under way, and gets no session.
 */
export type StartsSession =
  | true
  | { /** Input field that names the account. */ readonly account: `body.${string}` }
  | {
      /**
       * Cookie of the input that the first step of the sign-in set; without it no session cookie leaves. Several where a
       * browser may have several sign-ins under way: one of them has to be there.
       */
      readonly begunBy: `cookies.${string}` | readonly `cookies.${string}`[];
    };

/** The input field that names the account. */
export function accountOf(starts: StartsSession | undefined): `body.${string}` | undefined {
  return typeof starts === "object" && "account" in starts ? starts.account : undefined;
}

/** The cookies of which one has to be there before anybody is signed in; undefined where none has to. */
export function begunByOf(starts: StartsSession | undefined): readonly string[] | undefined {
  if (typeof starts !== "object" || !("begunBy" in starts)) return undefined;
  return [starts.begunBy].flat().map((cookie) => cookie.slice("cookies.".length));
}
