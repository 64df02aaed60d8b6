import type { ProtectionId } from "../checklist.ts";

interface Told {
  readonly protection: ProtectionId;
  /** For people who read records; stands in docs/identity.md. */
  readonly means: string;
}

const told = (protection: ProtectionId, means: string): Told => ({ protection, means });

/**
 * What happens to accounts, sign-ins, permissions, tokens and keys, each with the protection it belongs to: a closed list,
 * for whatever keeps accounts.
 *
 * @see OWASP ASVS 5.0 section 16.3
 */
export const accountEvents = Object.freeze({
  "signed-up": told("sessions", "an account was made"),
  "address-verified": told("sessions", "somebody showed that the account's address is theirs"),
  "address-requested": told("sessions", "somebody who knows the password asked for another address; it is as it was"),
  "address-changed": told("sessions", "by the link mailed to the new one and the password; everything signed in ended"),
  "password-changed": told("sessions", "by whoever knew the old one; everything signed in ended"),
  "password-reset": told("sessions", "by a mailed link; everything signed in ended"),
  "account-disabled": told("sessions", "by the application; everything signed in ended"),
  "account-enabled": told("sessions", "by the application"),
  "account-deleted": told("sessions", "everything signed in ended, keys too"),
  "signed-out-everywhere": told("sessions", "everything signed in ended, on every device"),
  "everything-ended": told("sessions", "by the application: everything of everybody, after an incident"),
  "issuer-session-started": told("sessions", "a password was right at the server's own pages"),
  "issuer-session-ended": told("sessions", "a session at the server's own pages is over: signed out of, or run out"),
  "session-started": told("sessions", "a browser has a session with the app"),
  "session-renewed": told("sessions", "the tokens of a browser's session were renewed"),
  "session-ended": told("sessions", "a browser's session is over; `why` says by what"),
  "sign-in-refused": told("sessions", "a browser came back from the issuer and got no session; `why` says for what"),
  "consent-given": told("oauth", "a person allowed an application what it asked for"),
  "consent-refused": told("oauth", "a person did not"),
  "consent-withdrawn": told("oauth", "what an application was allowed and given was taken back"),
  "authorization-refused": told("oauth", "an application asked for what it may not; `why` is OAuth's error"),
  "code-issued": told("oauth", "an authorization was granted: the application was sent a code"),
  "code-redeemed": told("oauth", "the code was exchanged for tokens"),
  "code-reused": told("oauth", "a code was used twice; all that came of it was taken back"),
  "token-issued": told("oauth", "an application that calls as itself got an access token"),
  "token-refreshed": told("oauth", "a refresh token was exchanged for new tokens"),
  "token-refused": told("oauth", "the token endpoint said no; `why` is OAuth's error"),
  "token-revoked": told("oauth", "an application handed a token in to be revoked"),
  "refresh-replayed": told("oauth", "an answer to a refresh was given again, within its bounds"),
  "refresh-reused": told("oauth", "a used refresh token came again; all that came of the sign-in was taken back"),
  "client-refused": told("oauth", "an application could not prove that it is the one it named"),
  "key-created": told("api-keys", "an API key was made"),
  "key-rotated": told("api-keys", "an API key took the place of another"),
  "key-revoked": told("api-keys", "an API key was revoked"),
} satisfies Readonly<Record<string, Told>>);

/** One of {@link accountEvents}. */
export type AccountEventType = keyof typeof accountEvents;

/** For `api.tell`: what happened, and to whom. */
export interface AccountHappening {
  readonly type: AccountEventType;
  /** Whose account, or which application where it calls as itself; recorded as a keyed hash. Undefined: nobody was proved. */
  readonly subject?: string | undefined;
  /** Id of the OAuth client behind it. */
  readonly client?: string | undefined;
  /** The request behind it, as handlers have it. */
  readonly request?: { readonly id: string; readonly address: string } | undefined;
  /** For people who operate the service; no token, code, secret or e-mail address. */
  readonly reason?: string | undefined;
}
