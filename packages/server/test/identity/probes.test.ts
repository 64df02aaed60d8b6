import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { holes } from "../../soak/holes.ts";
import { isFound, rows, scanned, verdictOf } from "../../soak/probes.ts";
import { embeddedStores, type TestStores } from "../storage/open-stores.ts";

// Each is a process of its own, and a scan of it.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** The first of each row: in one instance, one scan finds them all. */
const firsts = rows.map((row) => holes.findIndex(({ protection }) => protection === row));
// A slice; `npm run proofs` opens each of them alone.
const isWhole = process.env["PORTCULLIS_PROOFS"] === "all";
const rest = isWhole ? [...holes.keys()].filter((index) => !firsts.includes(index)) : [];

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
    asItIs = scanned(stores, { only: rows });
    withHoles = scanned(stores, { only: rows, holes: firsts });
    await Promise.allSettled([asItIs, withHoles]);
  });
  afterAll(() => stores.stop());

  it.each(rows)("%s: held, by its own manifest", async (row) => {
    const said = await asItIs;
    expect(said.verdicts.filter(({ verdict }) => verdict === "broken" || verdict === "inconclusive")).toEqual([]);
    expect(verdictOf(row, said)).toBe("held");
    expect(said.status).toBe(0);
  });

  it.each(firsts.map((index) => holes[index]).filter((hole) => hole !== undefined))(
    "$protection: broken, where $name",
    async (hole) => {
      const { verdicts } = await withHoles;
      expect(verdicts.filter((said) => isFound(hole, said))).not.toEqual([]);
    },
  );

  it.each(rest)("broken, where hole %i is open", async (index) => {
    const hole = holes[index];
    if (hole === undefined) throw new Error("there is no such hole");
    const { verdicts } = await scanned(stores, { only: [hole.protection], holes: [index] });
    expect({ [hole.name]: verdicts.some((said) => isFound(hole, said)) }).toEqual({ [hole.name]: true });
  });
});
