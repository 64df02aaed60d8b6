import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { JsonSchema } from "../../src/lib/json-schema.ts";
import {
  declaresField,
  fieldNames,
  idFields,
  inputProblems,
  outputProblems,
  placesOfField,
} from "../../src/lib/schema-problems.ts";
import { inputJsonSchema, outputJsonSchema } from "../../src/lib/standard-schema.ts";

function ofInput(schema: z.ZodType): readonly string[] {
  return inputProblems(inputJsonSchema(schema)).map(({ pointer, problem }) => `${pointer} ${problem}`);
}

function ofOutput(schema: z.ZodType): readonly string[] {
  return outputProblems(outputJsonSchema(schema)).map(({ pointer, problem }) => `${pointer} ${problem}`);
}

const open = "is open: a caller may add fields";
const record = "is a record: its names are not declared";
const text = "is a text without a greatest length";
const format = "is a text without a greatest length, and its format does not set one";
const list = "is an array without a greatest number of items";
const number = "is a number that is not bounded on both sides";

describe("input: an input without problems", () => {
  const fine: readonly [string, z.ZodType][] = [
    ["bounded texts", z.strictObject({ a: z.string().max(5), b: z.string().length(2), c: z.email().max(254) })],
    ["listed values", z.strictObject({ a: z.enum(["x"]), b: z.literal([1, "y", null]), c: z.literal("z") })],
    [
      "ids and times",
      z.strictObject({ a: z.uuid(), b: z.ulid(), c: z.iso.date(), d: z.iso.datetime(), e: z.nanoid() }),
    ],
    ["addresses", z.strictObject({ a: z.ipv4(), b: z.ipv6(), c: z.cidrv4(), d: z.mac(), e: z.e164() })],
    [
      "anchored patterns that cannot grow",
      z.strictObject({ a: z.string().regex(/^[A-Z]{2}-\d{4}$/), b: z.hash("sha256") }),
    ],
    [
      "bounded numbers",
      z.strictObject({ a: z.int(), b: z.number().min(0).max(1), c: z.number().gt(0).lt(2), d: z.int32() }),
    ],
    ["booleans and null", z.strictObject({ a: z.boolean(), b: z.null(), c: z.never().optional() })],
    [
      "bounded lists and tuples",
      z.strictObject({ a: z.array(z.int()).max(3), b: z.tuple([z.int()]), c: z.array(z.int()).length(2) }),
    ],
    [
      "optional, nullable, default",
      z.strictObject({ a: z.int().optional(), b: z.int().nullish(), c: z.int().default(1) }),
    ],
    [
      "unions",
      z.discriminatedUnion("k", [z.strictObject({ k: z.literal("a") }), z.strictObject({ k: z.literal("b") })]),
    ],
    ["transforms of bounded input", z.strictObject({ a: z.string().max(3).transform(Number).pipe(z.number()) })],
    ["joined closed objects", z.intersection(z.strictObject({ a: z.int() }), z.strictObject({ b: z.int() }))],
    ["coerced and bounded", z.strictObject({ a: z.coerce.number().min(0).max(9), b: z.string().trim().max(4) })],
  ];
  it.each(fine)("takes %s", (_, schema) => {
    expect(ofInput(schema)).toEqual([]);
  });

  it("takes a recursive schema", () => {
    interface Tree {
      left?: Tree | undefined;
    }
    const tree: z.ZodType<Tree> = z.strictObject({
      get left() {
        return tree.optional();
      },
    });
    expect(ofInput(tree)).toEqual([]);
  });
});

