import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { identityOf, scan } from "@portcullis/scan";
import type { ScanTarget } from "./scan-target.ts";

/**
 * How long a scan takes, how much it sends and how much memory it holds: generated APIs with 15 and 100 operations, at 50
 * requests in any second.
 *
 *   npm run bench:scan
 *   npm run bench:scan -- --write        keeps scan-results.md and scan-results.json
 *   npm run bench:scan -- --json         the last line is the result as one JSON object
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    rate: { type: "string", default: "50" },
    operations: { type: "string", multiple: true, default: ["15", "100"] },
  },
});

/** What the prover promises: seconds by operations, and requests per operation. */
const promised = {
  seconds: new Map([
    [15, 60],
    [100, 300],
  ]),
  requestsPerOperation: 120,
};

interface Measured {
  readonly operations: number;
  readonly seconds: number;
  readonly requests: number;
  readonly requestsPerOperation: number;
  readonly checks: number;
  readonly counts: Readonly<Record<string, number>>;
  /** Memory of the whole process, target included, MiB: before, at most, and how much more that is. */
  readonly rss: { readonly before: number; readonly peak: number; readonly growth: number };
  /** The same of the heap after a full collection, MiB: before and after the scan. */
  readonly heap: { readonly before: number; readonly after: number } | undefined;
  readonly cpuSeconds: number;
  readonly kept: boolean;
}

const rate = Number(values.rate);
const runs: Measured[] = [];
for (const operations of values.operations.map(Number)) {
  const measured = await measure(operations);
  runs.push(measured);
  process.stdout.write(`${lineOf(measured)}\n`);
}
const machine = {
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
};
const result = { machine, rate, profile: "quick", promised: promisedOf(), runs };
if (values.write) {
  await writeFile(join(import.meta.dirname, "scan-results.json"), `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(join(import.meta.dirname, "scan-results.md"), markdown());
}
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = runs.every(({ kept }) => kept) ? 0 : 1;

async function measure(operations: number): Promise<Measured> {
  const target = new Worker(new URL("./scan-target.ts", import.meta.url), { workerData: operations });
  const [facts]: ScanTarget[] = await once(target, "message");
  if (facts === undefined) throw new Error("the API said nothing of itself");
  const heapBefore = heapMiB();
  const before = mebibytes(process.memoryUsage.rss());
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, mebibytes(process.memoryUsage.rss()));
  }, 100);
  const cpu = process.cpuUsage();
  try {
    const scanned = await scan({
      url: facts.url,
      openapi: facts.openapi,
      identities: [
        identityOf("alice", `Bearer ${facts.tokens.alice}`),
        identityOf("bob", `Bearer ${facts.tokens.bob}`),
      ],
      jwtKey: facts.jwtKey,
      rate,
      seed: 20_260_101,
    });
    const { user, system } = process.cpuUsage(cpu);
    const seconds = scanned.durationMs / 1000;
    const perOperation = scanned.requests / scanned.target.operations;
    const most = promised.seconds.get(operations);
    const heapAfter = heapMiB();
    return {
      operations: scanned.target.operations,
      seconds: rounded(seconds),
      requests: scanned.requests,
      requestsPerOperation: rounded(perOperation),
      checks: scanned.verdicts.length,
      counts: scanned.counts,
      rss: { before, peak, growth: rounded(peak - before) },
      heap: heapBefore === undefined || heapAfter === undefined ? undefined : { before: heapBefore, after: heapAfter },
      cpuSeconds: rounded((user + system) / 1e6),
      kept: (most === undefined || seconds < most) && perOperation <= promised.requestsPerOperation,
    };
  } finally {
    clearInterval(sampling);
    target.postMessage("close", []);
  }
}

function heapMiB(): number | undefined {
  if (global.gc === undefined) return undefined;
  global.gc();
  return mebibytes(process.memoryUsage().heapUsed);
}

function lineOf({ operations, seconds, requests, requestsPerOperation, rss, heap, counts, kept }: Measured): string {
  const verdicts = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
  const held = heap === undefined ? "" : `, heap ${heap.before} to ${heap.after} MiB`;
  return `${String(operations).padStart(4)} operations: ${seconds} s, ${requests} requests (${requestsPerOperation} each), memory ${rss.before} to ${rss.peak} MiB at most${held}; ${verdicts.join(", ")}${kept ? "" : "  NOT AS PROMISED"}`;
}

function promisedOf() {
  return { seconds: Object.fromEntries(promised.seconds), requestsPerOperation: promised.requestsPerOperation };
}

function markdown(): string {
  const rows = runs.map(
    ({ operations, seconds, requests, requestsPerOperation, cpuSeconds, rss, heap }) =>
      `| ${operations} | ${seconds} s | ${promised.seconds.get(operations) ?? "–"} s | ${requests} | ${requestsPerOperation} | ${cpuSeconds} s | ${rss.before} → ${rss.peak} MiB | ${heap === undefined ? "–" : `${heap.before} → ${heap.after} MiB`} |`,
  );
  return `# How long a scan takes

\`npm run bench:scan -- --write\`, ${machine.date}, Node ${machine.node}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB. Generated APIs on
Fastify, described by OpenAPI, two callers, \`--profile quick --rate ${rate}\`: at most ${rate} requests in any second. At most
${promised.requestsPerOperation} requests per operation are promised.

| operations | took | promised | requests | per operation | processor time, API included | memory, API included | heap after collection |
|---:|---:|---:|---:|---:|---:|---:|---:|
${rows.join("\n")}
`;
}

function mebibytes(bytes: number): number {
  return rounded(bytes / 2 ** 20);
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
