import { Kysely, PostgresDialect, sql } from "kysely";
import { Client, Pool } from "pg";
import type { Caller } from "portcullis";
import { asCaller, type AsCallerOptions, type CallerConnection } from "portcullis/postgres";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startPostgres, superuser, type PostgresServer } from "./postgres-server.ts";

interface Tables {
  note: { id: number; owner: string; tenant: string; text: string };
}

let server: PostgresServer;
/** Logs in as a role that may only become a caller's. */
let pool: Pool;
let db: Kysely<Tables>;

beforeAll(async () => {
  server = await startPostgres();
  const root = new Client(server.as(superuser));
  await root.connect();
  await root.query(`
    create role authenticated nologin;
    create role editor nologin;
    create role service_role nologin bypassrls;
    create role api login noinherit;
    grant authenticated, editor to api;
    create role careless login noinherit;
    grant authenticated, service_role to careless;
    create table note (id int primary key, owner text not null, tenant text not null, text text not null);
    insert into note values (1, 'alice', 'acme', 'of alice'), (2, 'bob', 'acme', 'of bob'), (3, 'alice', 'other', 'x');
    alter table note enable row level security;
    grant select, insert, update on note to authenticated, editor, service_role;
    create policy own on note to authenticated
      using (owner = current_setting('request.jwt.claims', true)::jsonb ->> 'sub'
        and tenant = coalesce(nullif(current_setting('portcullis.tenant', true), ''), tenant));
    create policy all_of_tenant on note to editor using (tenant = current_setting('portcullis.tenant', true));
  `);
  await root.end();
  // One connection, so that whatever is left on it is seen by the next.
  pool = new Pool({ ...server.as("api"), max: 1 });
  db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new Pool({ ...server.as("api"), max: 1 }) }) });
});

afterAll(async () => {
  await pool.end();
  await db.destroy();
  await server.stop();
});

/** After every test the one connection must be as it was. */
afterEach(async () => {
  const { rows } = await pool.query(
    `select current_user as role, coalesce(current_setting('request.jwt.claims', true), '') as claims,
      coalesce(current_setting('portcullis.subject', true), '') as subject`,
  );
  expect(rows).toEqual([{ role: "api", claims: "", subject: "" }]);
  const left = await sql<{ role: string; claims: string }>`
    select current_user as role, coalesce(current_setting('request.jwt.claims', true), '') as claims`.execute(db);
  expect(left.rows).toEqual([{ role: "api", claims: "" }]);
});

function callerOf(subject: string, change: Partial<Caller> = {}): Caller {
  return {
    subject,
    tenant: undefined,
    scopes: [],
    roles: [],
    proof: { kind: "jwt", issuer: "https://id.example.com", credentialId: undefined, ambient: false, claims: {} },
    ...change,
  };
}

const alice = callerOf("alice");
const bob = callerOf("bob");

async function idsOf(connection: CallerConnection): Promise<unknown[]> {
  const { rows } = await connection.query("select id from note order by id");
  return rows.map(({ id }) => id);
}

