import { cpus, totalmem } from "node:os";

/** Where and how a result came about. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly date: string;
  /** Server on core 0, load on core 1. */
  readonly pinned: boolean;
  readonly rounds: number;
  readonly quick: boolean;
}

/** Describes this machine and this run. */
export function describeMachine(run: Pick<Machine, "pinned" | "rounds" | "quick">): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    ...run,
  };
}
