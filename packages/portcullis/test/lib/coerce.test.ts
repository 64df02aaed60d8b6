import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { compileCoercion } from "../../src/lib/coerce.ts";
import { inputJsonSchema } from "../../src/lib/standard-schema.ts";

function coerced(schema: z.ZodType, texts: Record<string, string>): Record<string, unknown> {
  return { ...compileCoercion(inputJsonSchema(schema))(texts) };
}

const query = z.strictObject({
  limit: z.int().min(1).max(100).default(20),
  price: z.number().min(0).max(9).optional(),
  archived: z.boolean().optional(),
  sort: z.enum(["up", "down"]).optional(),
  text: z.string().max(20).optional(),
});

describe("input: path, query and header values", () => {
  it("turns canonical numbers and booleans where the schema wants them", () => {
    expect(coerced(query, { limit: "20", price: "1.5", archived: "false", sort: "up", text: "12" })).toEqual({
      limit: 20,
      price: 1.5,
      archived: false,
      sort: "up",
      text: "12",
    });
  });

  it.each(["012", "+1", "1e3", "0x10", " 1", "1 ", "1.0", "-0", "", "Infinity", "NaN", "9007199254740993", "١"])(
    "leaves %j as a text, which the schema then refuses",
    (text) => {
      expect(coerced(query, { limit: text })).toEqual({ limit: text });
      expect(query.safeParse(coerced(query, { limit: text })).success).toBe(false);
    },
  );

  it.each(["TRUE", "1", "0", "yes", "on", "", "True"])("leaves %j as a text where a boolean is wanted", (text) => {
    expect(coerced(query, { archived: text })).toEqual({ archived: text });
  });

  it("keeps names the schema does not declare, so that the schema can refuse them", () => {
    expect(coerced(query, { limit: "1", more: "2" })).toEqual({ limit: 1, more: "2" });
  });

  it("leaves a field alone that takes texts, too", () => {
    const schema = z.strictObject({ a: z.union([z.int(), z.string().max(3)]), b: z.int().nullable() });
    expect(coerced(schema, { a: "1", b: "1" })).toEqual({ a: "1", b: 1 });
  });

  it("turns numbers that are listed", () => {
    const schema = z.strictObject({ a: z.literal([1, 2]), b: z.literal(true), c: z.union([z.int(), z.boolean()]) });
    expect(coerced(schema, { a: "2", b: "true", c: "false" })).toEqual({ a: 2, b: true, c: false });
  });

  it("looks into every alternative of a union of objects", () => {
    const schema = z.discriminatedUnion("by", [
      z.strictObject({ by: z.literal("page"), page: z.int() }),
      z.strictObject({ by: z.literal("cursor"), cursor: z.string().max(9) }),
    ]);
    expect(coerced(schema, { by: "page", page: "3" })).toEqual({ by: "page", page: 3 });
    expect(coerced(schema, { by: "cursor", cursor: "3" })).toEqual({ by: "cursor", cursor: "3" });
  });

  it("changes nothing it was given", () => {
    const texts = Object.freeze({ limit: "3" });
    coerced(query, texts);
    expect(texts).toEqual({ limit: "3" });
  });

  it("turns an integer exactly when it is written as JavaScript writes it", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.maxSafeInteger().map(String), fc.string({ unit: fc.constantFrom(..."0123456789+-. eE") })),
        (text) => {
          const { limit } = coerced(query, { limit: text });
          expect(limit).toBe(
            text !== "" && String(Number(text)) === text && Number.isFinite(Number(text)) ? Number(text) : text,
          );
        },
      ),
      { seed: 91, numRuns: 1_000 },
    );
  });
});