describe("asCaller: pg", () => {
  it("shows each caller her own rows, although the query asks for all, and the pool's own login none", async () => {
    expect(await asCaller(pool, alice, idsOf)).toEqual([1, 3]);
    expect(await asCaller(pool, bob, idsOf)).toEqual([2]);
    expect(await asCaller(pool, callerOf("mallory"), idsOf)).toEqual([]);
    await expect(pool.query("select id from note")).rejects.toThrow(/permission denied/);
  });

  it("says to policies who the caller is, in all the ways they ask, and nothing else unless it is named", async () => {
    const settings = `select current_user as role, session_user as login,
      current_setting('request.jwt.claims')::jsonb as claims, current_setting('request.jwt.claim.sub') as sub,
      current_setting('request.jwt.claim.role') as claimed, current_setting('portcullis.subject') as subject,
      current_setting('portcullis.tenant') as tenant`;
    const claims = { sub: "somebody else", role: "service_role", email: "alice@example.com", iss: "forged" };
    const caller = callerOf("alice", { tenant: "acme", proof: { ...alice.proof, claims } });
    const plain = { sub: "alice", role: "authenticated", iss: "https://id.example.com", tenant: "acme" };
    const expected = { role: "authenticated", login: "api", sub: "alice", claimed: "authenticated", subject: "alice" };
    expect((await asCaller(pool, caller, (one) => one.query(settings))).rows).toEqual([
      { ...expected, tenant: "acme", claims: plain },
    ]);
    const withClaims: AsCallerOptions = { claims: ({ proof }) => proof.claims };
    expect((await asCaller(pool, caller, (one) => one.query(settings), withClaims)).rows).toEqual([
      { ...expected, tenant: "acme", claims: { ...plain, email: "alice@example.com" } },
    ]);
  });

  it.each([
    `alice'; reset role; --`,
    `alice","role":"service_role","x":"`,
    "$1",
    "\\",
    "alice' or true --",
    "ålice 🏰",
  ])("takes a subject for text, whatever stands in it: %s", async (subject) => {
    const { rows } = await asCaller(pool, callerOf(subject, { tenant: subject }), (one) =>
      one.query(`select current_setting('request.jwt.claims')::jsonb ->> 'sub' as sub, current_user as role,
        current_setting('portcullis.tenant') as tenant`),
    );
    expect(rows).toEqual([{ sub: subject, role: "authenticated", tenant: subject }]);
    expect(await asCaller(pool, callerOf(subject), idsOf)).toEqual([]);
  });

  it("runs nothing for a subject the database cannot hold", async () => {
    await expect(asCaller(pool, callerOf("alice\0"), idsOf)).rejects.toThrow();
  });

  it("writes what is committed and takes back all of what threw, whoever threw it", async () => {
    const write = (text: string) => (one: CallerConnection) =>
      one.query("update note set text = $1 where id = 1 returning text", [text]);
    expect((await asCaller(pool, alice, write("mine"))).rows).toEqual([{ text: "mine" }]);
    const thrown = new Error("changed my mind");
    await expect(
      asCaller(pool, alice, async (one) => {
        await write("lost")(one);
        throw thrown;
      }),
    ).rejects.toBe(thrown);
    await expect(asCaller(pool, alice, (one) => one.query("select 1 / 0"))).rejects.toThrow(/division by zero/);
    expect((await asCaller(pool, alice, (one) => one.query("select text from note where id = 1"))).rows).toEqual([
      { text: "mine" },
    ]);
    // Another's row is not there to be written.
    expect((await asCaller(pool, bob, write("theirs"))).rows).toEqual([]);
  });

  it("says so where a statement had failed and somebody swallowed it: the database would roll back in silence", async () => {
    const swallowed = asCaller(pool, alice, async (one) => {
      await one.query("update note set text = 'half' where id = 1");
      await one.query("select 1 / 0").catch(() => undefined);
      return "done";
    });
    await expect(swallowed).rejects.toThrow(/nothing was written/);
  });

  it("refuses without a caller, before a connection is taken", async () => {
    const unreachable = new Pool({ host: "/nowhere" });
    for (const nobody of [undefined, callerOf("")]) {
      await expect(asCaller(unreachable, nobody, idsOf)).rejects.toThrow(/there is no caller/);
    }
    await expect(Reflect.apply(asCaller, undefined, [unreachable, null, idsOf])).rejects.toThrow(/no caller/);
    await unreachable.end();
  });

  describe("roles", () => {
    it("takes the role the options name or choose, and none that is not listed", async () => {
      const acme = callerOf("carol", { tenant: "acme", roles: ["editor"] });
      const role = (caller: Caller): string => caller.roles[0] ?? "authenticated";
      const roles = ["authenticated", "editor"];
      expect(await asCaller(pool, acme, idsOf, { role: "editor" })).toEqual([1, 2]);
      expect(await asCaller(pool, acme, idsOf, { role, roles })).toEqual([1, 2]);
      expect(await asCaller(pool, alice, idsOf, { role, roles })).toEqual([1, 3]);
      for (const wanted of ["service_role", "api", "none", "", "Editor", "editor; reset role", superuser]) {
        const caller = callerOf("carol", { roles: [wanted] });
        await expect(asCaller(pool, caller, idsOf, { role, roles })).rejects.toThrow(/not one of roles/);
      }
      await expect(asCaller(pool, acme, idsOf, { role })).rejects.toThrow(/not one of roles/);
      await expect(asCaller(pool, acme, idsOf, { role: "none" })).rejects.toThrow(/not one of roles/);
    });

    it("takes no role from a token", async () => {
      const caller = callerOf("alice", { proof: { ...alice.proof, claims: { role: "service_role" } } });
      expect(await asCaller(pool, caller, idsOf, { claims: ({ proof }) => proof.claims })).toEqual([1, 3]);
    });

    it("refuses a role that does not exist, one that may not be taken, and one row-level security does not hold", async () => {
      await expect(asCaller(pool, alice, idsOf, { role: "nobody" })).rejects.toThrow(/no role nobody/);
      await expect(asCaller(pool, alice, idsOf, { role: "pg_monitor" })).rejects.toThrow(/permission denied/);
      for (const role of ["service_role", superuser]) {
        await expect(asCaller(pool, alice, idsOf, { role })).rejects.toThrow(/does not hold the role/);
      }
    });

    it.each([superuser, "careless"])("refuses to log in as %s, who could become anybody", async (login) => {
      const careless = new Pool({ ...server.as(login), max: 1 });
      for (let times = 0; times < 2; times++) {
        await expect(asCaller(careless, alice, idsOf)).rejects.toThrow(/the role the pool logs in as/);
      }
      const dangerouslyPrivilegedLogin = "the test database has no other login";
      expect(await asCaller(careless, alice, idsOf, { dangerouslyPrivilegedLogin })).toEqual([1, 3]);
      await expect(asCaller(careless, alice, idsOf)).rejects.toThrow(/the role the pool logs in as/);
      await expect(asCaller(careless, alice, idsOf, { dangerouslyPrivilegedLogin: " " })).rejects.toThrow(/is empty/);
      await careless.end();
    });
  });

  describe("what work may try", () => {
    it("sends one statement at a time, so that an injected second one is an error and not a way out", async () => {
      const injected = asCaller(pool, alice, (one) => one.query("select 1; commit; reset role; select id from note"));
      await expect(injected).rejects.toThrow(/multiple commands/);
    });

    it("is no help against a statement an attacker wrote, as its page says: the settings are anybody's to write", async () => {
      const rows = await asCaller(pool, alice, async (one) => {
        await one.query(`select set_config('request.jwt.claims', '{"sub":"bob"}', true)`);
        return idsOf(one);
      });
      expect(rows).toEqual([2]);
    });

    it("finds no way out to more: outside of the role the login may do nothing", async () => {
      for (const way of ["reset role", "set role none", "set role editor", "commit", "rollback"]) {
        const rows = asCaller(pool, alice, async (one) => {
          await one.query(way);
          return idsOf(one);
        });
        if (way === "set role editor") expect(await rows).toEqual([]);
        else await expect(rows).rejects.toThrow();
      }
      await expect(asCaller(pool, alice, (one) => one.query(`set role ${superuser}`))).rejects.toThrow(/permission/);
    });

    it("leaves nothing on the connection that was set beyond the transaction", async () => {
      await asCaller(pool, alice, async (one) => {
        await one.query("set role editor");
        await one.query(`select set_config('request.jwt.claims', '{"sub":"alice"}', false)`);
        await one.query("select set_config('portcullis.subject', 'alice', false)");
      });
      expect(await asCaller(pool, bob, idsOf)).toEqual([2]);
    });

    it("closes the connection work was given, so that a late query does not run as whoever comes next", async () => {
      let kept: CallerConnection | undefined;
      await asCaller(pool, alice, async (one) => {
        kept = one;
      });
      const late = kept;
      if (late === undefined) throw new Error("no connection was given");
      await expect(late.query("select 1")).rejects.toThrow(/is over/);
      await expect(asCaller(late, alice, idsOf)).rejects.toThrow(/is over/);
      await expect(
        asCaller(pool, alice, async (one) => {
          kept = one;
          throw new Error("stop");
        }),
      ).rejects.toThrow("stop");
      await expect(kept?.query("select 1")).rejects.toThrow(/is over/);
    });
  });

  it("runs inside itself for the same caller, and never for another one", async () => {
    const both = await asCaller(pool, alice, async (one) => {
      await one.query("update note set text = 'seen inside' where id = 1");
      const inside = await asCaller(one, callerOf("alice"), (again) =>
        again.query("select text from note where id = 1"),
      );
      return [inside.rows, await idsOf(one)];
    });
    expect(both).toEqual([[{ text: "seen inside" }], [1, 3]]);
    for (const [other, options] of [
      [bob, {}],
      [callerOf("alice", { tenant: "acme" }), {}],
      [alice, { role: "editor" }],
      [undefined, {}],
    ] as const) {
      await expect(asCaller(pool, alice, (one) => asCaller(one, other, idsOf, options))).rejects.toThrow(
        /another caller|no caller/,
      );
    }
  });

  it("keeps callers apart who come at the same time, whatever each of them does", async () => {
    const wide = new Pool({ ...server.as("api"), max: 5 });
    const seen = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const caller = n % 2 === 0 ? alice : bob;
        try {
          return await asCaller(wide, caller, async (one) => {
            const first = await idsOf(one);
            if (n % 5 === 0) throw new Error(`stop ${first.join()}`);
            if (n % 7 === 0) await one.query("select 1 / 0").catch(() => undefined);
            return (n % 7 === 0 ? first : await idsOf(one)).join();
          });
        } catch (error) {
          return error instanceof Error ? error.message : "";
        }
      }),
    );
    for (const [n, answer] of seen.entries()) {
      const own = n % 2 === 0 ? "1,3" : "2";
      const expected = n % 5 === 0 ? `stop ${own}` : n % 7 === 0 ? /nothing was written/ : own;
      if (typeof expected === "string") expect(answer).toBe(expected);
      else expect(answer).toMatch(expected);
    }
    await wide.end();
  });

  it("takes a single connection, but not one in a transaction, nor for two callers at once", async () => {
    const client = new Client(server.as("api"));
    await client.connect();
    expect(await asCaller(client, alice, idsOf)).toEqual([1, 3]);
    await expect(asCaller(client, alice, () => asCaller(client, bob, idsOf))).rejects.toThrow(/a transaction is open/);
    await client.query("begin");
    await expect(asCaller(client, alice, idsOf)).rejects.toThrow(/a transaction is open/);
    await client.query("rollback");
    expect(await asCaller(client, bob, idsOf)).toEqual([2]);
    await client.end();
  });

  it("closes a connection it cannot bring back", async () => {
    const fragile = new Pool({ ...server.as("api"), max: 1 });
    fragile.on("error", () => undefined);
    const root = new Client(server.as(superuser));
    await root.connect();
    await expect(
      asCaller(fragile, alice, async (one) => {
        const { rows } = await one.query("select pg_backend_pid() as pid");
        await root.query("select pg_terminate_backend($1)", [rows[0]?.["pid"]]);
        return idsOf(one);
      }),
    ).rejects.toThrow();
    expect(fragile.totalCount).toBe(0);
    expect(await asCaller(fragile, alice, idsOf)).toEqual([1, 3]);
    await root.end();
    await fragile.end();
  });
});

