import { openLoad, type Load, type LoadEnd } from "./load.ts";
import type { ServerProcess } from "./server-process.ts";

/** One server under load for one stretch. */
export interface Sample {
  /** Processor time of the server process per request, user and system, in microseconds. */
  readonly cpuMicros: number;
  readonly requestsPerSecond: number;
}

/** A thing to measure again and again: a server with the requests it is sent. */
export interface Contender {
  readonly server: ServerProcess;
  /** The requests of one stretch; asked anew for each, so that cold tokens can be cold every time. */
  requests(): readonly Buffer[];
}

/** How long one measured stretch is, and what goes before it. */
export interface Stretch {
  /** Sent before the measuring begins, on the same connections. */
  readonly warmUp: (requests: readonly Buffer[]) => { readonly requests: readonly Buffer[]; readonly end: LoadEnd };
  readonly end: LoadEnd;
}

/** Requests under way at once. */
export const connections = 64;

/** Drives a server for one stretch and asks it what that cost. @throws Error at any answer that is not 2xx */
export async function measure(contender: Contender, stretch: Stretch): Promise<Sample> {
  const { server } = contender;
  const load = await openLoad(server.port, connections);
  try {
    const requests = contender.requests();
    const first = stretch.warmUp(requests);
    await drive(load, server, first.requests, first.end);
    return await drive(load, server, requests, stretch.end);
  } finally {
    load.close();
  }
}

/**
 * Runs rounds in which each contender has its turn, each round beginning with another one, until there are enough.
 * A round in which the first contender leaves 20 % of its own median is run again, until as many have been repeated as there
 * are rounds: somebody else was using the machine.
 *
 * @param contenders  the first one is what the others are compared with
 * @returns per contender its samples, in the order of the rounds
 */
export async function interleave(
  contenders: readonly Contender[],
  stretch: Stretch,
  rounds: number,
  onRound: (done: number, repeated: number) => void,
): Promise<{ readonly samples: readonly (readonly Sample[])[]; readonly repeated: number }> {
  const kept: (readonly Sample[])[] = [];
  let repeated = 0;
  for (let round = 0; kept.length < rounds; round++) {
    const turn = new Map<number, Sample>();
    for (let i = 0; i < contenders.length; i++) {
      const place = (i + round) % contenders.length;
      const contender = contenders[place];
      if (contender !== undefined) turn.set(place, await measure(contender, stretch));
    }
    kept.push(contenders.flatMap((_, place) => turn.get(place) ?? []));
    if (kept.length === rounds && repeated < rounds) {
      const typical = median(kept.map(([first]) => first?.cpuMicros ?? Number.NaN));
      const steady = kept.filter(([first]) => Math.abs((first?.cpuMicros ?? Infinity) - typical) <= typical * 0.2);
      repeated += kept.length - steady.length;
      kept.splice(0, kept.length, ...steady);
    }
    onRound(kept.length, repeated);
  }
  return { samples: contenders.map((_, i) => kept.flatMap((round) => round[i] ?? [])), repeated };
}

/** The middle of some numbers; the mean of the two middle ones where they are even in number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

async function drive(load: Load, server: ServerProcess, requests: readonly Buffer[], end: LoadEnd): Promise<Sample> {
  const before = await server.cpuMicros();
  const result = await load.run(requests, end);
  const after = await server.cpuMicros();
  return {
    cpuMicros: (after - before) / result.requests,
    requestsPerSecond: (result.requests / result.wallMs) * 1_000,
  };
}
