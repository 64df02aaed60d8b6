import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CookieProblem } from "../../src/lib/cookies.ts";
import { readCookies } from "../../src/lib/cookies.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260110;
const names = ["__Host-session", "csrf"];

describe("sessions: reading cookies", () => {
  const readable: [string | undefined, Record<string, string>][] = [
    [undefined, {}],
    ["", {}],
    ["__Host-session=abc", { "__Host-session": "abc" }],
    ["a=1; __Host-session=abc; b=2", { "__Host-session": "abc" }],
    ["csrf=x; __Host-session=", { csrf: "x", "__Host-session": "" }],
    ["csrf=a=b==", { csrf: "a=b==" }],
    ["a=1;csrf=x", { csrf: "x" }],
    ["csrf=x;", { csrf: "x" }],
    ["__host-session=x; CSRF=y; csrf2=z; xcsrf=1", {}],
    ['prefs="a; csrf=x; b"', { csrf: "x" }],
    ['odd={"a": 1, "b"}; =nameless; flag; csrf=x; \u00fc=\u00fc', { csrf: "x" }],
    ["__proto__=1; constructor=2", {}],
  ];
  it.each(readable)("reads %j", (value, expected) => {
    expect({ ...readCookies(value, names) }).toEqual(expected);
  });

  const refused: [string, CookieProblem][] = [
    ["csrf=a; csrf=a", "cookie-duplicate"],
    ["csrf=a; x=1; csrf=b", "cookie-duplicate"],
    ["csrf=; csrf=", "cookie-duplicate"],
    ["csrf", "cookie-malformed"],
    ["a=1; csrf; b=2", "cookie-malformed"],
    ["csrf =a", "cookie-malformed"],
    ["a=1;  csrf=a", "cookie-malformed"],
    [" csrf=a", "cookie-malformed"],
    ["a=1;\tcsrf=a", "cookie-malformed"],
    ['csrf="a"', "cookie-malformed"],
    ["csrf=a b", "cookie-malformed"],
    ["csrf= a", "cookie-malformed"],
    ["csrf=a ; b=1", "cookie-malformed"],
    ["csrf=a,b", "cookie-malformed"],
    ["csrf=a\\b", "cookie-malformed"],
    ["csrf=\u00fc", "cookie-malformed"],
    ["csrf=a\u0000", "cookie-malformed"],
    [`csrf=${"a".repeat(4_097)}`, "cookie-too-long"],
    ["a=1; ".repeat(300), "cookie-too-many"],
  ];
  it.each(refused)("refuses %j as %s", (value, reason) => {
    expect(readCookies(value, names)).toMatchObject({ reason });
  });

  it("names the cookie in the log, never its value", () => {
    expect(readCookies("csrf=topsecret; csrf=topsecret", names)).toEqual(new Unreadable("cookie-duplicate", "csrf"));
  });

  it("finds nothing that was not asked for", () => {
    const read = readCookies("toString=1", ["csrf"]);
    expect(Reflect.get(read, "toString")).toBeUndefined();
    expect(Reflect.get(read, "csrf")).toBeUndefined();
  });

  it("finds our cookie among any others, whatever they hold", () => {
    const other = fc
      .string({ unit: "binary-ascii", maxLength: 20 })
      .filter((text) => !text.includes(";") && text.split("=")[0]?.trim() !== "csrf");
    fc.assert(
      fc.property(
        fc.array(other, { maxLength: 8 }),
        fc.nat({ max: 8 }),
        fc.base64String({ maxLength: 40 }),
        (others, place, value) => {
          const pairs = others.toSpliced(place, 0, `csrf=${value}`);
          expect(readCookies(pairs.join("; "), ["csrf"])).toMatchObject({ csrf: value });
          expect(readCookies([...pairs, `csrf=${value}`].join("; "), ["csrf"])).toMatchObject({
            reason: "cookie-duplicate",
          });
        },
      ),
      { seed, numRuns: 1_000 },
    );
  });

  it("never throws, and gives only characters that a cookie may hold", () => {
    const piece = fc.constantFrom("csrf", "=", ";", " ", "; ", '"', "a", ",", "\t", "\u0000", "é");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const read = readCookies(pieces.join(""), ["csrf"]);
        if (read instanceof Unreadable) return;
        for (const value of Object.values(read)) expect(value).toMatch(/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/);
      }),
      { seed, numRuns: 5_000 },
    );
  });
});
