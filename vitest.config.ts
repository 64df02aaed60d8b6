import { join } from "node:path";
import { defineConfig } from "vitest/config";
import ClosingLineReporter from "./scripts/closing-line-reporter.ts";
import TestOrder from "./scripts/test-order.ts";

// Vitest hands these to its workers as --conditions; "import" or "default" here would make CommonJS load ESM builds.
const conditions = ["source", "node"];

// Commands and servers that tests start are compiled once and not by each process; gone when packages are installed anew.
process.env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/node");

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["tests/**/*.test.ts", "packages/*/test/**/*.test.ts"],
    // Thousands of passwords are hashed where none of the tests is about what a hash costs.
    setupFiles: ["packages/server/test/cheap-passwords.ts"],
    sequence: { sequencer: TestOrder },
    // A busy machine is no failure: a server that starts, or a record that comes, is waited for, also while the disk still
    // writes what was installed a moment ago.
    testTimeout: 60_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 20_000 } },
    // On two cores, as CI has: one more than cores, since every third second of a test is waiting for a limit or a process.
    maxWorkers: 3,
    reporters: ["default", new ClosingLineReporter()],
  },
});
