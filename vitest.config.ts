import { defineConfig } from "vitest/config";
import ClosingLineReporter from "./scripts/closing-line-reporter.ts";

const conditions = ["source", "node", "import", "default"];

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
