import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source", "node", "import", "default"] },
  ssr: {
    resolve: {
      conditions: ["source", "node", "import", "default"],
      externalConditions: ["source", "node", "import", "default"],
    },
  },
  test: {
    include: ["tests/**/*.test.ts", "packages/*/test/**/*.test.ts"],
    testTimeout: 30_000,
    maxWorkers: 2,
  },
});
