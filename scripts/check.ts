/**
 * Everything `./test` checks, in order: types, lint, format, then every test; its arguments go to vitest. On a machine
 * that is thrown away, the servers that tests need are installed first.
 *
 * Each stage before the tests counts as one test. All of them run, also after one failed, and the last line is
 * `N passed, N failed, N skipped`. Exit code 0 only if nothing failed and at least one test ran.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closingLine, type Counts } from "./closing-line-reporter.ts";
import { installSystemPackages } from "./system-packages.ts";

const root = join(import.meta.dirname, "..");

const stages = [
  { name: "types", command: ["tsc", "-b"] },
  { name: "lint", command: ["oxlint"] },
  { name: "format", command: ["biome", "format", "."] },
] as const;

if (import.meta.main) {
  installSystemPackages();
  const passedStages = stages.map(runStage);
  const total = addStages(passedStages, runTests(process.argv.slice(2)));
  console.log(closingLine(total));
  process.exitCode = total.failed === 0 ? 0 : 1;
}

/** One closing count for stages and tests together. */
export function addStages(passedStages: readonly boolean[], tests: Counts): Counts {
  const passed = passedStages.filter(Boolean).length;
  return {
    passed: tests.passed + passed,
    failed: tests.failed + passedStages.length - passed,
    skipped: tests.skipped,
  };
}

/**
 * What a run of vitest counts as. A run in which nothing passed or failed proves nothing, and one that ended badly
 * without naming a failed test (it crashed, or found no file) is not a success either: each is one failure.
 *
 * @param counted   what the reporter wrote; undefined when it wrote nothing
 * @param exitCode  vitest's; null when a signal ended it
 */
export function judgeTests(counted: Counts | undefined, exitCode: number | null): Counts {
  if (counted === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const isUnexplained = exitCode !== 0 && counted.failed === 0;
  const isEmpty = counted.passed + counted.failed === 0;
  return isUnexplained || isEmpty ? { ...counted, failed: counted.failed + 1 } : counted;
}

function runStage({ name, command: [program, ...args] }: (typeof stages)[number]): boolean {
  const startedAt = performance.now();
  const run = spawnSync(tool(program), args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const passed = run.status === 0;
  if (!passed) console.log(run.error?.message ?? `${run.stdout}${run.stderr}`.trimEnd());
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${name.padEnd(6)} ${passed ? "passed" : "FAILED"} ${seconds} s`);
  return passed;
}

function runTests(args: readonly string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-test-"));
  const countsFile = join(folder, "counts.json");
  try {
    const reporters = ["--reporter=default", `--reporter=${join(root, "scripts/closing-line-reporter.ts")}`];
    const run = spawnSync(tool("vitest"), ["run", ...reporters, ...args], {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, PORTCULLIS_COUNTS: countsFile },
    });
    return judgeTests(readCounts(countsFile), run.status);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readCounts(file: string): Counts | undefined {
  try {
    const counts: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isCounts(counts) ? counts : undefined;
  } catch {
    return undefined;
  }
}

function isCounts(value: unknown): value is Counts {
  if (typeof value !== "object" || value === null) return false;
  const { passed, failed, skipped }: Partial<Record<string, unknown>> = { ...value };
  return [passed, failed, skipped].every(Number.isInteger);
}

function tool(name: string): string {
  return join(root, "node_modules/.bin", name);
}
