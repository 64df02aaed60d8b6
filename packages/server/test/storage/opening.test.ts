import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inspect } from "node:util";
import { openStorage, type StorageOptions } from "@portcullis/server/storage";
import { sql } from "kysely";
import type { PoolConfig } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/free-ports.ts";
import {
  accountsOf,
  asSuperuser,
  embeddedStores,
  guard,
  type PostgresStores,
  postgresStores,
  type TestStores,
} from "./open-stores.ts";

const tables =
  "account api_key browser_session client mail_token oidc_payload refresh_family refresh_token revocation setting sign_in signing_key waiting_event wrong_password";

describe.each([
  ["embedded", embeddedStores],
  ["PostgreSQL", postgresStores],
] as const)("storage: opening, %s", (kind, start) => {
  let stores: TestStores;
  beforeAll(async () => {
    stores = await start();
  });
  afterAll(() => stores.stop());

  it("makes the tables once, and finds what was kept the next time", async () => {
    const place = await stores.place();
    const first = await openStorage(place);
    await accountsOf(first).add({ id: "kept" });
    await first.close();
    const second = await openStorage(place);
    expect(await accountsOf(second).find("kept")).toMatchObject({ id: "kept" });
    await second.close();
  });

  it("refuses tables that a newer version wrote, says so, and leaves them alone", async () => {
    const place = await stores.place();
    const newer = await openStorage(place);
    await sql`insert into kysely_migration (name, timestamp) values ('0999-of-the-future', '2040-01-01T00:00:00.000Z')`.execute(
      newer.db,
    );
    await newer.close();
    await expect(openStorage(place)).rejects.toThrow(/newer version of the server \(0999-of-the-future\): install/);
  });

  it("is whole after it was killed before any statement of its first start", async () => {
    const points = kind === "embedded" ? [3, 8, 14, 20, 26, 31] : [4, 9, 14, 20, 26, 31];
    for (const point of points) {
      const place = await stores.place();
      const child = run(place, "close", point);
      expect(await child.ended).toBe("SIGKILL");
      const storage = await openStorage(place);
      const found = await storage.db.introspection.getTables();
      expect(
        found
          .map(({ name }) => name)
          .toSorted()
          .join(" "),
      ).toBe(tables);
      await storage.close();
    }
  });

  it("keeps everything it said was kept when it is killed in the middle of its work", async () => {
    const place = await stores.place();
    const child = run(place, "write");
    const ids: string[] = [];
    for await (const line of child.lines) {
      if (line !== "open") ids.push(line);
      if (ids.length === 50) child.process.kill("SIGKILL");
    }
    const storage = await openStorage(place);
    const rows = await storage.db.selectFrom("account").select("id").execute();
    const kept = new Set(rows.map(({ id }) => id));
    expect(ids.length).toBeGreaterThanOrEqual(50);
    expect(ids.filter((id) => !kept.has(id))).toEqual([]);
    await storage.close();
  });
});

describe("storage: a folder of its own", () => {
  const root = mkdtempSync(join(tmpdir(), "portcullis-folder-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("makes it, and every file in it, for this user alone", async () => {
    const folder = join(root, "deep", randomUUID());
    const storage = await openStorage({ folder });
    await accountsOf(storage).add({ id: "one" });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o077]).toEqual([name, 0]);
    const { rows } = await sql<{ synchronous: number }>`pragma synchronous`.execute(storage.db);
    expect(rows).toEqual([{ synchronous: 2 }]);
    const journal = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(storage.db);
    expect(journal.rows).toEqual([{ journal_mode: "wal" }]);
    await storage.close();
  });

  it("refuses one that others can look into, and none at all", async () => {
    const folder = join(root, randomUUID());
    mkdirSync(folder);
    for (const mode of [0o750, 0o705, 0o777]) {
      chmodSync(folder, mode);
      await expect(openStorage({ folder })).rejects.toThrow(/others can look into .* mode 0700/);
    }
    await expect(openStorage({ folder: "" })).rejects.toThrow(/no folder/);
  });

  it("refuses a second process while the first lives, says why, and opens once it was killed", async () => {
    const folder = join(root, randomUUID());
    const first = run({ folder }, "hold");
    expect(await first.said).toBe("open");
    await expect(openStorage({ folder })).rejects.toThrow(/another process has .* open: stop it, or use PostgreSQL/);
    const second = run({ folder }, "hold");
    expect(await second.said).toMatch(/^refused: another process/);
    await second.ended;
    first.process.kill("SIGKILL");
    expect(await first.ended).toBe("SIGKILL");
    const third = await openStorage({ folder });
    await third.close();
  });

  it("refuses a second opening in the same process too", async () => {
    const folder = join(root, randomUUID());
    const first = await openStorage({ folder });
    await expect(openStorage({ folder })).rejects.toThrow(/another process has/);
    await first.close();
  });
});

