import type { AccountRow, AccountStore } from "../storage/accounts.ts";
import { emailKey, isAddress } from "./addresses.ts";
import type { AccountEvent, Asker } from "./events.ts";
import { hashOf, newSecret } from "./secrets.ts";

/** Another address for an account. */
export interface AddressChange {
  /**
   * Mails a link to the address that an account shall have, and word of it to the one it has. Where another account has
   * that address its owner is mailed instead, and nobody else learns of it: answer and time are the same.
   */
  requestAddress(id: string, email: string, asker?: Asker): Promise<"no-address" | undefined>;
  /** The address that a mailed link stands for; undefined where it stands for none any more. */
  requestedAddress(token: string): Promise<string | undefined>;
  /**
   * Gives the account the new address, confirmed, for whoever has the mailed link, the present address and the password;
   * ends everything signed in, and what was mailed to the old address opens nothing any more. A wrong address or password
   * leaves the link usable.
   */
  changeAddress(
    token: string,
    email: string,
    password: string,
    asker?: Asker,
  ): Promise<"bad-token" | "wrong-password" | undefined>;
}

/** What it takes. */
export interface AddressChangeOptions {
  readonly store: AccountStore;
  readonly authenticate: (email: string, password: string) => Promise<{ readonly id: string } | undefined>;
  readonly linkTo: (token: string) => string;
  readonly serviceName: string;
  /** Sends a mail that nobody waits for. */
  readonly send: (to: string, subject: string, text: string) => void;
  readonly tell: (type: AccountEvent["type"], id: string, asker: Asker | undefined) => void;
  /** Everything that was signed in has ended by now; what is left of it is taken out. */
  readonly ended: (id: string) => Promise<void>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const forMs = 24 * 3_600_000;

/** @see OWASP ASVS 5.0 6.3.7 and 7.5.1 */
export function createAddressChange(options: AddressChangeOptions): AddressChange {
  const { store, send, serviceName, now } = options;

  return {
    async requestAddress(id, typed, asker) {
      const email = typed.trim();
      if (!isAddress(email)) return "no-address";
      const row = await store.find(id);
      if (row === undefined || row.disabled_at !== null) return undefined;
      const there = await store.findByEmailKey(emailKey(email));
      const isFree = there === undefined || there.id === id;
      const token = newSecret();
      await store.putAddressToken(id, {
        hash: hashOf(token),
        // Written all the same where it opens nothing: a disk that is waited for, or is not, would tell.
        account_id: isFree ? id : null,
        purpose: "email",
        email,
        expires_at: now() + forMs,
      });
      options.tell("address-requested", id, asker);
      if (isFree) mailLink(email, token);
      else if (there.disabled_at === null) mailTaken(there);
      send(
        row.email,
        "Your address is to be changed",
        `Somebody who knows the password of your account asked to change its address to ${email}.
It changes when the link that we sent there is opened.
If it was not you, change your password now: that ends it.\n`,
      );
      return undefined;
    },
    async requestedAddress(token) {
      return (await store.findToken(hashOf(token), "email", now()))?.email;
    },
    async changeAddress(token, email, password, asker) {
      const hash = hashOf(token);
      const found = await store.findToken(hash, "email", now());
      const id = found?.account_id ?? undefined;
      // Before the password: who has no link learns nothing of passwords here.
      if (found === undefined || id === undefined) return "bad-token";
      if ((await options.authenticate(email, password))?.id !== id) return "wrong-password";
      const before = await store.find(id);
      if (before === undefined) return "bad-token";
      if (!(await store.setAddress(hash, { id, email: found.email, email_key: emailKey(found.email) }, now()))) {
        return "bad-token";
      }
      await options.ended(id);
      options.tell("address-changed", id, asker);
      send(
        before.email,
        "Your address was changed",
        `The address of your account is ${found.email} now, and everything that was signed in is signed out.
If it was not you, tell ${serviceName} at once.\n`,
      );
      return undefined;
    },
  };

  function mailLink(to: string, token: string): void {
    send(
      to,
      "Confirm your new address",
      `Somebody, hopefully you, wants to use this address for an account at ${serviceName}. Please confirm it, with the address and the password that the account has now.
If it was not you, do nothing.

${options.linkTo(token)}

The link works once, within 24 hours.\n`,
    );
  }

  function mailTaken({ email: to }: AccountRow): void {
    send(
      to,
      "You already have an account",
      `Somebody, hopefully you, tried to use this address for another account at ${serviceName}. It has an account already, so nothing was changed.
If you have forgotten its password, you can reset it; otherwise do nothing.\n`,
    );
  }
}
