import { describe, expect, it } from "vitest";
import { identityOf, scan } from "../src/scan.ts";
import { type Hole, holes } from "./notes/holes.ts";
import { manifest } from "./notes/manifest.ts";
import { startNotes } from "./notes/server.ts";

async function scanNotes(open: readonly Hole[], only: readonly string[] = []) {
  const notes = await startNotes(open);
  const { tokens, url, account, jwtSecret } = notes;
  try {
    return await scan({
      url,
      manifest,
      only,
      identities: [
        identityOf("alice", `Bearer ${tokens.alice}`),
        identityOf("bob", `Bearer ${tokens.bob}`),
        identityOf("admin", `Bearer ${tokens.admin}`, ["admin"]),
      ],
      accounts: [account],
      jwtKey: jwtSecret,
      seed: 11,
    });
  } finally {
    await notes.close();
  }
}

async function expectFound(hole: Hole) {
  const protection = hole.slice(0, hole.indexOf(":"));
  const result = await scanNotes([hole], [protection]);
  const found = result.protections.find((entry) => entry.protection === protection);
  expect(found).toMatchObject({ verdict: "broken" });
  expect(result.exitCode).toBe(1);
}

const isAboutPace = (hole: Hole) => hole.startsWith("rate-limit:");

describe("an API written by hand", { timeout: 60_000 }, () => {
  it("gives no finding and leaves nothing inconclusive while it is clean", async () => {
    const result = await scanNotes([]);
    const open = result.verdicts.filter(({ verdict }) => verdict === "broken" || verdict === "inconclusive");
    expect(
      open.map(({ protection, check, operation, why }) => `${protection} ${check} ${operation ?? ""}: ${why}`),
    ).toEqual([]);
    expect(result.exitCode).toBe(0);
    expect(result.leftovers).toEqual([]);
  });

  // Alone, since their bursts have to be there in time.
  it.each(holes.filter(isAboutPace))("is found with one hole: %s", expectFound);

  // Side by side, each with an API of its own: most of a scan is waiting.
  it.concurrent.each(holes.filter((hole) => !isAboutPace(hole)))("is found with one hole: %s", expectFound);
});
