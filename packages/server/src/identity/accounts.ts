import { randomUUID } from "node:crypto";
import type { AccountRow, AccountStore } from "../storage/accounts.ts";
import type { SendMail } from "./mail.ts";
import { checkPassword, hashPassword } from "./passwords.ts";
import { hashOf, newSecret } from "./secrets.ts";

/** An account as the application sees it; never its password. Times are Unix milliseconds. */
export interface Account {
  /** UUID; the subject of every credential. */
  readonly id: string;
  /** As it was typed. */
  readonly email: string;
  readonly isVerified: boolean;
  readonly isDisabled: boolean;
  readonly roles: readonly string[];
  readonly createdAt: number;
  /** How often everything that was signed in was ended. */
  readonly epoch: number;
}

/** Why a new password is none. */
export type PasswordProblem = "too-short" | "too-long" | "breached" | "is-address";

/** What accounts need. */
export interface AccountsOptions {
  readonly store: AccountStore;
  readonly sendMail: SendMail;
  /** Whether a password is known from a breach. */
  readonly isBreached: (password: string) => boolean | Promise<boolean>;
  /** Address of the page a mailed link leads to; gets the purpose and the token. */
  readonly linkTo: (purpose: "verify" | "reset", token: string) => string;
  readonly serviceName: string;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  /** Everything that was signed in as this account, in that epoch or before, ends now. */
  readonly ended: (accountId: string, epoch: number) => Promise<void>;
}

/** People who can sign in. */
export interface Accounts {
  /**
   * Makes an account and mails a link that verifies the address. Where the address has one already, its owner is mailed
   * instead, and nobody else learns of it.
   */
  signUp(email: string, password: string): Promise<PasswordProblem | undefined>;
  /** @returns the account; undefined for an unknown address, a wrong password and a disabled account alike, in the same time */
  authenticate(email: string, password: string): Promise<Account | undefined>;
  find(id: string): Promise<Account | undefined>;
  findByEmail(email: string): Promise<Account | undefined>;
  verifyEmail(token: string): Promise<boolean>;
  /** Mails a link that resets the password, where there is such an account. */
  requestReset(email: string): Promise<void>;
  resetPassword(token: string, password: string): Promise<PasswordProblem | "bad-token" | undefined>;
  changePassword(
    id: string,
    current: string,
    password: string,
  ): Promise<PasswordProblem | "wrong-password" | undefined>;
  disable(id: string): Promise<boolean>;
  enable(id: string): Promise<boolean>;
  remove(id: string): Promise<boolean>;
  /** Ends every session, token and grant of the account. @returns false where there is no such account */
  signOutEverywhere(id: string): Promise<boolean>;
  /** How often that happened; tokens carry it. */
  epochOf(id: string): Promise<number>;
}

const verifyForMs = 24 * 3_600_000;
const resetForMs = 30 * 60_000;

