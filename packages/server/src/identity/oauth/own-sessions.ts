import type { Provider } from "oidc-provider";
import type { CookieToSet } from "portcullis";
import type { GrantStore } from "../../storage/grants.ts";
import type { Account, Accounts } from "../accounts.ts";
import { cookieNames, epochContext } from "./provider.ts";

/** Who is signed in at this server itself: the session that applications' sign-ins go through, too. */
export interface OwnSessions {
  /** @param cookie  of the input; undefined, and whatever opens nothing any more, is nobody */
  accountOf(cookie: string | undefined): Promise<Account | undefined>;
  /** Whether the password was given in it within the last ten minutes. @see OWASP ASVS 5.0 7.5.2 */
  isProvedLately(cookie: string | undefined): Promise<boolean>;
  /**
   * Begins one with a new id. The one the browser had ends, or, where it is the same person's, goes on under the new id:
   * what was given in it still ends with it, and what began in it still names it.
   */
  start(account: Account, instead: string | undefined): Promise<CookieToSet>;
  /** Ends it, with what applications were given in it. */
  end(cookie: string | undefined): Promise<CookieToSet>;
}

/** What they take; lifetimes in seconds. */
export interface OwnSessionsOptions {
  readonly provider: () => Provider;
  readonly accounts: Pick<Accounts, "find">;
  readonly endSession: GrantStore["endSession"];
  /** Takes a session out by its uid, and what is under way with it; what was given in it stays. */
  readonly leave: (accountId: string, uid: string) => Promise<unknown>;
  readonly idle: number;
  readonly absolute: number;
  readonly now: () => number;
}

const provedForMs = 10 * 60_000;

/** @see OWASP ASVS 5.0 7.2.4 (a new id at every sign-in), 7.3.1 and 7.3.2 (lifetimes) */
export function createOwnSessions({
  provider,
  accounts,
  endSession,
  leave,
  idle,
  absolute,
  now,
}: OwnSessionsOptions): OwnSessions {
  const find = async (cookie: string | undefined) =>
    cookie === undefined ? undefined : provider().Session.find(cookie);

  return {
    async accountOf(cookie) {
      const session = await find(cookie);
      if (session?.accountId === undefined) return undefined;
      const since = session.loginTs ?? 0;
      if (now() >= (since + absolute) * 1000) return undefined;
      const account = await accounts.find(session.accountId);
      const isOver = account === undefined || account.isDisabled || session.acr !== epochContext(account.epoch);
      return isOver ? undefined : account;
    },
    async isProvedLately(cookie) {
      const since = ((await find(cookie))?.loginTs ?? 0) * 1000;
      return now() - since < provedForMs;
    },
    async start(account, instead) {
      const acr = epochContext(account.epoch);
      const before = await find(instead);
      const isSame = before?.accountId === account.id && before.acr === acr;
      if (isSame) before.resetIdentifier();
      else if (before?.accountId !== undefined) await leave(before.accountId, before.uid);
      const session = isSame ? before : new (provider().Session)();
      session.loginAccount({
        accountId: account.id,
        acr,
        amr: ["pwd"],
        loginTs: Math.floor(now() / 1000),
        transient: true,
      });
      await session.save(Math.min(idle, absolute));
      // Without an age: it ends with the browser.
      return { name: cookieNames.session, value: session.jti, sameSite: "Lax" };
    },
    async end(cookie) {
      const session = await find(cookie);
      if (session !== undefined) {
        const grantIds = Object.values(session.authorizations ?? {}).flatMap(({ grantId }) => grantId ?? []);
        await endSession({ id: session.jti, uid: session.uid, grantIds });
      }
      return { name: cookieNames.session, value: "", maxAgeSeconds: 0, sameSite: "Lax" };
    },
  };
}
