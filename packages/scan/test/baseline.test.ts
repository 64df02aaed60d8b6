import { describe, expect, it } from "vitest";
import { readBaseline, updatedBaseline } from "../src/baseline.ts";
import { fingerprintOf } from "../src/finding.ts";
import { exitCodeOf, isClosedBy, openFindings, reportOf } from "../src/report.ts";
import { tableReport } from "../src/reporters.ts";
import { reportWith, resultOf, verdictOf } from "./report-of.ts";

const hole = verdictOf("cors", "origin-null");
const print = fingerprintOf(hole);
const now = Date.parse("2026-06-15T12:00:00Z");

const entry = (changed: Readonly<Record<string, unknown>> = {}) => ({
  fingerprint: print,
  protection: "cors",
  check: "origin-null",
  operation: "GET /things/:id",
  owner: "ana@example.com",
  reason: "accepted",
  expires: "2026-06-15",
  ...changed,
});
const baselineOf = (...entries: readonly unknown[]) => readBaseline(JSON.stringify({ format: 1, entries }));

describe("a baseline", () => {
  it("lets a finding stand whose entry has owner, reason and a day that has not passed", () => {
    const report = reportWith([hole], { baseline: baselineOf(entry()), now });
    expect(openFindings(report)).toEqual([]);
    expect(exitCodeOf(report)).toBe(0);
    expect(tableReport(report)).toContain("1 finding (accepted, ana@example.com until 2026-06-15): cors");
  });

  it.each([
    ["has expired", { expires: "2026-06-14" }, "its baseline entry expired on 2026-06-14, ana@example.com owns it"],
    ["has no owner", { owner: " " }, "its baseline entry has no owner"],
    ["has no reason", { reason: "" }, "has no reason"],
    ["has another reason", { reason: "later" }, "has no reason (false-positive, accepted, mitigated, not-applicable)"],
    ["has no day", { expires: undefined }, "has no day it expires"],
    ["has no real day", { expires: "2026-02-31" }, "has no day it expires"],
    ["never expires", { expires: "never" }, "has no day it expires"],
  ])("counts for nothing where an entry %s, and every report says so", (_what, changed, said) => {
    const report = reportWith([hole], { baseline: baselineOf(entry(changed)), now });
    expect(openFindings(report)).toHaveLength(1);
    expect(report.findings[0]?.lapsed).toContain(said);
    expect(exitCodeOf(report)).toBe(1);
    expect(tableReport(report, { width: 160 })).toContain("it counts: ");
  });

  it("counts to the last moment of its day, in UTC", () => {
    const baseline = baselineOf(entry());
    const at = (time: string) => openFindings(reportWith([hole], { baseline, now: Date.parse(time) })).length;
    expect(at("2026-06-15T23:59:59.999Z")).toBe(0);
    expect(at("2026-06-16T00:00:00.000Z")).toBe(1);
  });

  it("lets no other finding stand, of the same check elsewhere neither", () => {
    const elsewhere = verdictOf("cors", "origin-null", { operation: "GET /others" });
    const report = reportWith([hole, elsewhere], { baseline: baselineOf(entry()), now });
    expect(openFindings(report).map(({ operation }) => operation)).toEqual(["GET /others"]);
  });

  it("names entries whose finding was not seen", () => {
    const report = reportWith([verdictOf("cors", "origin-null", { verdict: "held" })], {
      baseline: baselineOf(entry()),
    });
    expect(report.unused).toHaveLength(1);
  });

  it.each([
    ["no JSON", "{"],
    ["another format", '{"format": 2, "entries": []}'],
    ["no list", '{"format": 1}'],
    ["an entry without a fingerprint", '{"format": 1, "entries": [{"owner": "ana"}]}'],
    ["two entries of one finding", JSON.stringify({ format: 1, entries: [entry(), entry()] })],
  ])("is refused as a whole where it is %s", (_what, text) => {
    expect(() => readBaseline(text)).toThrow(/baseline/);
  });
});

describe("updating a baseline", () => {
  it("adds entries that count for nothing until somebody signs them", () => {
    const { findings } = reportWith([hole]);
    const baseline = updatedBaseline(undefined, findings, () => false);
    expect(baseline.entries).toEqual([
      expect.objectContaining({ fingerprint: print, owner: "", reason: "", expires: "" }),
    ]);
    expect(openFindings(reportWith([hole], { baseline }))).toHaveLength(1);
  });

  it("signs new entries where it is told who, why and how long, and renews none", () => {
    const old = baselineOf(entry({ expires: "2020-01-01" }));
    const other = verdictOf("jwt", "alg-none");
    const { findings } = reportWith([hole, other]);
    const signed = { owner: "bo", reason: "mitigated", expires: "2026-12-31" };
    const { entries } = updatedBaseline(old, findings, () => false, signed);
    expect(entries.map(({ check, owner, expires }) => [check, owner, expires])).toEqual([
      ["origin-null", "ana@example.com", "2020-01-01"],
      ["alg-none", "bo", "2026-12-31"],
    ]);
  });

  it("takes out what is proved closed, and keeps what was not looked at", () => {
    const old = baselineOf(entry(), entry({ fingerprint: "0".repeat(32), protection: "jwt", check: "alg-none" }));
    const result = resultOf([{ ...hole, verdict: "held" }]);
    const { entries } = updatedBaseline(old, [], (one) => isClosedBy(result, one));
    expect(entries.map(({ check }) => check)).toEqual(["alg-none"]);
  });
});

describe("the difference to an earlier scan", () => {
  const gone = {
    fingerprint: print,
    protection: "cors",
    check: "origin-null",
    operation: "GET /things/:id",
    why: "Null.",
  };

  it("calls new what was not there, unchanged what was, and fixed what holds now", () => {
    const fresh = verdictOf("jwt", "alg-none");
    const held = { ...hole, verdict: "held" } as const;
    const later = reportOf(resultOf([held, fresh]), { before: [gone] });
    expect(later.difference).toMatchObject({ new: 1, unchanged: 0, fixed: [gone], undecided: [] });
    expect(reportOf(resultOf([hole]), { before: [gone] }).difference).toMatchObject({
      new: 0,
      unchanged: 1,
      fixed: [],
    });
  });

  it.each([
    ["inconclusive now", [{ ...hole, verdict: "inconclusive" } as const]],
    ["not looked at", []],
    [
      "held elsewhere only",
      [
        verdictOf("cors", "origin-null", { verdict: "inconclusive" }),
        verdictOf("cors", "vary", { verdict: "held", operation: "GET /b" }),
      ],
    ],
  ])("never calls fixed what is %s", (_what, verdicts) => {
    const { difference } = reportOf(resultOf(verdicts), { before: [gone] });
    expect(difference).toMatchObject({ fixed: [], undecided: [gone] });
  });
});

describe("the exit code", () => {
  const low = verdictOf("errors", "shape");
  const unsure = verdictOf("jwt", "alg-none", { verdict: "inconclusive" });

  it.each([
    [[low], "low", 1],
    [[low], "medium", 0],
    [[low, unsure], "medium", 2],
    [[low, unsure], "never", 0],
    [[verdictOf("jwt", "alg-none")], "critical", 1],
    [[verdictOf("cors", "origin-null")], "critical", 0],
    [[unsure], "low", 2],
    [[], "low", 0],
  ] as const)("of %j with --fail-on %s is %i", (verdicts, failOn, code) => {
    expect(exitCodeOf(reportWith(verdicts), failOn)).toBe(code);
  });
});