describe("asCaller: Kysely", () => {
  const ids = (caller: Caller | undefined, options?: AsCallerOptions): Promise<number[]> =>
    asCaller(
      db,
      caller,
      async (one) => (await one.selectFrom("note").select("id").orderBy("id").execute()).map(({ id }) => id),
      options,
    );

  it("shows each caller her own rows, with Kysely's types", async () => {
    expect(await ids(alice)).toEqual([1, 3]);
    expect(await ids(bob)).toEqual([2]);
    expect(await ids(callerOf("carol", { tenant: "acme" }), { role: "editor" })).toEqual([1, 2]);
    await expect(ids(undefined)).rejects.toThrow(/no caller/);
    await expect(ids(alice, { role: "service_role" })).rejects.toThrow(/does not hold/);
    await expect(db.selectFrom("note").selectAll().execute()).rejects.toThrow(/permission denied/);
  });

  it("takes back what threw, and what failed in silence", async () => {
    const write = (text: string, then: () => Promise<unknown>): Promise<void> =>
      asCaller(db, alice, async (one) => {
        await one.updateTable("note").set({ text }).where("id", "=", 1).execute();
        await then();
      });
    const textOf = (): Promise<string | undefined> =>
      asCaller(
        db,
        alice,
        async (one) => (await one.selectFrom("note").select("text").where("id", "=", 1).executeTakeFirst())?.text,
      );
    await write("kept", async () => undefined);
    await expect(write("lost", () => Promise.reject(new Error("stop")))).rejects.toThrow("stop");
    await expect(
      asCaller(db, alice, async (one) => {
        await one.updateTable("note").set({ text: "half" }).where("id", "=", 1).execute();
        await sql`select 1 / 0`.execute(one).catch(() => undefined);
      }),
    ).rejects.toThrow(/aborted/);
    expect(await textOf()).toBe("kept");
  });

  it("lets no late query run as whoever comes next", async () => {
    const late = await asCaller(db, alice, async (one) => () => sql`select current_user as role`.execute(one));
    await expect(late()).rejects.toThrow();
  });

  it("leaves nothing on the connection that was set beyond the transaction", async () => {
    await asCaller(db, alice, async (one) => {
      await sql`set role editor`.execute(one);
      await sql`select set_config('request.jwt.claims', '{"sub":"alice"}', false)`.execute(one);
    });
    expect(await ids(bob)).toEqual([2]);
  });

  it("runs inside itself for the same caller, and never for another one", async () => {
    const inside = asCaller(db, alice, async (one) =>
      asCaller(one, callerOf("alice"), async (again) => again.selectFrom("note").select("id").execute()),
    );
    expect(await inside).toHaveLength(2);
    await expect(asCaller(db, alice, (one) => asCaller(one, bob, async () => undefined))).rejects.toThrow(
      /another caller/,
    );
    await expect(db.transaction().execute((one) => asCaller(one, alice, async () => undefined))).rejects.toThrow(
      /not one asCaller began/,
    );
  });
});
