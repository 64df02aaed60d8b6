import { describe, expect, expectTypeOf, it } from "vitest";
import * as z from "zod";
import { isJsonSchema, resolveRef } from "../../src/lib/json-schema.ts";
import type { JsonSchema } from "../../src/lib/json-schema.ts";
import { OptionsError } from "../../src/lib/options-error.ts";
import { described, inputJsonSchema, outputJsonSchema } from "../../src/lib/standard-schema.ts";
import type { AnySchema, InferInput, InferOutput, StandardSchema } from "../../src/lib/standard-schema.ts";

const zod = z.strictObject({ n: z.string().max(3).transform(Number).pipe(z.int()), d: z.int().default(1) });

/** A library that validates and cannot describe itself. */
const mute: StandardSchema<string, number> = {
  "~standard": {
    version: 1,
    vendor: "mute",
    validate: (value) => (typeof value === "string" ? { value: value.length } : { issues: [{ message: "no text" }] }),
  },
};

describe("input: a schema's two sides", () => {
  it("are read from the library", () => {
    expect(inputJsonSchema(zod)).toMatchObject({
      properties: { n: { type: "string", maxLength: 3 }, d: { type: "integer" } },
      required: ["n"],
    });
    expect(outputJsonSchema(zod)).toMatchObject({ properties: { n: { type: "integer" } }, required: ["n", "d"] });
  });

  it("have the types the library infers", () => {
    const anySchema: AnySchema = zod;
    expect(anySchema["~standard"].vendor).toBe("zod");
    expectTypeOf<InferInput<typeof zod>>().toEqualTypeOf<{ n: string; d?: number | undefined }>();
    expectTypeOf<InferOutput<typeof zod>>().toEqualTypeOf<{ n: number; d: number }>();
    expectTypeOf<InferInput<typeof mute>>().toEqualTypeOf<string>();
    expectTypeOf<InferOutput<typeof mute>>().toEqualTypeOf<number>();
  });

  it("stop the start with the library's reason when they cannot be written", () => {
    expect(() => outputJsonSchema(z.object({ at: z.date() }))).toThrow(OptionsError);
    expect(() => outputJsonSchema(z.object({ at: z.date() }))).toThrow(/\(zod\).*Date cannot be represented/);
    expect(() => inputJsonSchema(z.custom())).toThrow(/Custom types cannot be represented/);
  });

  it("stop the start when the library does not describe itself", () => {
    expect(() => inputJsonSchema(mute)).toThrow(/\(mute\) does not describe itself as JSON Schema.*described\(/);
    // @ts-expect-error: a policy takes described schemas only
    const refused: AnySchema = mute;
    expect(refused).toBe(mute);
  });

  it("stop the start when what the library writes is malformed", () => {
    const text: JsonSchema = JSON.parse('{"type":"text"}');
    const broken = described(mute, text);
    expect(() => inputJsonSchema(broken)).toThrow(/malformed/);
  });
});

describe("input: described", () => {
  const schema = described(mute, { type: "string", maxLength: 9 }, { type: "integer" });

  it("gives a schema its description and leaves its validation and types alone", () => {
    expect(inputJsonSchema(schema)).toEqual({ type: "string", maxLength: 9 });
    expect(outputJsonSchema(schema)).toEqual({ type: "integer" });
    expect(schema["~standard"].validate("abc")).toEqual({ value: 3 });
    expectTypeOf<InferInput<typeof schema>>().toEqualTypeOf<string>();
    expectTypeOf<InferOutput<typeof schema>>().toEqualTypeOf<number>();
  });

  it("takes one description for both sides", () => {
    expect(outputJsonSchema(described(mute, { type: "null" }))).toEqual({ type: "null" });
  });
});

describe("input: JSON Schema", () => {
  it("is told from what only looks like it", () => {
    for (const schema of [{}, { type: ["string", "null"], title: "t", "x-own": 1 }, { items: true, enum: [1] }]) {
      expect(isJsonSchema(schema)).toBe(true);
    }
    for (const other of [
      null,
      [],
      "string",
      { type: "text" },
      { type: [] },
      { properties: [] },
      { properties: { a: 1 } },
      { required: "a" },
      { maxLength: "3" },
      { maxItems: -1 },
      { minimum: Number.NaN },
      { anyOf: [] },
      { anyOf: [{ type: "text" }] },
      { $defs: { a: { type: 1 } } },
    ]) {
      expect(isJsonSchema(other)).toBe(false);
    }
  });

  it("is not an object that contains itself", () => {
    const circle: Record<string, unknown> = {};
    circle["items"] = circle;
    expect(isJsonSchema(circle)).toBe(false);
  });

  it("resolves references inside the document only", () => {
    const root: JsonSchema = { $defs: { "a/b": { type: "null" }, "ü ": true }, properties: { x: { type: "string" } } };
    expect(resolveRef(root, "#")).toBe(root);
    expect(resolveRef(root, "#/$defs/a~1b")).toEqual({ type: "null" });
    expect(resolveRef(root, "#/$defs/%C3%BC%20")).toBe(true);
    expect(resolveRef(root, "#/properties/x")).toEqual({ type: "string" });
    for (const ref of [
      "",
      "#x",
      "#/$defs/c",
      "#/$defs/toString",
      "#/__proto__",
      "other.json#/a",
      "#/%",
      "https://a.example",
    ]) {
      expect(resolveRef(root, ref)).toBeUndefined();
    }
  });
});
