import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonRecord } from "../src/json.ts";
import { readTarget } from "../src/manifest.ts";
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

  it.each<[JsonRecord, RegExp]>([
    [{ type: "string", nullable: true, maxLength: 4 }, /^"[a-z0-9]{4}"$/],
    [{ type: ["null", "integer"], minimum: 3, maximum: 3 }, /^3$/],
    [{ type: "integer", minimum: 3, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: true }, /^4$/],
    [{ type: "number", exclusiveMinimum: 0, maximum: 0.2, multipleOf: 0.1 }, /^0\.[12]$/],
    [{ type: "integer", maximum: -5 }, /^-\d+$/],
    [
      { type: "array", items: { enum: ["a", "b", "c"] }, minItems: 3, uniqueItems: true },
      /^\["(.)","(?!\1)(.)","(?!\1|\2)."\]$/,
    ],
    [{ type: "string", format: "byte" }, /^"[A-Za-z0-9+/]+=*"$/],
    [{ type: "string", pattern: "^(?=.*\\d)[a-z\\d]+$", example: "abc1" }, /^"abc1"$/],
  ])("makes what %j says in the words of any version", (schema, expected) => {
    for (let seed = 1; seed <= 10; seed += 1) expect(JSON.stringify(make(schema, seed))).toMatch(expected);
  });

  it("says which branch a discriminator chooses, by the mapping or the name of the schema", async () => {
    const one = (name: string) => ({ type: "object", required: [name], properties: { [name]: { type: "integer" } } });
    const target = await readTarget(
      {
        openapi: "3.0.3",
        info: { title: "pets", version: "1" },
        components: { schemas: { Cat: one("lives"), Dog: one("tricks") } },
        paths: {
          "/cats": {
            post: body([{ $ref: "#/components/schemas/Cat" }], {
              propertyName: "kind",
              mapping: { feline: "#/components/schemas/Cat" },
            }),
          },
          "/dogs": { post: body([{ $ref: "#/components/schemas/Dog" }], { propertyName: "kind" }) },
        },
      },
      "openapi",
    );
    const made = target.operations.map(({ body: wanted }) => make(wanted?.schema ?? {}));
    expect(made).toEqual([
      { kind: "feline", lives: expect.any(Number) },
      { kind: "Dog", tricks: expect.any(Number) },
    ]);
  });

  it("ends a schema that refers to itself where that is optional, and names it where it is not", async () => {
    const node = (required: readonly string[]) => ({
      type: "object",
      required,
      properties: { name: { type: "string" }, next: { $ref: "#/components/schemas/Node" } },
    });
    const read = async (required: readonly string[]) => {
      const paths = { "/nodes": { post: body([{ $ref: "#/components/schemas/Node" }]) } };
      const document = {
        openapi: "3.1.0",
        info: { title: "n", version: "1" },
        components: { schemas: { Node: node(required) } },
        paths,
      };
      return (await readTarget(document, "openapi")).operations[0]?.body?.schema ?? {};
    };
    expect(make(await read(["name"]))).toMatchObject({ name: expect.any(String) });
    const endless = await read(["name", "next"]);
    expect(() => make(endless)).toThrow(/"next" refers to itself without an end/);
  });
});

function body(oneOf: readonly JsonRecord[], discriminator?: JsonRecord): JsonRecord {
  const schema = { oneOf, ...(discriminator === undefined ? {} : { discriminator }) };
  return { requestBody: { content: { "application/json": { schema } } }, responses: {} };
}
