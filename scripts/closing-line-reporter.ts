import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** How many tests ended how. Nothing is left out: what is neither passed nor skipped is failed. */
export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** The one line a run of tests closes with, for example `12 passed, 0 failed, 1 skipped`. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * Counts what vitest ran. A file that did not load, a suite whose hook threw and an error outside any test are one
 * failure each; a test that never ended is a failure; a todo is skipped.
 */
export function countResults(
  modules: readonly Pick<TestModule, "children" | "errors">[],
  unhandledErrors: readonly unknown[],
): Counts {
  const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
  for (const module of modules) {
    if (module.errors().length > 0) counts.failed += 1;
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) counts.failed += 1;
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      counts[state === "pending" ? "failed" : state] += 1;
    }
  }
  return counts;
}

/**
 * Vitest reporter: ends a run with the closing line, or, when the environment names a file in `PORTCULLIS_COUNTS`,
 * writes the counts there as JSON, so that `./test` can add its own stages and print one line for all.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = countResults(modules, unhandledErrors);
    const file = process.env["PORTCULLIS_COUNTS"];
    if (file === undefined) console.log(closingLine(counts));
    else writeFileSync(file, JSON.stringify(counts));
  }
}
