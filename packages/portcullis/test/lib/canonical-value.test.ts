import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalBoolean, canonicalNumber } from "../../src/lib/canonical-value.ts";

describe("input: canonical numbers and booleans", () => {
  it.each([
    ["0", 0],
    ["12", 12],
    ["-3", -3],
    ["1.5", 1.5],
    ["-0.25", -0.25],
    ["9007199254740991", 9007199254740991],
    ["-9007199254740991", -9007199254740991],
    ["0.1", 0.1],
    ["0.000001", 0.000001],
  ])("reads %s", (text, value) => {
    expect(canonicalNumber(text)).toBe(value);
  });

  it.each([
    "",
    "012",
    "00",
    "+1",
    "1e3",
    "1E3",
    "1e+21",
    "0x1",
    "0b1",
    "0o7",
    " 1",
    "1 ",
    "1\n",
    "-0",
    "-0.0",
    "--1",
    "-",
    ".",
    ".5",
    "5.",
    "1.0",
    "1.50",
    "1_000",
    "1,5",
    "NaN",
    "Infinity",
    "-Infinity",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740992",
    "99999999999999999999",
    "0.10000000000000000001",
    "0.0000001",
    "١",
    "1n",
    "true",
  ])("refuses %j", (text) => {
    expect(canonicalNumber(text)).toBeUndefined();
  });

  it("reads true and false, and nothing else", () => {
    expect(canonicalBoolean("true")).toBe(true);
    expect(canonicalBoolean("false")).toBe(false);
    for (const text of ["", "TRUE", "True", "1", "0", "yes", "no", "on", " true", "null"]) {
      expect(canonicalBoolean(text)).toBeUndefined();
    }
  });

  it("reads every safe integer from the one text JavaScript writes, and no number from two texts", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(canonicalNumber(String(value))).toBe(value);
      }),
      { seed: 20260104 },
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[-+ 0-9.eExX]{0,12}$/), (text) => {
        const value = canonicalNumber(text);
        if (value !== undefined) expect(String(value)).toBe(text);
      }),
      { seed: 20260104, numRuns: 5_000 },
    );
  });
});
