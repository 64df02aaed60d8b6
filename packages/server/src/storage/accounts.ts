import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { DatabaseError } from "pg";
import { removeKeysOf, revokeKeysOf } from "./api-keys.ts";
import { mostSessions } from "./browser-sessions.ts";
import { type TakingBack, takingBack, userEpoch } from "./revocations.ts";
import type { AccountTable, MailTokenTable, Schema } from "./schema.ts";
import { type WrongPasswordStore, wrongPasswordStore } from "./wrong-passwords.ts";
import type { Storage } from "./storage.ts";
import { takeOut } from "./taking-out.ts";

/** An account as it is stored; times are Unix milliseconds. */
export type AccountRow = Selectable<AccountTable>;

/** What was mailed, as it is stored. */
export type MailTokenRow = Selectable<MailTokenTable>;

/** Something that is signed in as an account, other than at this server's own pages. Times are Unix milliseconds. */
export interface SignedIn {
  /** A client's id, or undefined for a browser's session. */
  readonly clientId: string | undefined;
  /** Name of a browser's session. */
  readonly session: string | undefined;
  readonly userAgent: string | undefined;
  readonly since: number;
  readonly usedAt: number;
}

/** A password that was reset. */
export interface Reset {
  readonly id: string;
  /** Where the link was mailed. */
  readonly email: string;
  /** Whether that it is the owner's was shown for the first time. */
  readonly isFirstProof: boolean;
  /** Ids of the API keys that ended with it. */
  readonly keys: readonly string[];
}

/**
 * Keeps accounts and what was mailed to them. Whatever ends everything signed in as an account takes back, in the same
 * step, the access tokens it was given.
 */
export interface AccountStore extends WrongPasswordStore {
  /**
   * Inserts an account where its address is free, and keeps a mailed token for whoever has the address then, in place of
   * all earlier ones to that address; both or neither, by the same statements whether it was free or taken.
   *
   * @param token  what to keep, given the account there is now and whether it is the new one
   */
  insertWithToken(row: AccountRow, token: (there: AccountRow, isNew: boolean) => MailTokenRow): Promise<AccountRow>;
  findByEmailKey(emailKey: string): Promise<AccountRow | undefined>;
  find(id: string): Promise<AccountRow | undefined>;
  /**
   * Sets a password hash, ends everything signed in, and takes out what was mailed to reset it, in one step.
   *
   * @param instead  the hash that has to stand there still; default whichever does
   * @returns false where there is no such account, or another hash by now
   */
  setPassword(id: string, password: string, instead?: string): Promise<boolean>;
  /**
   * The same for whoever has a mailed token, which is taken out, and with that confirms the address; where nobody had, it
   * ends the API keys too, which whoever signed up with the address made.
   *
   * @returns undefined, and nothing has changed, where the token or the account is gone
   */
  resetPassword(hash: string, password: string, at: number): Promise<Reset | undefined>;
  /** Writes the same password in another way; signs nobody out. */
  rehash(id: string, password: string, instead: string): Promise<void>;
  /** @returns whether it was not verified before */
  setVerified(id: string, email: string, at: number): Promise<boolean>;
  /** Disables and ends everything signed in, in one step. @returns false where there is no such account */
  disable(id: string, at: number): Promise<boolean>;
  enable(id: string): Promise<boolean>;
  /** @returns false where there is no such account */
  endSessions(id: string): Promise<boolean>;
  /** With its API keys. @returns false where there is no such account */
  remove(id: string): Promise<boolean>;
  /** Keeps a mailed token in place of earlier ones of its purpose to that address. */
  putToken(row: MailTokenRow): Promise<void>;
  /** Keeps what was mailed to an address that an account shall have, in place of what was for the same account. */
  putAddressToken(id: string, row: MailTokenRow): Promise<void>;
  /**
   * Takes such a token out, gives the account its address as a verified one, ends everything signed in, and takes out
   * whatever else was mailed for the account, all in one step.
   *
   * @returns false, and nothing has changed, where the token is gone or another account has the address by now
   */
  setAddress(hash: string, to: Pick<AccountRow, "id" | "email" | "email_key">, at: number): Promise<boolean>;
  findToken(hash: string, purpose: MailTokenTable["purpose"], now: number): Promise<MailTokenRow | undefined>;
  /** Takes a token out, once: of several that ask at once, one gets it. */
  takeToken(hash: string, purpose: MailTokenTable["purpose"], now: number): Promise<MailTokenRow | undefined>;
  /** Every browser, and every application once, that is signed in as the account, the one used last first of each. */
  signedIn(id: string, now: number): Promise<readonly SignedIn[]>;
  /** Takes out what was mailed and has run out. */
  sweep(now: number): Promise<void>;
}

