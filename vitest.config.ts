import { defineConfig } from "vitest/config";
import ClosingLineReporter from "./scripts/closing-line-reporter.ts";

// Vitest hands these to its workers as --conditions; "import" or "default" here would make CommonJS load ESM builds.
const conditions = ["source", "node"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["tests/**/*.test.ts", "packages/*/test/**/*.test.ts"],
    testTimeout: 30_000,
    maxWorkers: 2,
    reporters: ["default", new ClosingLineReporter()],
  },
});
