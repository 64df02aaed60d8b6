import { afterAll, describe, expect, it } from "vitest";
import { identityOf, scan, ScanError } from "../src/scan.ts";
import { description, startThings } from "./things.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

const who = [identityOf("alice", "Bearer token-of-alice"), identityOf("bob", "Bearer token-of-bob")];

describe("a scan with a time of its own", { timeout: 60_000 }, () => {
  it("ends in time where everything is answered late, with as much JSON as is read", async () => {
    const big = {
      items: Array.from({ length: 20_000 }, (_, index) => ({ id: `thing-${index}`, name: "x".repeat(60) })),
    };
    const { url, close } = await startThings({
      before: async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        return [200, big];
      },
    });
    closing.push(close);
    const started = performance.now();
    const scanning = scan({ url, openapi: description, identities: who, seed: 1, timeoutMs: 2000 });
    // Whether it had begun by then is the machine's to say; either way the time is the reason.
    const ended = await scanning.catch((error: unknown) => error);
    if (ended instanceof ScanError) expect(ended.message).toContain("could not begin: time ran out");
    else expect(ended).toMatchObject({ timedOut: true, exitCode: 2 });
    expect(performance.now() - started).toBeLessThan(25_000);
  });

  it("cannot begin where the time is over while the description is read", async () => {
    const { url, close } = await startThings({
      before: () => new Promise((resolve) => setTimeout(() => resolve([404]), 600)),
    });
    closing.push(close);
    const scanning = scan({ url, identities: [], timeoutMs: 1000 });
    await expect(scanning).rejects.toThrow(
      "the scan could not begin: time ran out before this was decided (--timeout)",
    );
  });

  it.each([0, 999, 604_800_001, Number.NaN])("takes no %d ms", async (timeoutMs) => {
    await expect(scan({ url: "http://localhost:1", identities: [], timeoutMs })).rejects.toThrow(
      "timeoutMs is 1000 to",
    );
  });
});
