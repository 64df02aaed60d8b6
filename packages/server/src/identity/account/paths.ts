import type { Accounts } from "../accounts.ts";
import type { Keys } from "../api-keys.ts";
import type { IdentityEvent } from "../events.ts";
import type { ClientOptions } from "../oauth/clients.ts";
import type { FlowCookies } from "../oauth/flow-cookies.ts";
import type { OwnSessions } from "../oauth/own-sessions.ts";

/** What the account pages need. */
export interface AccountPagesOptions {
  readonly serviceName: string;
  readonly accounts: Accounts;
  readonly sessions: OwnSessions;
  readonly flowCookies: FlowCookies;
  readonly clients: readonly ClientOptions[];
  /** Undefined where the server takes no API keys. */
  readonly keys: Keys | undefined;
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
  revokeKey: "/account/revoke-key",
  json: "/account/json",
} as const;
