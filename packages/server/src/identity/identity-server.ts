import type { Api, Credential } from "portcullis";
import type { Accounts } from "./accounts.ts";
import type { Keys } from "./api-keys.ts";
import type { BrowserSessions } from "./browser-sessions/browser-sessions.ts";
import type { Asker } from "./events.ts";

/** Accounts, OAuth and sessions behind one API. */
export interface Identity {
  readonly accounts: Accounts;
  /** For `createApi({ credentials })`: the access tokens this server issues for that resource. */
  tokensFor(resource: string): Credential;
  /** Sessions of browsers, as `browserSessions` of the options has them. @throws Error where it has none */
  sessions(): BrowserSessions;
  /** API keys, as `keys` of the options has them. @throws Error where it has none */
  keys(): Keys;
  /** For `createApi({ origins })`: where the pages of the clients come from that ask for tokens in the browser. */
  readonly origins: readonly string[];
  /** Declares its routes on an API; each goes through the gates as any other does. */
  mount(api: Api): void;
  /** Takes back everything a person allowed an application, and what it was given. */
  withdraw(accountId: string, clientId: string, asker?: Asker): Promise<void>;
  /**
   * Ends everything of everybody, after an incident: access tokens, refresh tokens, sessions, permissions. Accounts,
   * passwords and API keys stay. For 30 s after it no new access token is accepted either, so that no instance whose clock
   * is that much ahead leaves one alive.
   *
   * @throws Error where not all of it is done; do it again
   */
  endEverything(): Promise<void>;
  /**
   * What it does by itself every minute: sees keys that other instances added, adds one where one is due, and takes out
   * what ran out. Resolves when it is done.
   */
  upkeep(): Promise<void>;
  /** Ends its timers and connections; the storage stays open. */
  close(): Promise<void>;
}
