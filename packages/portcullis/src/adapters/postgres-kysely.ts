import { demandOpen, type Around, type Run } from "./postgres-role.ts";

/** What is asked of Kysely; `Transaction` is what its transactions hand out. */
export interface KyselyDatabase<Transaction> extends KyselyConnection<Transaction> {
  connection(): { execute<Result>(work: (one: KyselyConnection<Transaction>) => Promise<Result>): Promise<Result> };
}

/** What is asked of one connection of Kysely's. */
export interface KyselyConnection<Transaction> extends KyselyExecutor {
  transaction(): {
    execute<Result>(work: (transaction: Transaction & KyselyExecutor) => Promise<Result>): Promise<Result>;
  };
}

/** A transaction of Kysely's. */
export interface KyselyTransaction extends KyselyExecutor {
  readonly isTransaction: true;
}

/** Whether this is a transaction of Kysely's, ours or the application's. */
export function isKyselyTransaction(db: object): db is KyselyTransaction {
  return "isTransaction" in db && db.isTransaction === true;
}

/** The part of Kysely that sends a statement. */
export interface KyselyExecutor {
  executeQuery(statement: KyselyStatement): Promise<{ readonly rows: unknown[] }>;
}

/** A statement as `CompiledQuery.raw` makes it. */
export interface KyselyStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly query: {
    readonly kind: "RawNode";
    readonly sqlFragments: readonly string[];
    readonly parameters: readonly never[];
  };
  readonly queryId: { readonly queryId: string };
}

/** Runs a transaction on one connection of Kysely's. */
export async function openKysely<Transaction, Result>(
  db: KyselyDatabase<Transaction>,
  around: Around<Transaction, Result>,
): Promise<Result> {
  return db.connection().execute(async (one) => {
    try {
      return await one.transaction().execute(async (transaction) => {
        const run = runOn(transaction);
        await around.enter(run);
        const result = await around.work(transaction);
        // A transaction in which a statement failed is rolled back by COMMIT, without an error; here it is one.
        await demandOpen(run);
        return result;
      });
    } finally {
      await around.leave(runOn(one), true);
    }
  });
}

export function isKysely(db: object): db is KyselyDatabase<unknown> {
  return "transaction" in db && typeof db.transaction === "function";
}

function runOn(executor: KyselyExecutor): Run {
  return async (sql, parameters) => (await executor.executeQuery(statement(sql, parameters))).rows;
}

let sent = 0;

function statement(sql: string, parameters: readonly unknown[]): KyselyStatement {
  const query = { kind: "RawNode", sqlFragments: [sql], parameters: [] } as const;
  return { sql, parameters, query, queryId: { queryId: `portcullis-${sent++}` } };
}