/** Accounts in the tables. */
export function accountStore(storage: Pick<Storage, "db" | "kind">, options: TakingBack): AccountStore {
  const { db } = storage;
  const wrong = wrongPasswordStore(storage);
  return {
    ...wrong,
    insertWithToken: (row, token) =>
      db.transaction().execute(async (one) => {
        const isNew = await insertAccount(one, row);
        const there = await one
          .selectFrom("account")
          .selectAll()
          .where("email_key", "=", row.email_key)
          .executeTakeFirstOrThrow();
        const mail = token(there, isNew);
        // Whoever signs up again must not confirm, with the link of before, an account that has another's password.
        await one.deleteFrom("mail_token").where("email", "=", mail.email).execute();
        await one.insertInto("mail_token").values(mail).execute();
        return there;
      }),
    findByEmailKey: (key) => db.selectFrom("account").selectAll().where("email_key", "=", key).executeTakeFirst(),
    find: (id) => db.selectFrom("account").selectAll().where("id", "=", id).executeTakeFirst(),
    setPassword: (id, password, instead) => ending(id, (one) => withPassword(one, id, password, instead)),
    resetPassword: (hash, password, at) =>
      takingBack(storage, options, async (one) => {
        const nothing = { value: undefined, taken: [] };
        const token = await takeToken(one, hash, "reset", at);
        const id = token?.account_id ?? undefined;
        if (token === undefined || id === undefined) return nothing;
        const epoch = await withPassword(one, id, password);
        if (epoch === undefined) return nothing;
        const isFirstProof = await setVerified(one, id, token.email, at);
        const keys = isFirstProof ? await revokeKeysOf(one, storage.kind, { subject: id, at }) : [];
        return {
          value: { id, email: token.email, isFirstProof, keys },
          taken: [
            { kind: "user", value: userEpoch(id, epoch) },
            ...keys.map((value) => ({ kind: "api-key" as const, value })),
          ],
        };
      }),
    async rehash(id, password, instead) {
      await db
        .updateTable("account")
        .set({ password })
        .where("id", "=", id)
        .where("password", "=", instead)
        .executeTakeFirst();
    },
    setVerified: (id, email, at) => setVerified(db, id, email, at),
    disable: (id, at) => ending(id, (one) => nextEpoch(one, id, { disabled_at: at })),
    async enable(id) {
      return changed(
        await db
          .updateTable("account")
          .set({ disabled_at: null })
          .where("id", "=", id)
          .where("disabled_at", "is not", null)
          .executeTakeFirst(),
      );
    },
    endSessions: (id) => ending(id, (one) => nextEpoch(one, id, {})),
    remove: (id) =>
      ending(id, async (one) => {
        await one.deleteFrom("mail_token").where("account_id", "=", id).execute();
        const row = await one.deleteFrom("account").where("id", "=", id).returning("epoch").executeTakeFirst();
        if (row !== undefined) await removeKeysOf(one, storage.kind, id);
        return row?.epoch;
      }),
    putToken: (row) => db.transaction().execute((one) => replaceToken(one, row)),
    putAddressToken: (id, row) =>
      db.transaction().execute(async (one) => {
        await one.deleteFrom("mail_token").where("account_id", "=", id).where("purpose", "=", "email").execute();
        await one.insertInto("mail_token").values(row).execute();
      }),
    setAddress: (hash, { id, ...address }, at) =>
      ending(id, async (one) => {
        const other = await one
          .selectFrom("account")
          .select("id")
          .where("email_key", "=", address.email_key)
          .where("id", "!=", id)
          .executeTakeFirst();
        if (other !== undefined) return undefined;
        // Of two that ask at once with the same link, one takes it out.
        const token = await one
          .deleteFrom("mail_token")
          .where("hash", "=", hash)
          .where("account_id", "=", id)
          .where("purpose", "=", "email")
          .where("expires_at", ">", at)
          .returning("hash")
          .executeTakeFirst();
        if (token === undefined) return undefined;
        await one.deleteFrom("mail_token").where("account_id", "=", id).execute();
        return nextEpoch(one, id, { ...address, verified_at: at });
      }).catch((error: unknown) => {
        // Somebody else took it between the look and the change.
        if (isDuplicate(error)) return false;
        throw error;
      }),
    findToken: (hash, purpose, now) =>
      db
        .selectFrom("mail_token")
        .selectAll()
        .where("hash", "=", hash)
        .where("purpose", "=", purpose)
        .where("expires_at", ">", now)
        .executeTakeFirst(),
    takeToken: (hash, purpose, now) => takeToken(db, hash, purpose, now),
    async signedIn(id, now) {
      const applications = await db
        .selectFrom("refresh_family")
        .select(({ fn }) => ["client_id", fn.min("created_at").as("since"), fn.max("used_at").as("used_at")])
        .where("account_id", "=", id)
        .where("revoked_at", "is", null)
        .where("expires_at", ">", now)
        .groupBy("client_id")
        .orderBy("used_at", "desc")
        .execute();
      const browsers = await db
        .selectFrom("browser_session")
        .select(["hash", "user_agent", "created_at", "seen_at"])
        .where("subject", "=", id)
        .where("ended_at", "is", null)
        .where("expires_at", ">", now)
        .where("idle_expires_at", ">", now)
        .orderBy("seen_at", "desc")
        .limit(mostSessions)
        .execute();
      return [
        ...browsers.map((row) => ({
          clientId: undefined,
          session: row.hash,
          userAgent: row.user_agent ?? undefined,
          since: row.created_at,
          usedAt: row.seen_at,
        })),
        ...applications.map((row) => ({
          clientId: row.client_id,
          session: undefined,
          userAgent: undefined,
          since: row.since,
          usedAt: row.used_at,
        })),
      ];
    },
    async sweep(now) {
      await takeOut(storage, { table: "mail_token", key: ["hash"], where: sql`expires_at <= ${now}` });
      await wrong.sweepWrong(now - wrongKeptMs);
    },
  };

  /** Ends everything signed in as an account. @param end  says which epoch of it that was, if there is such an account */
  function ending(id: string, end: (one: Transaction<Schema>) => Promise<number | undefined>): Promise<boolean> {
    return takingBack(storage, options, async (one) => {
      const epoch = await end(one);
      if (epoch === undefined) return { value: false, taken: [] };
      return { value: true, taken: [{ kind: "user", value: userEpoch(id, epoch) }] };
    });
  }
}

