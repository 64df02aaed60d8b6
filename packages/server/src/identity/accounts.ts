import { randomUUID } from "node:crypto";
import { refuse } from "portcullis";
import type { AccountRow, AccountStore, MailTokenRow, SignedIn } from "../storage/accounts.ts";
import { type AddressChange, createAddressChange } from "./address-change.ts";
import { emailKey, isAddress } from "./addresses.ts";
import type { IsBreached } from "./breached.ts";
import { leansOn, wordsIn } from "./guessable-words.ts";
import type { AccountEvent, Asker } from "./events.ts";
import { plainMail, type SendMail } from "./mail.ts";
import { checkPassword, hashPassword, isCheap, passwordLength } from "./passwords.ts";
import { hashOf, newSecret } from "./secrets.ts";
import { TooBusy } from "./work-queue.ts";

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
export type PasswordProblem = "too-short" | "too-long" | "breached" | "is-address" | "of-service";

/** What accounts need. */
export interface AccountsOptions {
  readonly store: AccountStore;
  readonly sendMail: SendMail;
  /** Whether a password is known from a breach. */
  readonly isBreached: IsBreached;
  /** Words no password may lean on, as `wordsOfService` gives them. */
  readonly guessableWords: readonly string[];
  /** Address of the page a mailed link leads to; gets the purpose and the token. */
  readonly linkTo: (purpose: MailTokenRow["purpose"], token: string) => string;
  readonly serviceName: string;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  readonly onEvent: (event: AccountEvent) => void;
  /** What it was given is taken back already; what else it is signed in with ends now. */
  readonly ended: (accountId: string) => Promise<void>;
  /** Told of API keys that ended because somebody showed for the first time that the address is his. */
  readonly keysEnded: (accountId: string, keys: readonly string[]) => void;
}

/** People who can sign in. Whatever hashes a password rejects with `TooBusy` where too many wait for it already. */
export interface Accounts extends AddressChange {
  /**
   * Makes an account and mails a link that verifies the address. Where the address has one already, its owner is mailed
   * instead, and nobody else learns of it: answer and time are the same.
   */
  signUp(email: string, password: string, asker?: Asker): Promise<PasswordProblem | "no-address" | undefined>;
  /** @returns the account; undefined for an unknown address, a wrong password and a disabled account alike, in the same time */
  authenticate(email: string, password: string): Promise<Account | undefined>;
  find(id: string): Promise<Account | undefined>;
  findByEmail(email: string): Promise<Account | undefined>;
  /** Address that a mailed link confirms; undefined where it confirms none any more. */
  addressToVerify(token: string): Promise<string | undefined>;
  /**
   * Confirms the address for whoever has both the mailed link and the password. With the link alone somebody would confirm
   * an account that a stranger made with his address. A wrong address or password leaves the link usable.
   */
  verifyEmail(
    token: string,
    email: string,
    password: string,
    asker?: Asker,
  ): Promise<"bad-token" | "wrong-password" | undefined>;
  /** Mails a new link that verifies the address, in place of the last. @returns false where there is nothing to verify */
  requestVerification(id: string): Promise<boolean>;
  /** Mails a link that resets the password, where there is such an account; takes the same time where there is none. */
  requestReset(email: string): Promise<void>;
  /** Sets the password and ends everything signed in. A password that is none leaves the token usable. */
  resetPassword(token: string, password: string, asker?: Asker): Promise<PasswordProblem | "bad-token" | undefined>;
  changePassword(
    id: string,
    current: string,
    password: string,
    asker?: Asker,
  ): Promise<PasswordProblem | "wrong-password" | undefined>;
  disable(id: string): Promise<boolean>;
  /** @returns false where there is no such account, or it was not disabled */
  enable(id: string): Promise<boolean>;
  remove(id: string, asker?: Asker): Promise<boolean>;
  /** Ends every session, token and grant of the account. @returns false where there is no such account */
  signOutEverywhere(id: string, asker?: Asker): Promise<boolean>;
  /** Applications and browsers that are signed in as the account; those at this server's own pages are not among them. */
  signedIn(id: string): Promise<readonly SignedIn[]>;
  /** How often everything was ended; tokens carry it. */
  epochOf(id: string): Promise<number>;
}

const verifyForMs = 24 * 3_600_000;
const resetForMs = 30 * 60_000;
/** Wrong passwords are forgotten after a day without another. */
const forgetMs = 24 * 3_600_000;
/** A person who mistypes gives fewer. */
const suspiciousWrong = 5;

