import { vi } from "vitest";

// Tests whose matter is the cost itself, or what takes as long as what, say `vi.unmock` of it.
vi.mock("../src/identity/password-cost.ts", () => ({ usual: { memory: 64, passes: 2, parallelism: 1 } }));
