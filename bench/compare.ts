import { median, type Sample } from "./rounds.ts";
import type { ServerName } from "./server-process.ts";

/** What some servers needed for the same requests. */
export interface Comparison {
  readonly servers: Readonly<Partial<Record<ServerName, Measured>>>;
  /** Rounds that were run again because the bare server was not steady in them. */
  readonly repeated: number;
}

/** One server's part. */
export interface Measured {
  /** Processor time per request, median of the rounds, in microseconds. */
  readonly cpuMicros: number;
  /** Requests per second, median of the rounds; says how busy the rest of the machine was, too. */
  readonly requestsPerSecond: number;
  /** Work per processor second in parts of the bare server's, median of the rounds' own ratios; higher is better. */
  readonly ratioToBare: number;
  /** The lowest and the highest of the rounds' ratios. */
  readonly ratioRange: readonly [number, number];
}

/** @param samples  per name, in the order of the rounds; the first name is the bare server */
export function compare(
  names: readonly ServerName[],
  samples: readonly (readonly Sample[])[],
  repeated: number,
): Comparison {
  const bare = samples[0] ?? [];
  const servers: Partial<Record<ServerName, Measured>> = {};
  names.forEach((name, place) => {
    const own = samples[place] ?? [];
    const ratios = own.map((sample, round) => (bare[round]?.cpuMicros ?? Number.NaN) / sample.cpuMicros);
    servers[name] = {
      cpuMicros: median(own.map(({ cpuMicros }) => cpuMicros)),
      requestsPerSecond: median(own.map(({ requestsPerSecond }) => requestsPerSecond)),
      ratioToBare: median(ratios),
      ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    };
  });
  return { servers, repeated };
}
