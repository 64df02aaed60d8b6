import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { holes } from "../../soak/holes.ts";
import { scanned } from "../../soak/probes.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";

// Each is a process of its own, and a scan of it.
vi.setConfig({ testTimeout: 120_000 });

describe("oauth: what the prover says of this server", () => {
  let stores: TestStores;
  beforeAll(async () => {
    stores = await embeddedStores();
  });
  afterAll(() => stores.stop());

  it("held, by its own manifest", async () => {
    expect(await scanned(stores, undefined)).toBe("held");
  });

  // A slice; `npm run proofs` opens each of them.
  const isWhole = process.env["PORTCULLIS_PROOFS"] === "all";

  it.each(holes.slice(0, isWhole ? holes.length : 1).map(({ name }, index) => [name, index] as const))(
    "broken, where %s",
    async (_name, index) => {
      expect(await scanned(stores, index)).toBe("broken");
    },
  );
});
