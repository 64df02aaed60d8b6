import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBoundedPattern } from "../../src/lib/bounded-pattern.ts";

describe("input: patterns that cannot grow", () => {
  it.each([
    "^a$",
    "^$|^[a-z]{3}$",
    "^[A-Z]{2}-\\d{4}(?:-x)?$",
    "^(?:a|b{1,3}|(?<name>c))$",
    "^(?=.*a)(?!.*b+)[ab]{1,9}$",
    "^[+*{}()|$^]{1,2}$",
    "^\\+\\*\\$$",
    "^[\\]+]$",
    "^\\u{1F600}\\p{L}{2}$",
  ])("takes %s", (pattern) => {
    expect(isBoundedPattern(pattern)).toBe(true);
  });
});

describe("input: patterns that can", () => {
  it.each([
    "",
    "a",
    "^a",
    "a$",
    "^a|b$",
    "^a$|b",
    "^a\\$",
    "\\^a$",
    "^a*$",
    "^a+?$",
    "^a{2,}$",
    "^[a-z]+$",
    "^(?:a{1,2})*$",
    "^(a{9})\\1$",
    "^(?<n>a)\\k<n>$",
    "^[[a]+]$",
    "^(?:^a$|b)",
    "(?:^)a$",
    "^(?=a)b+$",
  ])("does not vouch for %j", (pattern) => {
    expect(isBoundedPattern(pattern)).toBe(false);
  });

  it("never calls a pattern bounded that matches a long text", () => {
    const piece = fc.constantFrom(
      "a",
      "[ab]",
      "\\w",
      ".",
      "a+",
      "a*",
      "a?",
      "a{2}",
      "a{2,}",
      "(?:a|b)",
      "(?=a*)",
      "|",
      "^",
      "$",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.boolean(), (pieces, isAnchored) => {
        const pattern = isAnchored ? `^${pieces.join("")}$` : pieces.join("");
        let expression: RegExp;
        try {
          expression = new RegExp(pattern, "u");
        } catch {
          return;
        }
        if (isBoundedPattern(pattern)) expect(expression.test("a".repeat(500))).toBe(false);
      }),
      { seed: 61, numRuns: 5_000 },
    );
  });
});
