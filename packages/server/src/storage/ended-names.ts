import { type Kysely, sql } from "kysely";
import { inParts } from "./in-parts.ts";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

/**
 * Waits for whoever changes what has one of these names, and has others wait until this transaction is over: what was under
 * way comes whole before an end, which takes it along, or after it, and finds it. SQLite lets nobody else write anyway.
 */
export async function holdNames(one: Kysely<Schema>, kind: Storage["kind"], names: readonly string[]): Promise<void> {
  if (kind === "embedded" || names.length === 0) return;
  // In one order for all, consents before grants before sessions, so that no two wait for each other. What shares a place
  // waits for more than it has to; a lock for each of many thousands would be more than PostgreSQL has for everybody.
  await sql`select pg_advisory_xact_lock(hashtext(which), place) from (
      select distinct split_part(name, ' ', 1) as which, hashtext(name) & ${sql.lit(places - 1)} as place
      from unnest(${names}::text[]) as name order by which, place
    ) as places`.execute(one);
}

/** Notes that these have ended, so that nothing that was under way writes them anew. Holds them. */
export async function noteEnded(
  one: Kysely<Schema>,
  kind: Storage["kind"],
  names: readonly string[],
  now: number,
): Promise<void> {
  if (names.length === 0) return;
  await holdNames(one, kind, names);
  const expires_at = now + notedMs;
  for (const some of inParts([...new Set(names)])) {
    await one
      .insertInto("oidc_payload")
      .values(some.map((hash) => ({ model, hash, payload: "", expires_at })))
      .onConflict((conflict) => conflict.columns(["model", "hash"]).doUpdateSet({ expires_at }))
      .execute();
  }
}

/** Whether one of these has ended; whoever is about to write holds them first. */
export async function hasEnded(one: Kysely<Schema>, names: readonly string[]): Promise<boolean> {
  const found = await one
    .selectFrom("oidc_payload")
    .select("hash")
    .where("model", "=", model)
    .where("hash", "in", names)
    .executeTakeFirst();
  return found !== undefined;
}

/** What a grant is held by. @param name  as tokens have it */
export const grantNamed = (name: string): string => `grant ${name}`;
/** What a session at this server is held by. @param name  as tokens have it */
export const sessionNamed = (name: string): string => `session ${name}`;
/** What an account allowed a client is held by. */
export const consentNamed = (accountId: string, clientId: string): string => `consent ${accountId} ${clientId}`;

const model = "Ended";
/** Longer than anything is under way. */
const notedMs = 3_600_000;
/** A power of two. */
const places = 1024;
