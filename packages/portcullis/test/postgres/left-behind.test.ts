import { Kysely, PostgresDialect, sql } from "kysely";
import { Client, Pool } from "pg";
import type { Caller } from "portcullis";
import { asCaller, type CallerConnection } from "portcullis/postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPostgres, superuser, type PostgresServer } from "./postgres-server.ts";

let server: PostgresServer;
let root: Client;
/** One connection, so that whatever one caller leaves on it is there for the next. */
let pool: Pool;
let db: Kysely<{ note: { id: number } }>;

beforeAll(async () => {
  server = await startPostgres();
  root = new Client(server.as(superuser));
  await root.connect();
  await root.query(`
    create role authenticated nologin;
    create role api login noinherit;
    create role landlord login noinherit;
    grant authenticated, landlord to api;
    grant authenticated to landlord;
    create table note (id int primary key, owner text not null);
    insert into note values (1, 'alice'), (2, 'bob');
    alter table note owner to landlord;
    alter table note enable row level security;
    alter table note force row level security;
    grant select on note to authenticated;
    create policy own on note using (owner = current_setting('portcullis.subject', true));
    create schema decoy;
    grant usage on schema decoy to public;
    create table decoy.note as select 99 as id;
    grant select on decoy.note to public;
  `);
  const one = { ...server.as("api"), max: 1 };
  pool = new Pool(one);
  db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool(one) }) });
});

afterAll(async () => {
  await pool.end();
  await db.destroy();
  await root.end();
  await server.stop();
});

function callerOf(subject: string): Caller {
  const proof = { kind: "jwt", issuer: undefined, credentialId: undefined, ambient: false, claims: {} } as const;
  return { subject, tenant: undefined, scopes: [], roles: [], proof };
}

const alice = callerOf("alice");
const bob = callerOf("bob");

async function idsOf(connection: CallerConnection): Promise<unknown[]> {
  const { rows } = await connection.query("select id from note order by id");
  return rows.map(({ id }) => id);
}

describe("asCaller: what work leaves behind on a pooled connection", () => {
  it("is no search path, time zone or time limit that was set without LOCAL", async () => {
    await asCaller(pool, alice, async (one) => {
      await one.query("set timezone = 'Asia/Tokyo'");
      await one.query("set search_path = decoy");
      await one.query("set statement_timeout = '2s'");
    });
    expect(await asCaller(pool, bob, idsOf)).toEqual([2]);
    const { rows } = await pool.query(
      "select current_setting('timezone') as zone, current_setting('statement_timeout') as timeout",
    );
    expect(rows).toEqual([{ zone: expect.not.stringMatching("Tokyo"), timeout: "0" }]);
  });

  it("is not even a search path in which the functions that clean up are somebody else's", async () => {
    await root.query(`create function decoy.set_config(text, text, boolean) returns text language sql
      as 'select $2'`);
    await asCaller(pool, alice, async (one) => {
      await one.query("set search_path = decoy, pg_catalog");
    });
    expect(await asCaller(pool, bob, idsOf)).toEqual([2]);
  });

  it("leaves alone what the application itself had set on its connections", async () => {
    const own = new Pool({ ...server.as("api"), max: 1 });
    await own.query("set search_path = decoy");
    expect(await asCaller(own, alice, idsOf)).toEqual([99]);
    await asCaller(own, alice, (one) => one.query("set search_path = public"));
    expect(await asCaller(own, alice, idsOf)).toEqual([99]);
    await own.end();
  });

  it("is no table that hides another one, no open cursor with somebody's rows and no lock", async () => {
    await asCaller(pool, alice, async (one) => {
      await one.query("declare of_alice cursor with hold for select owner from note");
      await one.query("create temporary table note as select 77 as id");
      await one.query("select pg_advisory_lock(5)");
    });
    expect(await asCaller(pool, bob, idsOf)).toEqual([2]);
    await expect(asCaller(pool, bob, (one) => one.query("fetch all of_alice"))).rejects.toThrow(/does not exist/);
    const { rows } = await pool.query("select count(*)::int as held from pg_locks where locktype = 'advisory'");
    expect(rows).toEqual([{ held: 0 }]);
  });

  it("is nothing of it with Kysely either", async () => {
    await asCaller(db, alice, async (one) => {
      await sql`set search_path = decoy`.execute(one);
      await sql`create temporary table note as select 77 as id`.execute(one);
    });
    expect(await asCaller(db, bob, (one) => one.selectFrom("note").select("id").execute())).toEqual([{ id: 2 }]);
  });

  it("takes nothing from a connection that is the application's own but the caller", async () => {
    const own = new Client(server.as("api"));
    await own.connect();
    await own.query("create temporary table mine as select 1 as id");
    await own.query("select pg_advisory_lock(6)");
    await asCaller(own, alice, idsOf);
    expect((await own.query("select id from mine")).rows).toEqual([{ id: 1 }]);
    expect((await own.query("select pg_advisory_unlock(6) as was_held")).rows).toEqual([{ was_held: true }]);
    await own.end();
  });
});

describe("asCaller: work that ends the transaction itself", () => {
  it.each(["commit", "rollback", "commit and chain"])("is an error, and nothing more runs: %s", async (way) => {
    const after: unknown[] = [];
    const ended = asCaller(pool, alice, async (one) => {
      await one.query(way).catch(() => undefined);
      after.push(await one.query("select current_user").catch(() => "refused"));
      return "done";
    });
    await expect(ended).rejects.toThrow(/ended inside/);
    expect(after).toEqual(["refused"]);
    expect(await asCaller(pool, bob, idsOf)).toEqual([2]);
  });

  it("may go back to a savepoint", async () => {
    const seen = await asCaller(pool, alice, async (one) => {
      await one.query("savepoint here");
      await one.query("select 1 / 0").catch(() => undefined);
      await one.query("rollback to savepoint here");
      return idsOf(one);
    });
    expect(seen).toEqual([1]);
  });

  it("is an error with Kysely", async () => {
    for (const way of [sql`commit`, sql`rollback`, sql`rollback and chain`]) {
      await expect(asCaller(db, alice, (one) => way.execute(one))).rejects.toThrow(/ended inside/);
    }
  });
});

describe("asCaller: owners", () => {
  it("refuses the owner of a table whose policies are not forced on him, as role and as login", async () => {
    const login = new Pool({ ...server.as("landlord"), max: 1 });
    expect(await asCaller(login, alice, idsOf)).toEqual([1]);
    await root.query("alter table note no force row level security");
    const again = new Pool({ ...server.as("landlord"), max: 1 });
    await expect(asCaller(again, alice, idsOf)).rejects.toThrow(/the role the pool logs in as/);
    const dangerouslyPrivilegedLogin = "to look at the role alone";
    const asOwner = asCaller(again, alice, idsOf, { role: "landlord", dangerouslyPrivilegedLogin });
    await expect(asOwner).rejects.toThrow(/does not hold the role landlord/);
    await root.query("alter table note force row level security");
    await login.end();
    await again.end();
  });
});
