import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import { fromPattern } from "../src/pattern.ts";
import { seeded } from "../src/random.ts";
import { validValue } from "../src/values.ts";

const make = (schema: JsonRecord, seed = 1, canary?: string) =>
  validValue(schema, { random: seeded(seed), ...(canary === undefined ? {} : { canary }) }, "value");

describe("values", () => {
  it("keeps the bounds of numbers", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -50, max: 50 }),
        fc.integer({ min: 0, max: 40 }),
        fc.nat(),
        (minimum, more, seed) => {
          const value = make({ type: "integer", minimum, maximum: minimum + more }, seed);
          expect(Number.isInteger(value) && Number(value) >= minimum && Number(value) <= minimum + more).toBe(true);
        },
      ),
      { seed: 2 },
    );
  });

  it("keeps the bounds of strings, with a marker inside", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }), (minLength, more) => {
        const value = String(make({ type: "string", minLength, maxLength: minLength + more }, 1, "pc-abc-12345678"));
        expect(value.length).toBeGreaterThanOrEqual(minLength);
        expect(value.length).toBeLessThanOrEqual(minLength + more);
      }),
      { seed: 3 },
    );
  });

  it.each([
    "^[0-9A-Za-z]{16}$",
    "^prj_(?:live|test)_[a-f0-9]{8,12}$",
    "^\\+?[1-9]\\d{6,14}$",
    "^[A-Z]{2}-\\d+(?:\\.\\d+)?$",
    "^(a|b|c)[^abc]+x*$",
  ])("makes what the pattern %s accepts", (pattern) => {
    for (let seed = 1; seed <= 20; seed += 1) {
      expect(String(make({ type: "string", pattern }, seed))).toMatch(new RegExp(pattern));
    }
  });

  it("says that a pattern is beyond it rather than guessing", () => {
    expect(fromPattern("^(?=.*\\d)[a-z\\d]+$", seeded(1))).toBeUndefined();
    expect(() => make({ type: "string", pattern: "^(?=.*\\d)[a-z]{3}\\d$" })).toThrow(/no value for "value" fits/);
  });

  it("chooses from enums, constants, and the branch that is not null", () => {
    expect(make({ enum: ["only"] })).toBe("only");
    expect(make({ const: 7 })).toBe(7);
    expect(make({ anyOf: [{ type: "null" }, { type: "boolean" }] })).toBeTypeOf("boolean");
  });

  it("fills required members and drops optional ones it cannot make", () => {
    const impossible = { type: "string", pattern: "^(?!x)y(?<=z)$" };
    const schema = {
      type: "object",
      required: ["id"],
      properties: { id: { type: "string", format: "uuid" }, odd: impossible },
    };
    expect(make(schema)).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(() => make({ ...schema, required: ["odd"] })).toThrow(/"odd"/);
  });

  it("makes the same again for the same seed", () => {
    const schema = { type: "object", properties: { a: { type: "string" }, b: { type: "integer" } } };
    expect(make(schema, 9)).toEqual(make(schema, 9));
  });
});
