import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QueryProblem } from "../../src/lib/query.ts";
import { readQuery } from "../../src/lib/query.ts";
import { Unreadable } from "../../src/lib/unreadable.ts";

const seed = 20260102;

describe("canonical-request: query", () => {
  const readable: [string, Record<string, string>][] = [
    ["", {}],
    ["a=1", { a: "1" }],
    ["a=1&b=2", { a: "1", b: "2" }],
    ["a=", { a: "" }],
    ["a", { a: "" }],
    ["a=b=c", { a: "b=c" }],
    ["a=x+y%20z", { a: "x y z" }],
    ["a=%2B", { a: "+" }],
    ["caf%C3%A9=%e2%82%ac", { café: "€" }],
    ["a=%3Cscript%3E&q='*()!~", { a: "<script>", q: "'*()!~" }],
    ["a=[1]", { a: "[1]" }],
    ["a=%3B", { a: ";" }],
    ["toString=1&hasOwnProperty=2", { toString: "1", hasOwnProperty: "2" }],
  ];
  it.each(readable)("reads %j", (text, expected) => {
    expect({ ...readQuery(text) }).toEqual(expected);
  });

  const refused: [string, QueryProblem, string][] = [
    ["a=1&a=2", "query-duplicate-name", "a"],
    ["a=1&%61=2", "query-duplicate-name", "a"],
    ["a&a", "query-duplicate-name", "a"],
    ["=1", "query-empty-name", ""],
    ["&", "query-empty-name", ""],
    ["a=1&", "query-empty-name", ""],
    ["a=1&&b=2", "query-empty-name", ""],
    ["a[]=1", "query-bracketed-name", "a[]"],
    ["a[b]=1", "query-bracketed-name", "a[b]"],
    ["a%5B%5D=1", "query-bracketed-name", "a[]"],
    ["a]=1", "query-bracketed-name", "a]"],
    ["__proto__=1", "query-reserved-name", "__proto__"],
    ["%5F_proto__=1", "query-reserved-name", "__proto__"],
    ["constructor=1", "query-reserved-name", "constructor"],
    ["prototype", "query-reserved-name", "prototype"],
    ["a=%", "query-malformed-escape", "a"],
    ["a=%4", "query-malformed-escape", "a"],
    ["a=%zz", "query-malformed-escape", "a"],
    ["a=%c0%af", "query-malformed-escape", "a"],
    ["a=%ed%a0%80", "query-malformed-escape", "a"],
    ["a=%ff", "query-malformed-escape", "a"],
    ["a=%00", "query-control-character", "a"],
    ["a=%0a", "query-control-character", "a"],
    ["a%09=1", "query-control-character", "a%09"],
    ["a=%C2%85", "query-control-character", "a"],
    ["a=1;b=2", "query-semicolon", ""],
    ["a=\u00e9", "query-illegal-character", ""],
    ["a=b c", "query-illegal-character", ""],
    ["a=\n", "query-illegal-character", ""],
  ];
  it.each(refused)("refuses %j as %s", (text, reason, where) => {
    expect(readQuery(text)).toEqual(new Unreadable(reason, where));
  });

  it("finds nothing that was not sent, whatever the name", () => {
    for (const text of ["", "a=1"]) {
      const read = readQuery(text);
      for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
        expect(Reflect.get(read, name)).toBeUndefined();
      }
      expect(Object.getPrototypeOf(read)).toBeNull();
    }
  });

  it("accepts as many pairs as allowed and refuses one more", () => {
    const pairs = (count: number) => Array.from({ length: count }, (_, index) => `p${index}=1`).join("&");
    expect(readQuery(pairs(100))).not.toBeInstanceOf(Unreadable);
    expect(readQuery(pairs(101))).toMatchObject({ reason: "query-too-many-pairs" });
    expect(readQuery("a=1&b=2", { maxPairs: 1 })).toMatchObject({ reason: "query-too-many-pairs" });
    expect(readQuery("", { maxPairs: 0 })).toEqual({});
  });

  it("lets line breaks into values, never into names, where a form asks for it", () => {
    expect({ ...readQuery("a=x%0D%0Ay%09z", { lineBreaks: true }) }).toEqual({ a: "x\r\ny\tz" });
    expect(readQuery("a%0A=x", { lineBreaks: true })).toMatchObject({ reason: "query-control-character" });
    expect(readQuery("a=%00", { lineBreaks: true })).toMatchObject({ reason: "query-control-character" });
  });

  it("cuts and cleans what it names for the log", () => {
    const read = readQuery(`${"%E2%82%AC".repeat(3)}${"x".repeat(100)}[]=1`);
    expect(read).toMatchObject({ where: `???${"x".repeat(61)}` });
  });

  const name = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
    .filter((text) => !/[[\]\u0000-\u001f\u007f-\u009f]/.test(text));
  const value = fc
    .string({ unit: "grapheme", maxLength: 12 })
    .filter((text) => !/[\u0000-\u001f\u007f-\u009f]/.test(text));

  it("reads what URLSearchParams writes", () => {
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 8 }), (record) => {
        const sent = Object.fromEntries(
          Object.entries(record).filter(([key]) => !["__proto__", "constructor", "prototype"].includes(key)),
        );
        expect({ ...readQuery(new URLSearchParams(sent).toString()) }).toEqual(sent);
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it("agrees with URLSearchParams on everything it reads, and never throws", () => {
    const piece = fc.constantFrom(
      "a",
      "b",
      "=",
      "&",
      "+",
      "%20",
      "%41",
      "%",
      "%c3%a9",
      "%ff",
      "[]",
      ";",
      "é",
      "%00",
      "1",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        const read = readQuery(text);
        if (read instanceof Unreadable) return;
        expect(Object.entries(read)).toEqual([...new URLSearchParams(text)]);
      }),
      { seed, numRuns: 5_000 },
    );
  });
});