describe("input: an input with problems", () => {
  const cases: readonly [string, z.ZodType, readonly string[]][] = [
    ["an object that ignores unknown fields", z.object({ a: z.int() }), [` ${open}`]],
    ["an object that keeps unknown fields", z.looseObject({ a: z.int() }), [` ${open}`]],
    ["an object with a catch-all", z.object({ a: z.int() }).catchall(z.int()), [` ${open}`]],
    ["an open object below", z.strictObject({ a: z.array(z.object({})).max(2) }), [`/a/* ${open}`]],
    ["a record", z.strictObject({ a: z.record(z.string().max(3), z.int()) }), [`/a ${record}`]],
    [
      "a record over listed names, because others may pass",
      z.strictObject({ a: z.looseRecord(z.enum(["x"]), z.int()) }),
      [`/a ${record}`],
    ],
    ["an unbounded text", z.strictObject({ a: z.string(), b: z.string().min(1) }), [`/a ${text}`, `/b ${text}`]],
    ["a text with an open pattern", z.strictObject({ a: z.string().regex(/^[a-z]+$/) }), [`/a ${text}`]],
    [
      "formats that do not end",
      z.strictObject({ a: z.email(), b: z.url(), c: z.cuid2(), d: z.jwt(), e: z.base64() }),
      ["/a", "/b", "/c", "/d", "/e"].map((at) => `${at} ${format}`),
    ],
    ["an unbounded list", z.strictObject({ a: z.array(z.int()) }), [`/a ${list}`]],
    ["a tuple with an unbounded rest", z.strictObject({ a: z.tuple([z.int()], z.int()) }), [`/a ${list}`]],
    [
      "numbers open on a side",
      z.strictObject({ a: z.number(), b: z.number().min(0), c: z.float64(), d: z.number().max(5) }),
      ["/a", "/b", "/c", "/d"].map((at) => `${at} ${number}`),
    ],
    ["anything", z.strictObject({ a: z.any() }), ["/a is not clear: nothing is said about the value"]],
    ["unknown", z.unknown(), [" is not clear: nothing is said about the value"]],
    ["one alternative of several", z.union([z.strictObject({}), z.object({}), z.string()]), [` ${open}`, ` ${text}`]],
    [
      "an unbounded text before a transform bounds it",
      z.strictObject({
        a: z
          .string()
          .transform((s) => s.slice(0, 3))
          .pipe(z.string().max(3)),
      }),
      [`/a ${text}`],
    ],
  ];
  it.each(cases)("names %s", (_, schema, expected) => {
    expect(ofInput(schema)).toEqual(expected);
  });

  it("says how to mend each", () => {
    for (const [, schema] of cases) {
      for (const { fix } of inputProblems(inputJsonSchema(schema)))
        expect(fix).toMatch(/^(?:add|close|name|say|split) .*[^.]$/);
    }
  });

  it("names keywords it does not follow, references that lead nowhere, and places without a type", () => {
    const schema: JsonSchema = JSON.parse(`{
      "type": "object", "additionalProperties": false,
      "properties": {
        "a": { "type": "object", "additionalProperties": false, "patternProperties": {} },
        "b": { "$ref": "https://example.com/schema" },
        "c": { "$ref": "#/$defs/nowhere" },
        "d": { "maxLength": 3 },
        "e": { "enum": [{ "x": 1 }] },
        "f": { "type": "string", "maxLength": 3, "not": { "const": "x" } },
        "g": true,
        "h": false,
        "i": { "$ref": "#/properties/i" },
        "j": { "if": {}, "type": "integer", "minimum": 0, "maximum": 1 },
        "k": { "type": "array", "uniqueItems": true, "maxItems": 2, "items": { "type": "null" } }
      }
    }`);
    expect(inputProblems(schema).map(({ pointer, problem }) => `${pointer} ${problem}`)).toEqual([
      "/a is not clear: the keyword patternProperties is not supported",
      "/b is not clear: the reference https://example.com/schema leads to no schema in this document",
      "/c is not clear: the reference #/$defs/nowhere leads to no schema in this document",
      "/d is not clear: no type is said",
      "/e is not clear: enum and const are supported for texts, numbers, booleans and null only",
      "/f is not clear: the keyword not is supported only as { not: {} }",
      "/g is not clear: nothing is said about the value",
      "/i is not clear: its references lead back to themselves",
      "/j is not clear: the keyword if is not supported",
    ]);
  });

  it("stops at a schema that unfolds without end", () => {
    const twice = { type: "object", properties: { a: { $ref: "#" } }, additionalProperties: false } as const;
    const schema: JsonSchema = { allOf: [twice, { ...twice, properties: { a: { $ref: "#" }, b: { $ref: "#" } } }] };
    expect(inputProblems(schema).map(({ problem }) => problem)).toContain(
      "is not clear: its references lead back to themselves",
    );
  });

  it("stops at a schema with more places than anybody could mean", () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 20 }, (_, at): [string, JsonSchema] => {
        const $ref = `#/$defs/d${at + 1}`;
        return [`d${at}`, { type: "object", properties: { a: { $ref }, b: { $ref } }, additionalProperties: false }];
      }),
    );
    const schema: JsonSchema = { $ref: "#/$defs/d0", $defs: { ...$defs, d20: { type: "null" } } };
    expect(inputProblems(schema).map(({ problem }) => problem)).toEqual(["has more than 20000 places"]);
  });

  it("stops at a schema that multiplies while it is joined", () => {
    const again = (): JsonSchema => ({
      type: "object",
      properties: Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`f${at}`, { $ref: "#" }])),
    });
    const schema: JsonSchema = { allOf: [again(), { ...again(), additionalProperties: false }] };
    expect(inputProblems(schema).map(({ problem }) => problem)).toContain(
      "is not clear: the schema unfolds into more than 10000 places",
    );
  });

  it("knows that a tuple without further items ends", () => {
    const tuple: JsonSchema = { type: "array", prefixItems: [{ type: "null" }], items: false };
    expect(inputProblems(tuple)).toEqual([]);
  });

  it("joins the bounds of allOf", () => {
    const schema: JsonSchema = {
      allOf: [{ type: "string", maxLength: 4 }, { pattern: "a" }, { minLength: 1 }],
    };
    expect(inputProblems(schema)).toEqual([]);
    const numbers: JsonSchema = {
      allOf: [
        { type: "number", minimum: 0 },
        { type: "integer", exclusiveMaximum: 9 },
      ],
    };
    expect(inputProblems(numbers)).toEqual([]);
  });
});