/** Makes them. */
export function createAccounts(options: AccountsOptions): Accounts {
  const { store, now } = options;
  const sendMail = plainMail(options.sendMail);

  const accounts: Accounts = {
    ...createAddressChange({
      store,
      authenticate: (email, password) => accounts.authenticate(email, password),
      linkTo: (token) => options.linkTo("email", token),
      serviceName: options.serviceName,
      send,
      tell,
      ended: options.ended,
      now,
    }),
    async signUp(typed, password, asker) {
      const email = typed.trim();
      if (!isAddress(email)) return "no-address";
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
      const token = newSecret();
      const there = await store.insertWithToken(row, (found, isNew) =>
        isNew ? mailed(token, "verify", found) : mailed(token, "reset", usable(found), email),
      );
      if (there.id === row.id) {
        tell("signed-up", there.id, asker);
        mailLink(there, "verify", token, "Confirm your address", [
          `Somebody, hopefully you, signed up at ${options.serviceName} with this address. Please confirm that it is yours, with the password you chose.`,
          "If it was not you, do nothing.",
        ]);
      } else if (usable(there) !== undefined) {
        mailLink(there, "reset", token, "You already have an account", [
          "Somebody, hopefully you, tried to sign up with this address, which has an account already.",
          "If you have forgotten its password, you can reset it; otherwise do nothing.",
        ]);
      }
      return undefined;
    },
    async authenticate(email, password) {
      const row = await store.findByEmailKey(emailKey(email));
      const isRight = await checkPassword(password, row?.password);
      const hash = hashOf(emailKey(email));
      if (!isRight || row === undefined || row.disabled_at !== null) {
        // Counted for nobody, too: a disk that is waited for, or is not, would tell.
        mailWrong(row, await store.countWrong(hash, now(), now() - forgetMs));
        return undefined;
      }
      mailRightAfter(row, await store.forgetWrong(hash, now() - forgetMs));
      if (row.password !== null && isCheap(row.password)) {
        await store.rehash(row.id, await hashPassword(password), row.password);
      }
      return shown(row);
    },
    async find(id) {
      const row = await store.find(id);
      return row === undefined ? undefined : shown(row);
    },
    async findByEmail(email) {
      const row = await store.findByEmailKey(emailKey(email));
      return row === undefined ? undefined : shown(row);
    },
    async addressToVerify(token) {
      return (await store.findToken(hashOf(token), "verify", now()))?.email;
    },
    async verifyEmail(token, email, password, asker) {
      const hash = hashOf(token);
      const id = (await store.findToken(hash, "verify", now()))?.account_id ?? undefined;
      // Before the password: who has no link learns nothing of passwords here.
      if (id === undefined) return "bad-token";
      if ((await accounts.authenticate(email, password))?.id !== id) return "wrong-password";
      const taken = await store.takeToken(hash, "verify", now());
      if (taken === undefined) return "bad-token";
      if (await store.setVerified(id, taken.email, now())) tell("address-verified", id, asker);
      return undefined;
    },
    async requestVerification(id) {
      const row = usable(await store.find(id));
      if (row === undefined || row.verified_at !== null) return false;
      const token = newSecret();
      await store.putToken(mailed(token, "verify", row));
      mailLink(row, "verify", token, "Confirm your address", [
        "Please confirm that this address is yours, with your password.",
      ]);
      return true;
    },
    async requestReset(email) {
      const row = usable(await store.findByEmailKey(emailKey(email)));
      const token = newSecret();
      // Written for nobody, too: a disk that is waited for, or is not, would tell.
      await store.putToken(mailed(token, "reset", row, email));
      if (row === undefined) return;
      mailLink(row, "reset", token, "Reset your password", [
        "Somebody, hopefully you, asked to reset the password of this account.",
        "If it was not you, do nothing: the password stays as it is.",
      ]);
    },
    async resetPassword(token, password, asker) {
      const mailed = await store.findToken(hashOf(token), "reset", now());
      const problem = await problemOf(password, mailed?.email);
      if (problem !== undefined) return problem;
      // Before the token is taken: who is told to come back later can.
      const reset = await store.resetPassword(hashOf(token), await hashPassword(password), now());
      if (reset === undefined) return "bad-token";
      const { id, email, isFirstProof, keys } = reset;
      options.keysEnded(id, keys);
      if (isFirstProof) tell("address-verified", id, asker);
      tell("password-reset", id, asker);
      mailNotice(email, "Your password was reset");
      await options.ended(id);
      return undefined;
    },
    async changePassword(id, current, password, asker) {
      const row = await store.find(id);
      const isRight = await checkPassword(current, row?.password);
      if (!isRight || row === undefined || row.password === null) return "wrong-password";
      const problem = await problemOf(password, row.email);
      if (problem !== undefined) return problem;
      // The one that was checked, and none that was set meanwhile.
      const isSet = await store.setPassword(id, await hashPassword(password), row.password);
      if (!(await ended(id, isSet))) return "wrong-password";
      tell("password-changed", id, asker);
      mailNotice(row.email, "Your password was changed");
      return undefined;
    },
    disable: async (id) => told("account-disabled", id, await ended(id, await store.disable(id, now()))),
    enable: async (id) => told("account-enabled", id, await store.enable(id)),
    remove: async (id, asker) => told("account-deleted", id, await ended(id, await store.remove(id)), asker),
    signOutEverywhere: async (id, asker) =>
      told("signed-out-everywhere", id, await ended(id, await store.endSessions(id)), asker),
    signedIn: (id) => store.signedIn(id, now()),
    async epochOf(id) {
      const row = await store.find(id);
      if (row === undefined) throw new Error("there is no such account");
      return row.epoch;
    },
  };
  return accounts;

  async function ended(id: string, isDone: boolean): Promise<boolean> {
    if (isDone) await options.ended(id);
    return isDone;
  }

  function tell(type: AccountEvent["type"], subject: string, request: Asker | undefined): void {
    options.onEvent({ type, subject, request });
  }

  function told(type: AccountEvent["type"], id: string, isDone: boolean, asker?: Asker): boolean {
    if (isDone) tell(type, id, asker);
    return isDone;
  }

  async function problemOf(password: string, email: string | undefined): Promise<PasswordProblem | undefined> {
    const length = Array.from(password.normalize("NFC")).length;
    if (length < passwordLength.least) return "too-short";
    if (length > passwordLength.most) return "too-long";
    if (leansOn(password, options.guessableWords)) return "of-service";
    if (email !== undefined) {
      const ofBoth = [...options.guessableWords, ...wordsIn(email)];
      if (emailKey(email) === emailKey(password) || leansOn(password, ofBoth)) return "is-address";
    }
    return (await options.isBreached(password)) ? "breached" : undefined;
  }

  /** @param row  undefined keeps a token for an address that opens nothing */
  function mailed(token: string, purpose: "verify" | "reset", row: AccountRow | undefined, email = ""): MailTokenRow {
    return {
      hash: hashOf(token),
      account_id: row?.id ?? null,
      purpose,
      email: row?.email ?? emailKey(email),
      expires_at: now() + (purpose === "verify" ? verifyForMs : resetForMs),
    };
  }

  function mailLink(
    { email: to }: AccountRow,
    purpose: "verify" | "reset",
    token: string,
    subject: string,
    lines: readonly string[],
  ): void {
    const within = purpose === "verify" ? "24 hours" : "30 minutes";
    const link = options.linkTo(purpose, token);
    send(to, subject, `${lines.join("\n")}\n\n${link}\n\nThe link works once, within ${within}.\n`);
  }

  /** @see OWASP ASVS 5.0 6.3.7 */
  function mailNotice(to: string, subject: string): void {
    const text = `${subject}. Everything that was signed in with the old one is signed out.
If it was not you, reset your password now.\n`;
    send(to, subject, text);
  }

  /** At ten wrong passwords, at a hundred, and so on; a day without one begins anew. @see OWASP ASVS 5.0 6.3.5 */
  function mailWrong(row: AccountRow | undefined, count: number): void {
    if (!isConfirmed(row) || !/^10+$/.test(String(count))) return;
    const text = `${count} wrong passwords were given for your account. It is as it was, and nobody was let in.
If that was not you, nothing has to be done as long as your password is used nowhere else.\n`;
    send(row.email, "Wrong passwords for your account", text);
  }

  /** A right password after several wrong ones may have been guessed. @see OWASP ASVS 5.0 6.3.5 */
  function mailRightAfter(row: AccountRow, wrong: number): void {
    if (!isConfirmed(row) || wrong < suspiciousWrong) return;
    const text = `Your password was given, after ${wrong} wrong ones.
If it was not you, reset your password now: everything that is signed in ends with it.\n`;
    send(row.email, "A sign-in after wrong passwords", text);
  }

  /** Nobody waits for it: how long a mail takes would tell whether there is an account. */
  function send(to: string, subject: string, text: string): void {
    // After what is answered now, so that a sender that keeps this thread busy keeps nobody waiting.
    setImmediate(() => {
      void (async () => sendMail({ to, subject: `${subject} (${options.serviceName})`, text }))().catch(
        options.onError,
      );
    });
  }
}

/** The same for handlers: where too many passwords wait to be hashed, the request is refused (503, `overloaded`). */
export function refusingWhenBusy(accounts: Accounts): Accounts {
  const refusing = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw error instanceof TooBusy ? refuse("overloaded", "too many passwords wait to be hashed") : error;
    });
  return {
    ...accounts,
    signUp: (...given) => refusing(accounts.signUp(...given)),
    authenticate: (...given) => refusing(accounts.authenticate(...given)),
    verifyEmail: (...given) => refusing(accounts.verifyEmail(...given)),
    changeAddress: (...given) => refusing(accounts.changeAddress(...given)),
    resetPassword: (...given) => refusing(accounts.resetPassword(...given)),
    changePassword: (...given) => refusing(accounts.changePassword(...given)),
  };
}

/** Who can sign in, at an address that is known to be his. */
function isConfirmed(row: AccountRow | undefined): row is AccountRow {
  return row !== undefined && row.disabled_at === null && row.verified_at !== null;
}

/** Who may have a link that resets the password. */
function usable(row: AccountRow | undefined): AccountRow | undefined {
  return row === undefined || row.disabled_at !== null ? undefined : row;
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
