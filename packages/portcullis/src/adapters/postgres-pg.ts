import { OptionsError } from "../lib/options-error.ts";
import { endedInside, type Around, type Run } from "./postgres-role.ts";

/** What is asked of a connection of `pg`. */
export interface PgConnection {
  query(statement: PgStatement): Promise<PgAnswer>;
  /** `I` outside of a transaction; older versions cannot say. */
  getTransactionStatus?(): string | null;
  on?(event: "error", listener: (error: Error) => void): unknown;
  removeListener?(event: "error", listener: (error: Error) => void): unknown;
}

/** What is asked of a pool of `pg`. */
export interface PgPool {
  readonly totalCount: number;
  connect(): Promise<PgConnection & { release(destroy?: boolean): void }>;
}

/** A statement as `pg` takes it. `extended` sends it alone: a text of several statements is an error of the database. */
export interface PgStatement {
  readonly text: string;
  readonly values: unknown[];
  readonly queryMode: "extended";
}

/** What `pg` answers, as far as it is looked at here. */
export interface PgAnswer {
  readonly rows: Record<string, unknown>[];
  readonly rowCount: number | null;
  readonly command: string;
}

/** The connection `work` is given: one caller's, for the length of one transaction. */
export interface CallerConnection {
  /**
   * Runs one statement as the caller, its values as parameters.
   *
   * @throws Error once the transaction is over
   */
  query(text: string, values?: readonly unknown[]): Promise<PgAnswer>;
}

/** Runs a transaction on a connection of the pool, or on the one connection that was given. */
export async function openPg<Result>(
  db: PgPool | PgConnection,
  around: Around<CallerConnection, Result>,
): Promise<Result> {
  if (!isPool(db)) return onConnection(db, around, () => undefined, false);
  const connection = await db.connect();
  let broken = false;
  try {
    const breaks = (): void => {
      broken = true;
    };
    return await onConnection(connection, around, breaks, true);
  } finally {
    // One that could not be brought back to where it was is closed instead of handed to the next request.
    connection.release(broken);
  }
}

/** Connections that were handed out. */
const handles = new WeakSet<object>();

/** Whether this is a connection `work` was given, now or earlier. */
export function isCallerConnection(db: object): db is CallerConnection {
  return handles.has(db);
}

/** Connections a transaction of ours runs on. */
const busy = new WeakSet<object>();

async function onConnection<Result>(
  connection: PgConnection,
  around: Around<CallerConnection, Result>,
  breaks: () => void,
  isPooled: boolean,
): Promise<Result> {
  if (busy.has(connection) || (connection.getTransactionStatus?.() ?? "I") !== "I") {
    throw new OptionsError(
      "asCaller: a transaction is open on this connection.",
      "Give asCaller a pool, so that each caller has a connection of its own.",
    );
  }
  const send = (text: string, values: readonly unknown[] = []): Promise<PgAnswer> =>
    connection.query({ text, values: [...values], queryMode: "extended" });
  const run: Run = async (text, values) => (await send(text, values)).rows;
  let over = false;
  let ended = false;
  const handle: CallerConnection = Object.freeze({
    async query(text: string, values: readonly unknown[] = []) {
      // Afterwards the connection is somebody else's.
      if (over) throw new Error("asCaller: the transaction is over; wait for every query inside of it");
      const answer = await send(text, values);
      // Outside of the transaction the connection is the login's own. ROLLBACK TO SAVEPOINT answers ROLLBACK as well.
      if (answer.command === "COMMIT" || connection.getTransactionStatus?.() === "I") ended = over = true;
      if (ended) throw endedInside();
      return answer;
    },
  });

  // A connection that is lost while nobody listens ends the process; here the next statement fails and says so.
  connection.on?.("error", breaks);
  handles.add(handle);
  busy.add(connection);
  try {
    await send("begin");
    try {
      await around.enter(run);
      const result = await around.work(handle);
      over = true;
      if (ended) throw endedInside();
      const { command } = await send("commit");
      // A transaction in which a statement failed is rolled back by COMMIT, without an error.
      if (command !== "COMMIT") throw new Error("asCaller: a statement had failed, so nothing was written");
      return result;
    } catch (error) {
      over = true;
      await send("rollback").catch(breaks);
      throw error;
    } finally {
      await around.leave(run, isPooled).catch(breaks);
    }
  } finally {
    busy.delete(connection);
    connection.removeListener?.("error", breaks);
  }
}

function isPool(db: PgPool | PgConnection): db is PgPool {
  return "totalCount" in db;
}
