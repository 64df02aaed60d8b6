import type { Comparison, Measured } from "./compare.ts";
import type { Machine } from "./machine.ts";
import type { ServerName } from "./server-process.ts";

/** The result of a run. A ratio is work per processor second, ours in parts of theirs; higher is better. */
export interface BenchResult {
  readonly ratioToBare: Ratios;
  readonly ratioToFastify: Ratios;
  readonly ratioToHono: Ratios;
  readonly ratioToExpress: Ratios;
  /** GET with tokens that were never seen before. */
  readonly coldTokens: { readonly ratioToBare: number; readonly ratioToFastify: number };
  /** GET with API keys that were seen before, beside the bare server. */
  readonly apiKeys: { readonly ratioToBare: number };
  readonly runs: Runs;
  readonly machine: Machine;
}

interface Ratios {
  readonly get: number;
  readonly post: number;
}

interface Runs {
  readonly get: Comparison;
  readonly post: Comparison;
  readonly cold: Comparison;
  readonly apiKeys: Comparison;
}

/** Sums up the runs. */
export function resultOf(runs: Runs, machine: Machine): BenchResult {
  const against = (peer: ServerName): Ratios => ({
    get: ratio(runs.get, peer),
    post: ratio(runs.post, peer),
  });
  return {
    ratioToBare: against("bare"),
    ratioToFastify: against("fastify"),
    ratioToHono: against("hono"),
    ratioToExpress: against("express"),
    coldTokens: { ratioToBare: ratio(runs.cold, "bare"), ratioToFastify: ratio(runs.cold, "fastify") },
    apiKeys: { ratioToBare: ratio(runs.apiKeys, "bare") },
    runs,
    machine,
  };
}

/** The result as a table for the terminal. */
export function tableOf(result: BenchResult): string {
  return titledRuns(result)
    .map(([title, run]) => `${title}\n${rowsOf(run).map(terminalRow).join("\n")}\n`)
    .concat(summary(result).join("\n"), "")
    .join("\n");
}

/** The result as a page. */
export function markdownOf(result: BenchResult): string {
  const { machine } = result;
  const head =
    "| server | CPU us/request | of bare | lowest .. highest round | requests/s |\n| --- | ---: | ---: | ---: | ---: |";
  const parts = titledRuns(result).map(([title, run]) => {
    const rows = rowsOf(run).map((row) => `| ${row.join(" | ")} |`);
    return `## ${title}\n\n${head}\n${rows.join("\n")}\n`;
  });
  return [
    "# Results of the bench",
    "",
    "Written by `npm run bench -- --write`; how it is measured stands in README.md. Processor time is what counts; requests",
    "per second also say how busy the machine was.",
    "",
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}, ${machine.date}; ` +
      `${machine.rounds} interleaved rounds, ${machine.pinned ? "server on core 0 and load on core 1" : "not pinned"}.`,
    "",
    ...summary(result).map((line) => `- ${line}`),
    "",
    ...parts,
  ].join("\n");
}

function titledRuns({ runs }: BenchResult): readonly (readonly [string, Comparison])[] {
  return [
    ["Authenticated GET, 1,000 warm tokens", runs.get],
    ["Validated POST, 1,000 warm tokens", runs.post],
    ["Authenticated GET, every token new", runs.cold],
    ["Authenticated GET, 1,000 warm API keys", runs.apiKeys],
  ];
}

function summary(result: BenchResult): readonly string[] {
  const pair = ({ get, post }: Ratios): string => `GET ${get.toFixed(2)}, POST ${post.toFixed(2)}`;
  return [
    `portcullis to bare node:http: ${pair(result.ratioToBare)}`,
    `portcullis to secured fastify: ${pair(result.ratioToFastify)}`,
    `portcullis to secured hono: ${pair(result.ratioToHono)}`,
    `portcullis to secured express: ${pair(result.ratioToExpress)}`,
    `cold tokens: ${result.coldTokens.ratioToBare.toFixed(2)} of bare, ${result.coldTokens.ratioToFastify.toFixed(2)} of fastify`,
    `API keys: ${result.apiKeys.ratioToBare.toFixed(2)} of bare`,
  ];
}

type Row = readonly [name: string, cpu: string, ratio: string, range: string, perSecond: string];

function rowsOf(run: Comparison): readonly Row[] {
  return Object.entries(run.servers).map(([name, measured]) => rowOf(name, measured));
}

function rowOf(name: string, { cpuMicros, requestsPerSecond, ratioToBare, ratioRange }: Measured): Row {
  const [low, high] = ratioRange;
  const range = `${low.toFixed(2)} .. ${high.toFixed(2)}`;
  return [name, cpuMicros.toFixed(1), ratioToBare.toFixed(3), range, String(Math.round(requestsPerSecond))];
}

function terminalRow([name, cpu, ratio, range, perSecond]: Row): string {
  return `  ${name.padEnd(12)}${cpu.padStart(8)} us ${ratio.padStart(7)} of bare  (${range})  ${perSecond.padStart(7)}/s`;
}

/** Ours to a peer's: how much more work a processor second does here. */
function ratio(run: Comparison, peer: ServerName): number {
  const own = run.servers.portcullis?.ratioToBare ?? Number.NaN;
  const theirs = run.servers[peer]?.ratioToBare ?? Number.NaN;
  return Math.round((own / theirs) * 1_000) / 1_000;
}
