import type { Caller } from "portcullis";
import type { SignedIn } from "../../storage/accounts.ts";
import type { Accounts } from "../accounts.ts";
import type { Keys } from "../api-keys.ts";
import type { Asker, IdentityEvent } from "../events.ts";
import type { ClientOptions } from "../oauth/clients.ts";
import type { FlowCookies } from "../oauth/flow-cookies.ts";
import type { OwnSessions } from "../oauth/own-sessions.ts";

/** What the account pages need. */
export interface AccountPagesOptions {
  readonly serviceName: string;
  readonly accounts: Accounts;
  readonly sessions: OwnSessions;
  /** Where the app's sign-in begins, which leads back to the app; the account's own where browsers have no sessions. */
  readonly beginsAt: string;
  readonly flowCookies: FlowCookies;
  readonly clients: readonly ClientOptions[];
  /** Undefined where the server takes no API keys. */
  readonly keys: Keys | undefined;
  /** Ends one session of a person's, and whatever would begin it again without a password; the browser with `held` stays. */
  readonly endBrowser: (accountId: string, session: string, held: string | undefined, asker: Asker) => Promise<void>;
  readonly withdraw: (accountId: string, clientId: string, asker: Asker) => Promise<void>;
  /** Applications that may act for a person though none is signed in. */
  readonly allowed: (accountId: string) => Promise<readonly SignedIn[]>;
  /** The session that proved a caller. */
  readonly sessionOf: (caller: Caller) => string | undefined;
  readonly issuer: string;
  readonly tell: (event: IdentityEvent) => void;
}

/** Where the pages are. */
export const accountPaths = {
  account: "/account",
  signIn: "/account/sign-in",
  signOut: "/account/sign-out",
  signUp: "/account/sign-up",
  verify: "/account/verify",
  verifyAgain: "/account/verify-again",
  forgotten: "/account/forgotten",
  reset: "/account/reset",
  email: "/account/email",
  password: "/account/password",
  everywhere: "/account/sign-out-everywhere",
  remove: "/account/delete",
  endBrowser: "/account/end-session",
  endBrowserConfirmed: "/account/end-session/confirmed",
  withdraw: "/account/withdraw",
  withdrawConfirmed: "/account/withdraw/confirmed",
  revokeKey: "/account/revoke-key",
  json: "/account/json",
} as const;
