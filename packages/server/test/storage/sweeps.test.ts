import { openIdentity } from "@portcullis/server/identity";
import { openStorage, type Storage } from "@portcullis/server/storage";
import { type KyselyPlugin, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserSessionStore } from "../../src/storage/browser-sessions.ts";
import { refreshTokenStore } from "../../src/storage/refresh-tokens.ts";
import { embeddedStores, failing, postgresStores, type TestStores } from "./open-stores.ts";

const many = 20_000;
const some = 2_500;

/** Rows of each table that ran out long ago; `i` counts them. */
const piles = {
  oidc_payload: [many, "model, hash, payload, expires_at", "'Interaction', 'h' || i, '', 0"],
  browser_session: [
    some,
    "hash, issuer, subject, sealed, created_at, seen_at, idle_expires_at, expires_at, ended_at, version, grant_id",
    // The first thousand were signed out, the others ran out.
    "'h' || i, 'i', 's', '', 0, 0, 0, 0, case when i <= 1000 then 0 end, 0, 'g' || i",
  ],
  sign_in: [some, "hash, expires_at", "'h' || i, 0"],
  refresh_family: [
    some,
    "id, grant_id, account_id, client_id, created_at, used_at, expires_at, revoked_at",
    // The first thousand were revoked, the others ran out.
    "'f' || i, 'g', 'a', 'c', 0, 0, case when i <= 1000 then 9e15 else 0 end, case when i <= 1000 then 0 end",
  ],
  // All of one family: whoever took it out at once would take them along.
  refresh_token: [
    many,
    "hash, family_id, payload, created_at, idle_expires_at, replays",
    "'h' || i, 'f1', '', 0, 0, 0",
  ],
  mail_token: [some, "hash, purpose, email, expires_at", "'h' || i, 'verify', 'e', 0"],
  wrong_password: [some, "hash, count, last_at", "'h' || i, 1, 0"],
  revocation: [some, "kind, value, revoked_at, expires_at", "'jti', 'v' || i, 0, 0"],
  api_key: [
    some,
    "id, hash, subject, scopes, name, environment, display_prefix, created_at, expires_at, revoked_at",
    // The first thousand ran out, the others were revoked.
    "'k' || i, '', 's', '[]', '', '', '', 0, case when i <= 1000 then 0 end, case when i > 1000 then 0 end",
  ],
  waiting_event: [some, "event", `'{"type":"key-created","subject":"s","key":"k' || i || '","why":"w"}'`],
} as const;

/** Ending what ran out writes to these itself. */
const piled: ReadonlyMap<string, string> = new Map([
  ["oidc_payload", "model = 'Interaction'"],
  ["revocation", "kind = 'jti'"],
]);

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("sweeps of %s", (_kind, start) => {
  let stores: TestStores;
  let storage: Storage;
  beforeAll(async () => {
    stores = await start();
    storage = await stores.open();
  });
  afterAll(() => stores.stop());

  it("take out however much has piled up, a thousand rows in a statement at most", async () => {
    const told: string[] = [];
    const failed: unknown[] = [];
    const { plugin, most } = countingRows();
    const issuer = "http://localhost:8080";
    const identity = await openIdentity({
      issuer,
      serviceName: "Notes",
      storage: { ...storage, db: storage.db.withPlugin(plugin) },
      secret: "tests-only: 48 characters of nothing in particular",
      clients: [],
      resources: { [`${issuer}/api`]: ["keys:read", "keys:write"] },
      browserSessions: { returnTo: ["/"] },
      keys: { prefix: "prj" },
      onEvent: (event) => void ("key" in event && told.push(event.key)),
      onError: (error) => void failed.push(error),
    });
    for (const [table, [rows, columns, values]] of Object.entries(piles)) {
      await sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${sql.lit(rows)})
        insert into ${sql.table(table)} (${sql.raw(columns)}) select ${sql.raw(values)} from n`.execute(storage.db);
    }
    await identity.upkeep();
    for (const table of Object.keys(piles)) {
      const which = sql.raw(piled.get(table) ?? "1 = 1");
      const { rows } = await sql`select 1 as one from ${sql.table(table)} where ${which}`.execute(storage.db);
      expect([table, rows.length]).toEqual([table, 0]);
    }
    expect(failed).toEqual([]);
    expect(told).toEqual(Array.from({ length: some }, (_, i) => `k${i + 1}`));
    expect(most()).toBe(1000);
    // Of those that ran out, and of none that was signed out before.
    const grants = await storage.db.selectFrom("revocation").select("value").where("kind", "=", "grant").execute();
    expect(grants).toHaveLength(some - 1000);
    // Where one table cannot be swept, the others are.
    await sql`insert into api_key (id, hash, subject, scopes, name, environment, display_prefix, created_at, revoked_at)
      values ('k', '', 's', '[]', '', '', '', 0, 0)`.execute(storage.db);
    await sql`insert into sign_in (hash, expires_at) values ('h', 0)`.execute(storage.db);
    const mended = await failing(storage, "api_key", "delete");
    await expect(identity.upkeep()).rejects.toThrow("no room");
    expect(await storage.db.selectFrom("sign_in").select("hash").execute()).toEqual([]);
    await mended();
    await identity.close();
  });
});

describe("sweeps of several instances on PostgreSQL", () => {
  it("take the same pile out at once, in whichever order each comes by it, and wait for nobody", async () => {
    const stores = await postgresStores();
    const { postgres } = await stores.place();
    const orders = ["enable_seqscan", "enable_indexscan", "enable_hashjoin"];
    const instances: Storage[] = [];
    for (const one of orders)
      instances.push(await openStorage({ postgres: { ...postgres, options: `-c ${one}=off`, query_timeout: 30_000 } }));
    const [first] = instances;
    if (first === undefined) throw new Error("no instance");
    const { db } = first;
    try {
      for (let round = 0; round < 15; round++) {
        await sql`insert into refresh_family (id, grant_id, account_id, client_id, created_at, used_at, expires_at)
          select md5(random()::text), 'g', 'a', 'c', 0, 0, (random() * 1000)::int from generate_series(1, 100)`.execute(
          db,
        );
        await sql`insert into refresh_token (hash, family_id, payload, created_at, idle_expires_at, replays)
          select md5(random()::text), id, '', 0, 0, 0 from refresh_family, generate_series(1, 15)`.execute(db);
        await Promise.all(instances.map((one) => refreshTokenStore(one).sweep(1e6, 0)));
        // What one of them held meanwhile is left to the next time.
        await refreshTokenStore(first).sweep(1e6, 0);
        expect(await db.selectFrom("refresh_family").select("id").execute()).toEqual([]);
      }
      await sql`insert into sign_in (hash, expires_at) values ('held', 0), ('free', 0)`.execute(db);
      const other = await db.startTransaction().execute();
      await sql`update sign_in set expires_at = 9e15 where hash = 'held'`.execute(other);
      await browserSessionStore(first).sweep(1);
      await other.commit().execute();
      expect(await db.selectFrom("sign_in").select("hash").execute()).toEqual([{ hash: "held" }]);
    } finally {
      await Promise.all(instances.map((one) => one.close()));
      await stores.stop();
    }
  });
});

/** Sees how many rows statements change. */
function countingRows() {
  let greatest = 0;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult({ result }) {
      greatest = Math.max(greatest, Number(result.numAffectedRows ?? 0n));
      return Promise.resolve(result);
    },
  };
  return { plugin, most: () => greatest };
}