describe("output: an output", () => {
  it("takes closed objects without bounds on texts and numbers, and records over listed names", () => {
    expect(ofOutput(z.object({ a: z.string(), b: z.number(), c: z.record(z.enum(["x"]), z.int()) }))).toEqual([]);
  });

  it("names open objects, records, unknown values and lists without an end", () => {
    const schema = z.object({
      a: z.looseObject({}),
      b: z.record(z.string(), z.int()),
      c: z.unknown(),
      d: z.array(z.array(z.string()).max(2)),
    });
    expect(ofOutput(schema)).toEqual([
      "/a is open: it does not say which fields may leave",
      `/b ${record}`,
      "/c is not clear: nothing is said about the value",
      `/d ${list}`,
    ]);
  });

  it("is judged by what the schema gives, not by what it takes", () => {
    expect(
      ofOutput(
        z.object({
          a: z
            .string()
            .transform((s) => s.length)
            .pipe(z.int()),
        }),
      ),
    ).toEqual([]);
  });
});

describe("object-access: ids", () => {
  it("are found by name and by format, at any depth", () => {
    const schema = z.strictObject({
      id: z.string(),
      projectId: z.string(),
      memberIds: z.array(z.string()),
      owner_id: z.string().nullable(),
      tag_ids: z.array(z.int()),
      "X-Tenant-ID": z.string(),
      userID: z.string(),
      parent: z.uuid().optional(),
      reviewers: z.array(z.uuid()),
      key: z.ulid(),
      nested: z.strictObject({ list: z.array(z.strictObject({ commentId: z.int(), note: z.string() })) }),
      either: z.union([z.uuid(), z.strictObject({ bookId: z.string() })]),
      paid: z.boolean(),
      grid: z.string(),
      identity: z.string(),
      idle: z.string(),
      PAID: z.boolean(),
      URLId: z.string(),
    });
    expect(idFields(inputJsonSchema(schema))).toEqual([
      "/id",
      "/projectId",
      "/memberIds",
      "/owner_id",
      "/tag_ids",
      "/X-Tenant-ID",
      "/userID",
      "/parent",
      "/reviewers",
      "/key",
      "/nested/list/*/commentId",
      "/either",
      "/either/bookId",
      "/URLId",
    ]);
  });

  it("are found in every place that shares a definition, and once in a recursive one", () => {
    const person = z.strictObject({ personId: z.string() }).meta({ id: "Person" });
    expect(idFields(inputJsonSchema(z.strictObject({ a: person, b: person })))).toEqual(["/a/personId", "/b/personId"]);
    interface Node {
      nodeId: string;
      next?: Node | undefined;
    }
    const node: z.ZodType<Node> = z.strictObject({
      nodeId: z.string(),
      get next() {
        return node.optional();
      },
    });
    expect(idFields(inputJsonSchema(node))).toEqual(["/nodeId", "/next"]);
  });
});

describe("mass-assignment: fields", () => {
  const schema = inputJsonSchema(
    z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("a"), owner: z.strictObject({ ownerId: z.int() }) }),
      z.strictObject({ kind: z.literal("b"), rows: z.array(z.strictObject({ ownerId: z.int() })) }),
    ]),
  );

  it("are named at the top over all alternatives", () => {
    expect(fieldNames(schema)).toEqual(["kind", "owner", "rows"]);
    expect(fieldNames({ type: "string" })).toEqual([]);
  });

  it("are found at any depth, spelled exactly so", () => {
    expect(placesOfField(schema, "ownerId")).toEqual(["/owner/ownerId", "/rows/*/ownerId"]);
    expect(declaresField(schema, "ownerId")).toBe(true);
    expect(declaresField(schema, "ownerid")).toBe(false);
    expect(declaresField(schema, "toString")).toBe(false);
  });
});
