import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import { DatabaseError } from "pg";

/**
 * A pool whose statements are answered in time or given up: a PostgreSQL that stands still keeps its connections open, and
 * nobody who asks it would ever hear.
 *
 * @param answerMs  longest wait for the answer to one statement, milliseconds
 */
export function boundedPool(pool: PostgresPool, answerMs: number): PostgresPool {
  return {
    options: pool.options,
    connect: async () => new BoundedClient(await pool.connect(), answerMs),
    end: () => pool.end(),
  };
}

/**
 * After anything that is no answer of the server's own, nobody knows what is under way on the connection: it is closed and
 * never used again, or the next statement would run inside of what came before.
 */
class BoundedClient implements PostgresPoolClient {
  readonly #client: PostgresPoolClient;
  readonly #answerMs: number;
  /** Why it is used no more. */
  #over: { readonly why: unknown } | undefined;

  constructor(client: PostgresPoolClient, answerMs: number) {
    this.#client = client;
    this.#answerMs = answerMs;
  }

  query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    asked: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof asked !== "string") throw new Error("a cursor has no bound");
    return this.#ask<R>(asked, parameters);
  }

  release(destroy = false): void {
    this.#client.release(destroy || this.#over !== undefined);
  }

  async #ask<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    if (this.#over !== undefined) throw this.#over.why;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`PostgreSQL did not answer within ${this.#answerMs} ms`)),
        this.#answerMs,
      );
    });
    try {
      return await Promise.race([this.#client.query<R>(sql, parameters), late]);
    } catch (error) {
      if (!(error instanceof DatabaseError)) this.#over = { why: error };
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
