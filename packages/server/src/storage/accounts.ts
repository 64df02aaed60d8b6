import type { Kysely, Selectable } from "kysely";
import type { AccountTable, MailTokenTable, Schema } from "./schema.ts";

/** An account as it is stored; times are Unix milliseconds. */
export type AccountRow = Selectable<AccountTable>;

/** Keeps accounts and what was mailed to them. */
export interface AccountStore {
  /** @returns false, and nothing is kept, where the address is taken */
  insert(row: AccountRow): Promise<boolean>;
  findByEmailKey(emailKey: string): Promise<AccountRow | undefined>;
  find(id: string): Promise<AccountRow | undefined>;
  /** Sets a password hash and ends everything signed in, in one step. @returns the epoch that ended, where there is such an account */
  setPassword(id: string, password: string): Promise<number | undefined>;
  setVerified(id: string, email: string, at: number): Promise<void>;
  /** Disables and ends everything signed in, in one step. @returns as `setPassword` */
  disable(id: string, at: number): Promise<number | undefined>;
  enable(id: string): Promise<boolean>;
  endSessions(id: string): Promise<number | undefined>;
  /** @returns its epoch */
  remove(id: string): Promise<number | undefined>;
  /** Keeps a mailed token in place of earlier ones of its purpose. */
  putToken(row: Selectable<MailTokenTable>): Promise<void>;
  /** Takes a token out, once: of several that ask at once, one gets it. */
  takeToken(
    hash: string,
    purpose: MailTokenTable["purpose"],
    now: number,
  ): Promise<Selectable<MailTokenTable> | undefined>;
}

/** Accounts in the tables. */
export function accountStore(db: Kysely<Schema>): AccountStore {
  const changed = (result: { readonly numUpdatedRows: bigint }): boolean => result.numUpdatedRows > 0n;
  return {
    async insert(row) {
      const result = await db
        .insertInto("account")
        .values(row)
        .onConflict((conflict) => conflict.column("email_key").doNothing())
        .executeTakeFirst();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },
    findByEmailKey: (key) => db.selectFrom("account").selectAll().where("email_key", "=", key).executeTakeFirst(),
    find: (id) => db.selectFrom("account").selectAll().where("id", "=", id).executeTakeFirst(),
    setPassword: (id, password) => nextEpoch(id, { password }),
    async setVerified(id, email, at) {
      await db
        .updateTable("account")
        .set({ verified_at: at })
        .where("id", "=", id)
        .where("email", "=", email)
        .where("verified_at", "is", null)
        .execute();
    },
    disable: (id, at) => nextEpoch(id, { disabled_at: at }),
    async enable(id) {
      return changed(
        await db.updateTable("account").set({ disabled_at: null }).where("id", "=", id).executeTakeFirst(),
      );
    },
    endSessions: (id) => nextEpoch(id, {}),
    async remove(id) {
      const row = await db.deleteFrom("account").where("id", "=", id).returning("epoch").executeTakeFirst();
      return row?.epoch;
    },
    async putToken(row) {
      await db.transaction().execute(async (one) => {
        await one
          .deleteFrom("mail_token")
          .where("account_id", "=", row.account_id)
          .where("purpose", "=", row.purpose)
          .execute();
        await one.insertInto("mail_token").values(row).execute();
      });
    },
    takeToken: (hash, purpose, now) =>
      db
        .deleteFrom("mail_token")
        .where("hash", "=", hash)
        .where("purpose", "=", purpose)
        .where("expires_at", ">", now)
        .returningAll()
        .executeTakeFirst(),
  };

  /** Everything signed in carries the epoch it began in. @returns the one that is over */
  async function nextEpoch(id: string, change: { readonly password?: string; readonly disabled_at?: number }) {
    const row = await db
      .updateTable("account")
      .set((value) => ({ ...change, epoch: value("epoch", "+", 1) }))
      .where("id", "=", id)
      .returning("epoch")
      .executeTakeFirst();
    return row === undefined ? undefined : row.epoch - 1;
  }
}
