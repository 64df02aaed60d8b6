import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { holes } from "../../soak/holes.ts";
import { isFound, rows, scanned, verdictOf } from "../../soak/probes.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";

// Each is a process of its own, and a scan of it.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** The first of each row: in one instance, one scan finds them all, by nothing but accounts that sign in as people do. */
const firsts = rows.map((row) => holes.findIndex(({ protection }) => protection === row));
// A slice; `npm run proofs` opens each of them alone.

it("identity server: each hole is one place of our own source", () => {
  const places = holes.map(({ name, file, right }) => {
    const source = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
    return { name, times: source.split(right).length - 1 };
  });
  expect(places.filter(({ times }) => times !== 1)).toEqual([]);
});

describe("identity server: what the prover says of it", () => {
  let stores: TestStores;
  let asItIs: ReturnType<typeof scanned>;
  let withHoles: ReturnType<typeof scanned>;
  beforeAll(async () => {
    stores = await embeddedStores();
    asItIs = scanned(stores, { only: rows, isQuick: true });
    withHoles = scanned(stores, { only: rows, holes: firsts, byAccounts: true, isQuick: true });
    await Promise.allSettled([asItIs, withHoles]);
  });
  afterAll(() => stores.stop());

  it.each(rows)("%s: held, by its own manifest", async (row) => {
    const said = await asItIs;
    expect(said.verdicts.filter(({ verdict }) => verdict === "broken" || verdict === "inconclusive")).toEqual([]);
    expect(verdictOf(row, said)).toBe("held");
    expect(said.status).toBe(0);
  });

  it("is attacked as people who register by themselves and come in as browsers do, where nobody is given", async () => {
    const said = await scanned(stores, { only: ["authentication"], byNobody: true, isQuick: true });
    expect([said.stderr, said.status, verdictOf("authentication", said)]).toEqual(["", 0, "held"]);
  });

  it("sessions: also of the one that begins with a sign-in at the issuer, and of the form there", async () => {
    const held = (await asItIs).verdicts.filter(({ verdict }) => verdict === "held");
    const at = (where: string) => held.filter(({ operation }) => operation === where).map(({ check }) => check);
    expect(at("GET /auth/callback")).toEqual(
      expect.arrayContaining(["fixation", "rotation", "sign-out", "sign-out-everywhere", "session-in-url"]),
    );
    expect(at("POST /oauth/interaction/:uid/sign-in")).toEqual(["one-answer", "one-time"]);
  });

  it.each(firsts.map((index) => holes[index]).filter((hole) => hole !== undefined))(
    "$protection: broken, where $name",
    async (hole) => {
      const { verdicts } = await withHoles;
      expect(verdicts.filter((said) => isFound(hole, said))).not.toEqual([]);
    },
  );
});
