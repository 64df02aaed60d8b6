import { sql } from "kysely";
import type { Storage } from "./storage.ts";
import { takeOut } from "./taking-out.ts";

/** Counts wrong passwords per address, whether or not anybody has it. */
export interface WrongPasswordStore {
  /**
   * Counts one more.
   *
   * @param hash   of the address as it is compared
   * @param since  what was counted before, and nothing since, is forgotten; Unix milliseconds
   * @returns how many there are, this one among them
   */
  countWrong(hash: string, now: number, since: number): Promise<number>;
  /** Forgets them. @returns how many there were since */
  forgetWrong(hash: string, since: number): Promise<number>;
  sweepWrong(since: number): Promise<void>;
}

/** They in the tables. */
export function wrongPasswordStore({ db, kind }: Pick<Storage, "db" | "kind">): WrongPasswordStore {
  return {
    async countWrong(hash, now, since) {
      const { count } = await db
        .insertInto("wrong_password")
        .values({ hash, count: 1, last_at: now })
        .onConflict((conflict) =>
          conflict.column("hash").doUpdateSet((value) => ({
            count: value
              .case()
              .when("wrong_password.last_at", "<=", since)
              .then(1)
              .else(value("wrong_password.count", "+", 1))
              .end(),
            last_at: now,
          })),
        )
        .returning("count")
        .executeTakeFirstOrThrow();
      return count;
    },
    async forgetWrong(hash, since) {
      const row = await db
        .deleteFrom("wrong_password")
        .where("hash", "=", hash)
        .returning(["count", "last_at"])
        .executeTakeFirst();
      return row === undefined || row.last_at <= since ? 0 : row.count;
    },
    sweepWrong: (since) =>
      takeOut({ db, kind }, { table: "wrong_password", key: ["hash"], where: sql`last_at <= ${since}` }),
  };
}
