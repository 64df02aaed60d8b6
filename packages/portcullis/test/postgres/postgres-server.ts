import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Client, type PoolConfig } from "pg";

/** A PostgreSQL of the tests' own: a data folder and a socket that are gone with it. */
export interface PostgresServer {
  /** How `pg` reaches it as this role; there are no passwords, and no port is open. */
  as(user: string): PoolConfig;
  stop(): Promise<void>;
  /** Stands still: connections stay open, new ones are taken up, and nothing is answered. */
  stall(): Promise<void>;
  /** Goes on, and does what was sent meanwhile. */
  resume(): void;
  /** Ends it under everybody's feet; `stop` still clears up. */
  crash(): Promise<void>;
}

/** The superuser of the tests' server. */
export const superuser = "root_of_tests";

/**
 * Starts the system's PostgreSQL, which refuses to run as root: where the tests do, it runs as the user its package made.
 *
 * @throws Error that says how to install it, where it is missing; nothing is skipped
 */
export async function startPostgres(): Promise<PostgresServer> {
  const [program] = globSync("/usr/lib/postgresql/*/bin/postgres").toSorted().toReversed();
  const programs = program === undefined ? findOnPath() : dirname(program);
  const data = mkdtempSync(join(tmpdir(), "portcullis-pg-"));
  const runAs = process.getuid?.() === 0 ? userOf("postgres") : undefined;
  if (runAs !== undefined) chownSync(data, runAs.uid, runAs.gid);
  const folder = join(data, "data");

  const made = spawnSync(
    join(programs, "initdb"),
    ["-D", folder, "-U", superuser, "-A", "trust", "-E", "UTF8", "--no-sync"],
    { ...runAs, cwd: data, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`);
  const settings = ["listen_addresses=", `unix_socket_directories=${data}`, "fsync=off", "log_min_messages=fatal"];
  const server = spawn(join(programs, "postgres"), ["-D", folder, ...settings.flatMap((one) => ["-c", one])], {
    ...runAs,
    cwd: data,
    stdio: "ignore",
  });
  let stalled: readonly number[] = [];
  const resume = (): void => {
    for (const pid of stalled) process.kill(pid, "SIGCONT");
    stalled = [];
  };
  // A test that fails before it can stop the server leaves none behind.
  const abandon = (): void => {
    server.kill("SIGQUIT");
    resume();
  };
  process.once("exit", abandon);
  const as = (user: string): PoolConfig => ({ host: data, user, database: "postgres" });
  await untilReady(as(superuser), server);
  const hasEnded = (): boolean => server.exitCode !== null || server.signalCode !== null;
  return {
    as,
    async stall() {
      const client = new Client(as(superuser));
      await client.connect();
      // First who starts others: then there are no more of them.
      server.kill("SIGSTOP");
      const { rows } = await client.query<{ pid: number }>(
        "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
      );
      await client.end();
      stalled = [...rows.map(({ pid }) => pid), ...(server.pid === undefined ? [] : [server.pid])];
      for (const pid of stalled) process.kill(pid, "SIGSTOP");
    },
    resume,
    async crash() {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGQUIT");
      await ended;
    },
    async stop() {
      process.removeListener("exit", abandon);
      resume();
      const ended = hasEnded() ? undefined : new Promise((resolve) => server.once("exit", resolve));
      // Waits until everybody has hung up: a pool says it has ended a moment before its connections have.
      server.kill("SIGTERM");
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

async function untilReady(config: PoolConfig, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    const client = new Client(config);
    try {
      await client.connect();
      await client.end();
      return;
    } catch {
      await wait(50);
    }
  }
  throw new Error("postgres does not answer");
}

function findOnPath(): string {
  const found = (process.env["PATH"] ?? "").split(":").find((folder) => existsSync(join(folder, "postgres")));
  if (found === undefined) throw new Error("PostgreSQL is missing; install it with: apt-get install postgresql");
  return found;
}

function userOf(name: string): { readonly uid: number; readonly gid: number } {
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(spawnSync("id", [flag, name], { encoding: "utf8" }).stdout));
  if (!uid || !gid) throw new Error(`PostgreSQL does not run as root, and there is no user ${name} to run it as`);
  return { uid, gid };
}
