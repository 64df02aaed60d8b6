import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { memoryKeyStore } from "portcullis";
import { createApiWith } from "../packages/portcullis/src/api.ts";
import { standardGates } from "../packages/portcullis/src/pipeline.ts";
import { declareProjects } from "./projects-api.ts";
import type { Kind } from "./requests.ts";
import { median } from "./rounds.ts";
import { synthesise } from "./synthetic.ts";
import { clockCost, timeGates } from "./timed-gates.ts";
import { callerCount } from "./world.ts";

/**
 * Microseconds per gate, and memory with one and with a million callers: `npm run bench:gates`. In this process, without
 * sockets; 1,000 callers in turn, 50 requests under way at once.
 */
const batches = 120;
const warmUpBatches = 80;
const atOnce = 50;

const clockMicros = Math.min(clockCost(), clockCost(), clockCost());
for (const kind of ["get", "post"] as const) await report(kind);
const memory = spawnSync(
  process.execPath,
  ["--conditions=source", "--expose-gc", fileURLToPath(new URL("./memory.ts", import.meta.url))],
  { stdio: ["ignore", "inherit", "inherit"] },
);
process.exitCode = memory.status ?? 1;

async function report(kind: Kind): Promise<void> {
  const { perGate, timedTotal } = await timedRun(kind);
  const total = await plainRun(kind);
  console.log(
    `\n${kind === "get" ? "Authenticated GET" : "Validated POST"}: ${total.toFixed(2)} us per request in all`,
  );
  let known = 0;
  for (const [name, micros] of perGate) {
    if (micros === undefined) continue;
    known += micros;
    console.log(row(name, micros, total));
  }
  const rest = Math.max(0, total - known);
  console.log(row("between the gates, and after waiting", rest, total));
  console.log(`  with every gate timed: ${timedTotal.toFixed(2)} us`);
}

/** Median microseconds per request of each gate; undefined where the route's policy leaves it nothing to do. */
async function timedRun(kind: Kind) {
  const timed = timeGates(standardGates, clockMicros);
  const drive = prepare(kind, timed.gates);
  const samples = new Map<string, number[]>();
  const totals: number[] = [];
  for (let batch = 0; batch < warmUpBatches + batches; batch++) {
    const micros = await drive();
    const taken = timed.take();
    if (batch < warmUpBatches) continue;
    totals.push(micros);
    for (const [name, spent] of taken) samples.set(name, [...(samples.get(name) ?? []), spent / callerCount]);
  }
  const perGate = [...samples].map(([name, own]) => {
    return [name, own.every((one) => one === 0) ? undefined : Math.max(0, median(own))] as const;
  });
  return { perGate, timedTotal: median(totals) };
}

/** Median microseconds per request with the gates as they are. */
async function plainRun(kind: Kind): Promise<number> {
  const drive = prepare(kind, standardGates);
  const totals: number[] = [];
  for (let batch = 0; batch < warmUpBatches + batches; batch++) {
    const micros = await drive();
    if (batch >= warmUpBatches) totals.push(micros);
  }
  return median(totals);
}

/** Makes a function that sends one request of every caller and says how long one took, in microseconds of processor time. */
function prepare(kind: Kind, gates: typeof standardGates): () => Promise<number> {
  const api = declareProjects({
    create: (config) => createApiWith(config, gates),
    keys: memoryKeyStore(),
    // The line is written and thrown away: what a disk or a pipe costs is not the gate's.
    audit: { sinks: [{ name: "nowhere", write: (batch) => void batch.text() }] },
  });
  api.start({ adapter: "bench", tls: "none", loopbackOnly: true, unknown: [] });
  const requests = synthesise(kind);
  return async function drive() {
    let micros = 0;
    for (let first = 0; first < callerCount; first += atOnce) {
      const arrivals = Array.from({ length: atOnce }, (_, i) => requests.arrival(first + i));
      const before = process.cpuUsage();
      const answered = await Promise.all(arrivals.map(async (arrival) => api.handle(arrival)));
      for (const handled of answered) handled.finished(false);
      const { user, system } = process.cpuUsage(before);
      micros += user + system;
      const wrong = answered.find(({ answer }) => answer.status >= 300);
      if (wrong !== undefined) throw new Error(`refused: ${wrong.answer.body}`);
      // Sinks and timers have their turn, as on a server.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return micros / callerCount;
  };
}

function row(name: string, micros: number, total: number): string {
  return `  ${name.padEnd(38)}${micros.toFixed(2).padStart(7)} us ${((micros / total) * 100).toFixed(1).padStart(6)} %`;
}
