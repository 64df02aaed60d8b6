import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Attempt } from "./attempt.ts";
import { type Subject, subjects, twins } from "./mutants.ts";
import { jsonOf, markdownOf, textOf } from "./report.ts";
import { type Outcome, outcomeOf, scoreOf } from "./score.ts";

/**
 * Scans every reference API with one mistake in it, and every clean twin, two at a time, and says what was found.
 *
 *   npm run matrix
 *   npm run matrix -- --only fastify           one variant, one name in every variant, or one API such as hono/jwt-exp
 *   npm run matrix -- --write                  keeps results.md and results.json
 *   npm run matrix -- --json                   the last line is { mutants, detected, falseFindings, recall, precision }
 *   npm run matrix -- --seconds 60 --minutes 90   on a machine that has other work; the measure is 20 and 25
 */
const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    write: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "20" },
    minutes: { type: "string", default: "25" },
  },
});

const wanted = [...twins, ...subjects].filter(
  ({ id, variant, name }) => values.only.length === 0 || values.only.some((one) => [id, variant, name].includes(one)),
);
if (wanted.length === 0) throw new Error(`nothing is called ${values.only.join(" or ")}`);
const startedAt = performance.now();
const endsAt = startedAt + Number(values.minutes) * 60_000;

const outcomes: Outcome[] = [];
// The variants take turns, so that a run that is cut short has seen a little of each.
const waiting = [...wanted].sort((left, right) => placeOf(left) - placeOf(right));
await Promise.all([work(), work()]);
outcomes.sort((left, right) => wanted.indexOf(left.subject) - wanted.indexOf(right.subject));

const score = scoreOf(outcomes);
const run = { score, outcomes, minutes: (performance.now() - startedAt) / 60_000, seconds: Number(values.seconds) };
process.stdout.write(textOf(run));
if (values.write) {
  await writeFile(join(import.meta.dirname, "results.md"), markdownOf(run));
  await writeFile(join(import.meta.dirname, "results.json"), jsonOf(run));
}
if (values.json) {
  const { mutants, detected, falseFindings, recall, precision } = score.all;
  process.stdout.write(`${JSON.stringify({ mutants, detected, falseFindings, recall, precision })}\n`);
}

function placeOf(subject: Subject): number {
  return wanted.filter(({ variant }) => variant === subject.variant).indexOf(subject);
}

async function work(): Promise<void> {
  let ready = begin();
  for (let subject = waiting.shift(); subject !== undefined; subject = waiting.shift()) {
    const mine = ready;
    if (performance.now() < endsAt) mine.child.stdin.end(subject.id);
    const running = performance.now() < endsAt ? resultOf(mine) : undefined;
    if (running !== undefined && waiting.length > 0) ready = begin();
    const attempt = (await running) ?? failed(`not run: ${values.minutes} minutes were over`);
    const outcome = outcomeOf(subject, attempt);
    outcomes.push(outcome);
    process.stdout.write(`${String(outcomes.length).padStart(3)}/${wanted.length} ${lineOf(outcome)}\n`);
  }
  ready.child.stdin.end();
}

/**
 * A process of its own for one scan, so that it can be ended, and so that no mistake outlives it. It loads what it needs
 * while the scan before it runs, and waits to be told what to scan.
 */
function begin() {
  const child = spawn(process.execPath, ["--conditions=source", join(import.meta.dirname, "attempt.ts")], {
    stdio: ["pipe", "pipe", "pipe"],
    // What every one of them loads is compiled once.
    env: { ...process.env, NODE_COMPILE_CACHE: join(import.meta.dirname, "../node_modules/.cache/matrix") },
  });
  const said = { out: "", errors: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.errors += chunk.toString()));
  // One that could not even start says why on standard error, and is told nothing.
  child.stdin.on("error", () => undefined);
  return { child, said, closed: once(child, "close") };
}

async function resultOf({ child, said, closed }: ReturnType<typeof begin>): Promise<Attempt> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, Number(values.seconds) * 1000);
  await closed;
  clearTimeout(timer);
  if (isLate) return failed(`took longer than ${values.seconds} s`);
  const last = said.out.trim().split("\n").at(-1) ?? "";
  if (!last.startsWith("{")) return failed(`ended without a result: ${said.errors.trim().split("\n").at(-1) ?? ""}`);
  const attempt: Attempt = JSON.parse(last);
  return attempt;
}

function failed(why: string): Attempt {
  return { broken: {}, inconclusive: {}, requests: 0, durationMs: 0, failed: why };
}

function lineOf({ subject, attempt, isDetected, falseIds }: Outcome): string {
  const seconds = `${(attempt.durationMs / 1000).toFixed(1)} s`.padStart(7);
  const expected = subject.mutant?.expects.join(" or ") ?? "nothing";
  const said = subject.mutant === undefined ? "" : isDetected ? "found" : "MISSED";
  const wrong = falseIds.length === 0 ? "" : ` FALSE ${falseIds.join(", ")}`;
  return `${subject.id.padEnd(34)}${seconds} ${said.padEnd(6)} ${expected}${wrong}${attempt.failed === undefined ? "" : ` (${attempt.failed})`}`;
}