describe("storage: PostgreSQL's own", () => {
  let stores: PostgresStores;
  beforeAll(async () => {
    stores = await postgresStores();
  });
  afterAll(() => stores.stop());

  it("lets processes that start at once make the tables together", async () => {
    const place = await stores.place();
    const children = Array.from({ length: 4 }, () => run(place, "close"));
    expect(await Promise.all(children.map(({ said }) => said))).toEqual(["open", "open", "open", "open"]);
  });

  it("refuses a superuser, and who passes row-level security by, and who may become one of them", async () => {
    for (const [role, may] of [
      ["mighty", "superuser"],
      ["passing", "bypassrls"],
      ["member", "noinherit in role mighty"],
    ] as const) {
      await asSuperuser(stores.server, `create role ${role} login ${may}`);
      await expect(openStorage({ postgres: stores.server.as(role) })).rejects.toThrow(/login role of its own/);
    }
  });

  it("takes no PostgreSQL that happens to run here where the address is missing", async () => {
    for (const connectionString of ["", undefined]) {
      await expect(openStorage({ postgres: { connectionString } })).rejects.toThrow(
        /connectionString is empty: is the var/,
      );
    }
  });

  it("gives up a statement that is not answered, and its connection: nothing waits behind it or runs inside of it", async () => {
    const { postgres } = await stores.place();
    const storage = await openStorage({ postgres: { ...postgres, max: 1, query_timeout: 300 } });
    const other = await openStorage({ postgres });
    expect(other.pool?.options.connectionTimeoutMillis).toBe(5_000);
    const blocking = await other.db.startTransaction().execute();
    await sql`lock table account in access exclusive mode`.execute(blocking);
    await expect(accountsOf(storage).add({ id: "given up" })).rejects.toThrow(/did not answer within 300 ms/);
    await expect(accountsOf(storage).find("given up")).rejects.toThrow(/did not answer within 300 ms/);
    // While that is still waited for inside of PostgreSQL, the only connection there may be is another one.
    expect(await storage.db.selectFrom("signing_key").select("kid").execute()).toEqual([]);
    await blocking.rollback().execute();
    expect(await accountsOf(storage).add({ id: "kept" })).toBe(true);
    expect([await accountsOf(other).find("given up"), await accountsOf(other).find("kept")]).toMatchObject([
      undefined,
      { id: "kept" },
    ]);
    await storage.close();
    await other.close();
    await expect(openStorage({ postgres: { ...postgres, query_timeout: 0 } })).rejects.toThrow(/query_timeout/);
  });

  it("a connection that breaks while a transaction is under way ends that, and neither the process nor the store", async () => {
    const storage = await stores.open();
    const broken = new Promise((resolve) =>
      storage.pool?.on("connect", (client) => client.on("end", () => resolve(client))),
    );
    const one = await storage.db.startTransaction().execute();
    const other = await storage.db.startTransaction().execute();
    await asSuperuser(
      stores.server,
      "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'",
    );
    await broken;
    await expect(sql`select 1`.execute(one)).rejects.toThrow();
    for (const transaction of [one, other])
      await transaction
        .rollback()
        .execute()
        .catch(() => {});
    expect((await sql`select 1 as one`.execute(storage.db)).rows).toEqual([{ one: 1 }]);
  });

  it("says why it cannot be opened and what to do, without the password, and what was said is the cause", async () => {
    const { server } = stores;
    await asSuperuser(server, "create role guarded login");
    await guard(server, "guarded", "hunter2");
    await asSuperuser(server, "create database of_others");
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const silence = silent.address();
    if (silence === null || typeof silence === "string") throw new Error("no port");
    const { postgres } = await stores.place();
    const closed = await freePort();
    const cases: readonly (readonly [PoolConfig, RegExp])[] = [
      [{ ...server.as("guarded"), password: "hunter3" }, /does not take the role's password: correct it/],
      [server.as("guarded"), /asks for a password, and none is given: write it/],
      [server.as("nobody"), /does not let the role in: make it/],
      [{ ...postgres, database: "missing" }, /no database of that name: make it/],
      [{ ...postgres, database: "of_others" }, /may not make tables in this database: have it own/],
      [{ ...postgres, ssl: true }, /speaks no TLS, and TLS is asked for: switch it on/],
      [{ host: "/nowhere", user: "nobody" }, /nothing answers at PostgreSQL's address: start it/],
      [{ connectionString: `postgres://u:hunter3@127.0.0.1:${closed}/d` }, /nothing answers at PostgreSQL's address/],
      [
        { host: "127.0.0.1", port: silence.port, user: "u", connectionTimeoutMillis: 200 },
        /does not answer in time: see/,
      ],
      [{ connectionString: "postgres://u:hunter3#@127.0.0.1:5432/d" }, /is no address: write postgres:/],
      [{ connectionString: "u:hunter3@127.0.0.1/d" }, /is no address: write postgres:/],
    ];
    for (const [config, message] of cases) {
      const error = await openStorage({ postgres: config }).catch((caught: unknown) => caught);
      if (!(error instanceof Error)) throw new Error("it opened");
      expect(error.message).toMatch(message);
      expect(error.cause).toBeInstanceOf(Error);
      expect(inspect(error, { depth: 9 })).not.toMatch(/hunter/);
    }
    silent.close();
  });
});

interface Child {
  readonly process: ChildProcess;
  /** Its first line. */
  readonly said: Promise<string>;
  readonly lines: AsyncIterable<string>;
  /** The signal that ended it, or its exit code. */
  readonly ended: Promise<string>;
}

/** Those of a test that failed are not left behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

function run(place: StorageOptions, then: string, dieBefore = 0): Child {
  const script = join(import.meta.dirname, "open-child.ts");
  const args = ["--conditions=source", script, JSON.stringify(place), then, String(dieBefore)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const lines = createInterface({ input: child.stdout });
  return {
    process: child,
    lines,
    said: new Promise((resolve) => lines.once("line", resolve)),
    ended: new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? String(code)))),
  };
}
