import type { GrantEnds } from "../../storage/grants.ts";
import type { Asker } from "../events.ts";
import type { IdClaims, RelyingParty, Tokens } from "./relying-party.ts";

/** Where people sign in. */
export interface SignInAt {
  readonly party: RelyingParty;
  /** Where the issuer is in this process. */
  readonly own?: OwnIssuer;
}

/** What an account is now, whatever it was when it signed in. */
export interface StandingNow {
  readonly roles: readonly string[];
  readonly claims: Pick<IdClaims, "email" | "email_verified">;
}

/** What an issuer in this process adds. */
export interface OwnIssuer {
  /** Who that is now; undefined where the account or what was granted is gone. Throwing refuses. */
  standing(subject: string, accessToken: string): Promise<StandingNow | undefined>;
  /** The session at the issuer that a token was given in, as tokens name it. */
  sessionOf(accessToken: string): string | undefined;
  /** What tokens were given under; it ends with the session that has them. */
  grantOf(tokens: Tokens): Promise<string | null>;
  /** How it ends. */
  readonly grants: GrantEnds;
  /** Signs a person out of everything. */
  endEverything(subject: string, asker: Asker): Promise<void>;
  /** The issuer's own cookie on this host: how its session ends, and the address of whose it is. */
  readonly cookie: {
    readonly name: string;
    readonly end: (value: string) => Promise<unknown>;
    readonly whose: (value: string) => Promise<string | undefined>;
  };
}
