import { openSync, writeSync } from "node:fs";
import type { Server } from "node:net";

/** What a server process tells the bench when it listens. */
export interface Ready {
  readonly port: number;
  /** Full API keys, one per caller, where the server takes keys. */
  readonly apiKeys?: readonly string[];
}

/** What a server process answers to `"cpu"`: its own processor time so far, all threads, in microseconds. */
export interface CpuReading {
  readonly cpuMicros: number;
}

/** Tells the bench that the server listens, and answers its questions. Ends with the bench. */
export function serving(ready: Ready): void {
  process.on("message", (question) => {
    if (question !== "cpu") return;
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system } satisfies CpuReading);
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.(ready);
}

/** The port a server listens on. */
export function portOf(server: Pick<Server, "address">): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return address.port;
}

/** Where every secured server writes its lines, given by the bench. */
export const logPath = process.env["BENCH_LOG"] ?? "/dev/null";

/**
 * Writes log lines in batches of 64 KiB or every 100 ms, whichever comes first; the cheapest way there is, and the same
 * for every peer that brings no batching of its own.
 */
export function lineWriter(path: string): { write(line: string): void } {
  const file = openSync(path, "a");
  let waiting = "";
  const flush = (): void => {
    if (waiting !== "") writeSync(file, waiting);
    waiting = "";
  };
  setInterval(flush, 100).unref();
  return {
    write(line) {
      waiting += line;
      if (waiting.length >= 65_536) flush();
    },
  };
}