/** Longer than anybody counts them. */
const wrongKeptMs = 48 * 3_600_000;

async function insertAccount(db: Kysely<Schema>, row: AccountRow): Promise<boolean> {
  const result = await db
    .insertInto("account")
    .values(row)
    .onConflict((conflict) => conflict.column("email_key").doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

const changed = (result: { readonly numUpdatedRows: bigint }): boolean => result.numUpdatedRows > 0n;

/** @returns the epoch that is over */
async function withPassword(
  one: Transaction<Schema>,
  id: string,
  password: string,
  instead?: string,
): Promise<number | undefined> {
  const epoch = await nextEpoch(one, id, { password }, instead);
  if (epoch === undefined) return undefined;
  // Nor does the address change that whoever knew the old one asked for.
  await one.deleteFrom("mail_token").where("account_id", "=", id).where("purpose", "in", ["reset", "email"]).execute();
  return epoch;
}

async function setVerified(db: Kysely<Schema>, id: string, email: string, at: number): Promise<boolean> {
  return changed(
    await db
      .updateTable("account")
      .set({ verified_at: at })
      .where("id", "=", id)
      .where("email", "=", email)
      .where("verified_at", "is", null)
      .executeTakeFirst(),
  );
}

function takeToken(
  db: Kysely<Schema>,
  hash: string,
  purpose: MailTokenTable["purpose"],
  now: number,
): Promise<MailTokenRow | undefined> {
  return db
    .deleteFrom("mail_token")
    .where("hash", "=", hash)
    .where("purpose", "=", purpose)
    .where("expires_at", ">", now)
    .returningAll()
    .executeTakeFirst();
}

async function replaceToken(db: Kysely<Schema>, row: MailTokenRow): Promise<void> {
  // By address and not by account, so that the same is done where there is none; for that, nothing refers to accounts.
  await db.deleteFrom("mail_token").where("email", "=", row.email).where("purpose", "=", row.purpose).execute();
  await db.insertInto("mail_token").values(row).execute();
}

/** PostgreSQL's unique_violation; on the embedded store nobody else writes between two statements of a transaction. */
function isDuplicate(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === "23505";
}

/** Everything signed in carries the epoch it began in. @returns the one that is over */
async function nextEpoch(
  db: Kysely<Schema>,
  id: string,
  change: Partial<Pick<AccountRow, "password" | "disabled_at" | "email" | "email_key" | "verified_at">>,
  instead?: string,
): Promise<number | undefined> {
  let query = db
    .updateTable("account")
    .set((value) => ({ ...change, epoch: value("epoch", "+", 1) }))
    .where("id", "=", id);
  if (instead !== undefined) query = query.where("password", "=", instead);
  const row = await query.returning("epoch").executeTakeFirst();
  return row === undefined ? undefined : row.epoch - 1;
}
