import { freePort } from "../../../../scripts/free-ports.ts";
import { type ChildProcess, spawn } from "node:child_process";
import { Redis } from "ioredis";

/** What to do where there is no Redis; the tests need a real one and never pass without. */
export const howToGetRedis =
  "These tests need redis-server: on Debian and Ubuntu `apt-get install redis-server`, on macOS `brew install redis`.";

/** A real Redis of this test's own, on a port of its own, that keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  /** A client as the library demands it; closed with the server. */
  connect(): Promise<Redis>;
  /** Stands still: connections stay open and nothing is answered. */
  stall(): void;
  /** Goes on, and does what was sent meanwhile. */
  resume(): void;
  /** Ends at once, and everything is forgotten. */
  kill(): Promise<void>;
  /** Starts again on the same port, empty. */
  restart(): Promise<void>;
  /** Ends, with all clients. */
  stop(): Promise<void>;
}

/** What a client has to be made with: no offline queue, no second try. */
export const clientOptions = { enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => 20 } as const;

/** @throws Error with {@link howToGetRedis} where there is no redis-server */
export async function startRedis(...extra: readonly string[]): Promise<RedisServer> {
  const port = await freePort();
  const clients: Redis[] = [];
  let process = await launch(port, extra);

  async function kill(): Promise<void> {
    await ended(process);
  }

  return {
    port,
    get pid() {
      return process.pid ?? 0;
    },
    async connect() {
      const client = new Redis({ port, host: "127.0.0.1", ...clientOptions });
      // A lost connection is what some of these tests are about.
      client.on("error", () => undefined);
      clients.push(client);
      await ready(client);
      return client;
    },
    stall: () => void process.kill("SIGSTOP"),
    resume: () => void process.kill("SIGCONT"),
    kill,
    async restart() {
      await kill();
      process = await launch(port, extra);
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await kill();
    },
  };
}

/** Waits until commands of this client are sent at once. */
export async function ready(client: Redis): Promise<void> {
  while (client.status !== "ready") await new Promise((resolve) => setTimeout(resolve, 5));
}

async function launch(port: number, extra: readonly string[]): Promise<ChildProcess> {
  const fixed = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const child = spawn("redis-server", ["--port", `${port}`, ...fixed, ...extra], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.once("error", (cause) => reject(new Error(howToGetRedis, { cause })));
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)));
    child.stdout.on("data", (data: Buffer) => {
      said += data.toString();
      if (said.includes("Ready to accept connections")) resolve();
    });
  });
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