/** Makes them. */
export function createAccounts(options: AccountsOptions): Accounts {
  const { store, now } = options;

  const accounts: Accounts = {
    async signUp(email, password) {
      const problem = await problemOf(password, email);
      if (problem !== undefined) return problem;
      const row: AccountRow = {
        id: randomUUID(),
        email,
        email_key: emailKey(email),
        password: await hashPassword(password),
        roles: "[]",
        created_at: now(),
        verified_at: null,
        disabled_at: null,
        epoch: 0,
      };
      const isNew = await store.insert(row);
      const known = isNew ? row : await store.findByEmailKey(row.email_key);
      if (known !== undefined) await mailAfterSignUp(known, isNew);
      return undefined;
    },
    async authenticate(email, password) {
      const row = await store.findByEmailKey(emailKey(email));
      const isRight = await checkPassword(password, row?.password);
      return isRight && row !== undefined && row.disabled_at === null ? shown(row) : undefined;
    },
    async find(id) {
      const row = await store.find(id);
      return row === undefined ? undefined : shown(row);
    },
    async findByEmail(email) {
      const row = await store.findByEmailKey(emailKey(email));
      return row === undefined ? undefined : shown(row);
    },
    async verifyEmail(token) {
      const taken = await store.takeToken(hashOf(token), "verify", now());
      if (taken === undefined) return false;
      await store.setVerified(taken.account_id, taken.email, now());
      return true;
    },
    async requestReset(email) {
      const row = await store.findByEmailKey(emailKey(email));
      if (row === undefined || row.disabled_at !== null) return;
      await mailToken(row, "reset", resetForMs, "Reset your password", [
        "Somebody, hopefully you, asked to reset the password of this account.",
        "If it was not you, do nothing: the password stays as it is.",
      ]);
    },
    async resetPassword(token, password) {
      const problem = await problemOf(password, undefined);
      if (problem !== undefined) return problem;
      const taken = await store.takeToken(hashOf(token), "reset", now());
      if (taken === undefined) return "bad-token";
      const epoch = await store.setPassword(taken.account_id, await hashPassword(password));
      // Who reads the mailbox has shown that the address is his.
      await store.setVerified(taken.account_id, taken.email, now());
      await ended(taken.account_id, epoch);
      return undefined;
    },
    async changePassword(id, current, password) {
      const row = await store.find(id);
      if (!(await checkPassword(current, row?.password)) || row === undefined) return "wrong-password";
      const problem = await problemOf(password, row.email);
      if (problem !== undefined) return problem;
      await ended(id, await store.setPassword(id, await hashPassword(password)));
      return undefined;
    },
    disable: async (id) => ended(id, await store.disable(id, now())),
    enable: (id) => store.enable(id),
    remove: async (id) => ended(id, await store.remove(id)),
    signOutEverywhere: async (id) => ended(id, await store.endSessions(id)),
    async epochOf(id) {
      const row = await store.find(id);
      if (row === undefined) throw new Error("there is no such account");
      return row.epoch;
    },
  };
  return accounts;

  async function ended(id: string, epoch: number | undefined): Promise<boolean> {
    if (epoch !== undefined) await options.ended(id, epoch);
    return epoch !== undefined;
  }

  async function problemOf(password: string, email: string | undefined): Promise<PasswordProblem | undefined> {
    const length = Array.from(password.normalize("NFC")).length;
    if (length < passwordLength.least) return "too-short";
    if (length > passwordLength.most) return "too-long";
    if (email !== undefined && emailKey(email) === password.normalize("NFC").toLowerCase()) return "is-address";
    return (await options.isBreached(password)) ? "breached" : undefined;
  }

  async function mailAfterSignUp(row: AccountRow, isNew: boolean): Promise<void> {
    if (isNew) {
      return mailToken(row, "verify", verifyForMs, "Confirm your address", [
        "Welcome. Please confirm that this address is yours.",
      ]);
    }
    return mailToken(row, "reset", resetForMs, "You already have an account", [
      "Somebody, hopefully you, tried to sign up with this address, which has an account already.",
      "If you have forgotten its password, you can reset it; otherwise do nothing.",
    ]);
  }

  async function mailToken(
    row: AccountRow,
    purpose: "verify" | "reset",
    forMs: number,
    subject: string,
    lines: readonly string[],
  ): Promise<void> {
    const token = newSecret();
    await store.putToken({
      hash: hashOf(token),
      account_id: row.id,
      purpose,
      email: row.email,
      expires_at: now() + forMs,
    });
    const minutes = forMs / 60_000;
    const within = minutes >= 120 ? `${minutes / 60} hours` : `${minutes} minutes`;
    const text = `${lines.join("\n")}\n\n${options.linkTo(purpose, token)}\n\nThe link works once, within ${within}.\n`;
    // Nobody waits for it: how long a mail takes would tell whether there is an account.
    void Promise.resolve()
      .then(() => options.sendMail({ to: row.email, subject: `${subject} (${options.serviceName})`, text }))
      .catch(options.onError);
  }
}

/** Characters of a password. @see OWASP ASVS 5.0 6.2.1 and 6.2.9 */
export const passwordLength = { least: 12, most: 128 } as const;

/** The form addresses are compared in: NFC, case-folded, without blanks around. */
export function emailKey(email: string): string {
  return email.normalize("NFC").trim().toLowerCase();
}

function shown(row: AccountRow): Account {
  const roles: unknown = JSON.parse(row.roles);
  return Object.freeze({
    id: row.id,
    email: row.email,
    isVerified: row.verified_at !== null,
    isDisabled: row.disabled_at !== null,
    roles: Object.freeze(Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : []),
    createdAt: row.created_at,
    epoch: row.epoch,
  });
}
