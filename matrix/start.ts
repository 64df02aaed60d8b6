import type { MutantName } from "./mutants.ts";
import type { Variant } from "./mutant.ts";
import { startExpress } from "./variants/express.ts";
import { startFastify } from "./variants/fastify.ts";
import { startHono } from "./variants/hono.ts";
import { startPortcullis } from "./variants/portcullis.ts";
import type { Running } from "./variants/running.ts";

/** Starts one API on this machine: the clean twin, or the one with this mistake. */
export function start(variant: Variant, on: MutantName | undefined): Promise<Running> {
  return starters[variant](on);
}

const starters: Readonly<Record<Variant, (on: MutantName | undefined) => Promise<Running>>> = {
  portcullis: startPortcullis,
  express: startExpress,
  fastify: startFastify,
  hono: startHono,
};
