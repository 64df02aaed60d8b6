import { afterAll, describe, expect, it } from "vitest";
import { efforts } from "../src/effort.ts";
import type { Planned } from "../src/scan.ts";
import { scanThings, startThings } from "./things.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

/** Scans and says what was announced before anything was attacked. */
async function announced(more: Parameters<typeof scanThings>[2]): Promise<Planned> {
  const { url, close } = await startThings();
  closing.push(close);
  const all: Planned[] = [];
  let attacks = 0;
  const result = await scanThings(url, ["authentication", "rate-limit"], {
    ...more,
    onPlanned: (planned) => {
      expect(attacks).toBe(0);
      all.push(planned);
    },
    onVerdict: () => (attacks += 1),
  });
  expect(all).toHaveLength(1);
  expect(result.counts.broken).toBe(0);
  const [planned] = all;
  if (planned === undefined) throw new Error("nothing was announced");
  return planned;
}

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("what a scan says before it attacks", () => {
  it("is how many checks of how many operations, by which profile, and how long", async () => {
    const planned = await announced({});
    expect(planned).toMatchObject({ operations: 6, profile: "quick" });
    expect(planned.checks).toBeGreaterThan(6);
    expect(planned.aboutMs).toBeGreaterThan(500);
    expect(planned.aboutMs).toBeLessThan(60_000);
  });

  it("is longer where fewer requests in a second are allowed", async () => {
    const [usual, slow] = await Promise.all([
      announced({ profile: "full", patienceMs: 10_000 }),
      announced({ profile: "full", patienceMs: 10_000, rate: 40 }),
    ]);
    expect(usual.profile).toBe("full");
    expect(slow.aboutMs).toBeGreaterThan(usual.aboutMs);
  });
});

describe("the full profile", () => {
  it("does more of everything than the quick one, and leaves out nothing of it", () => {
    expect(efforts.full.pairs).toBeGreaterThan(efforts.quick.pairs);
    expect(efforts.full.samples).toBeGreaterThan(efforts.quick.samples);
    expect(efforts.full.patienceMs).toBeGreaterThan(efforts.quick.patienceMs);
    expect([efforts.quick.everyLimit, efforts.full.everyLimit]).toEqual([false, true]);
  });
});
