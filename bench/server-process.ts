import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CpuReading, Ready } from "./servers/serving.ts";

/** The servers by name, each a file and a process of its own. */
export const servers = {
  bare: new URL("./servers/bare.ts", import.meta.url),
  portcullis: new URL("./servers/portcullis.ts", import.meta.url),
  portcullisExpress: new URL("./servers/portcullis-express.ts", import.meta.url),
  portcullisFetch: new URL("./servers/portcullis-fetch.ts", import.meta.url),
  fastify: new URL("./servers/fastify.ts", import.meta.url),
  hono: new URL("./servers/hono.ts", import.meta.url),
  express: new URL("./servers/express.ts", import.meta.url),
} as const;

/** Name of a server. */
export type ServerName = keyof typeof servers;

/** Those of `npm run bench`, in the order of a round. */
export const serverNames = ["bare", "portcullis", "fastify", "hono", "express"] as const satisfies ServerName[];

/** A running server. */
export interface ServerProcess extends Ready {
  readonly name: ServerName;
  readonly pid: number;
  /** Processor time of the whole process so far, user and system, in microseconds. */
  cpuMicros(): Promise<number>;
  stop(): Promise<void>;
}

/** How a server is started. */
export interface StartOptions {
  /** File for its log lines; default `/dev/null`. */
  readonly log?: string;
  /** The one core it may run on; undefined: any. */
  readonly core?: number | undefined;
  /** More options for node, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
}

/** Starts a server in a process of its own, pinned to one core. @throws Error when it ends before it listens */
export async function startServer(name: ServerName, options: StartOptions = {}): Promise<ServerProcess> {
  const node = [
    process.execPath,
    "--conditions=source",
    "--disable-warning=ExperimentalWarning",
    ...(options.nodeOptions ?? []),
    fileURLToPath(servers[name]),
  ];
  const [command = "", ...rest] = options.core === undefined ? node : ["taskset", "-c", String(options.core), ...node];
  const child = spawn(command, rest, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, NODE_ENV: "production", BENCH_LOG: options.log ?? "/dev/null" },
  });
  const ready = await firstMessage<Ready>(child, isReady, name);
  return {
    ...ready,
    name,
    pid: child.pid ?? 0,
    async cpuMicros() {
      child.send("cpu");
      return (await firstMessage<CpuReading>(child, isCpuReading, name)).cpuMicros;
    },
    stop() {
      return new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.disconnect();
      });
    },
  };
}

/** Whether processes can be pinned to cores here. */
export function canPin(): boolean {
  try {
    execFileSync("taskset", ["-c", "0", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Pins this process, with all its threads, to one core. */
export function pinSelf(core: number): void {
  execFileSync("taskset", ["-a", "-c", "-p", String(core), String(process.pid)], { stdio: "ignore" });
}

function firstMessage<T>(child: ChildProcess, is: (value: unknown) => value is T, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      if (!is(message)) return;
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(message);
    };
    const onExit = (code: number | null): void => reject(new Error(`the ${name} server ended with ${code}`));
    child.on("message", onMessage);
    child.once("exit", onExit);
  });
}

function isReady(value: unknown): value is Ready {
  return typeof value === "object" && value !== null && "port" in value;
}

function isCpuReading(value: unknown): value is CpuReading {
  return typeof value === "object" && value !== null && "cpuMicros" in value;
}
