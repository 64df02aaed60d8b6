import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import * as z from "zod";
import type { JsonSchema } from "../../src/lib/json-schema.ts";
import { compileSerializer } from "../../src/lib/serializer.ts";
import type { Serializable } from "../../src/lib/serializer.ts";
import { outputJsonSchema } from "../../src/lib/standard-schema.ts";
import { UnserializableError } from "../../src/lib/unserializable-error.ts";
import { anySpec, inheritedNames, plainNames } from "./schema-arbitraries.ts";

function serializerOf(schema: z.ZodType) {
  return compileSerializer(outputJsonSchema(schema));
}

function errorOf(run: () => unknown): UnserializableError {
  try {
    run();
  } catch (error) {
    if (error instanceof UnserializableError) return error;
    throw error;
  }
  throw new Error("it was written");
}

const view = z.object({
  id: z.uuid(),
  name: z.string(),
  stars: z.int(),
  archived: z.boolean(),
  note: z.string().nullable(),
  tag: z.string().optional(),
});

const row = {
  tenantId: "t1",
  note: null,
  archived: false,
  stars: 3,
  name: "One",
  passwordHash: "secret",
  id: "0b9e7a52-7c1e-4b56-9d5e-0d6f5b1f7a11",
};

describe("output: what leaves", () => {
  it("writes the declared properties of a row in declared order and drops the others", () => {
    expect(serializerOf(view)(row)).toBe(
      '{"id":"0b9e7a52-7c1e-4b56-9d5e-0d6f5b1f7a11","name":"One","stars":3,"archived":false,"note":null}',
    );
  });

  it("drops undeclared properties at every depth, in lists and in unions", () => {
    const page = z.object({
      items: z.array(z.object({ owner: z.object({ name: z.string() }) })).max(5),
      last: z.union([z.object({ name: z.string() }), z.null()]),
    });
    const answer = {
      items: [{ owner: { name: "a", token: "t" }, price: 1 }],
      last: { name: "b", token: "t" },
      total: 9,
    };
    expect(serializerOf(page)(answer)).toBe('{"items":[{"owner":{"name":"a"}}],"last":{"name":"b"}}');
  });

  it("drops undeclared properties of an object the schema leaves open", () => {
    expect(serializerOf(z.looseObject({ a: z.int() }))({ a: 1, b: 2 })).toBe('{"a":1}');
  });

  it("writes a record over listed names as those names", () => {
    const counts = z.object({ counts: z.record(z.enum(["open", "done"]), z.int()) });
    expect(serializerOf(counts)({ counts: { done: 2, open: 1, secret: 3 } })).toBe('{"counts":{"open":1,"done":2}}');
  });

  it("reads properties that come from the object's class", () => {
    class Project {
      #name = "One";
      get name() {
        return this.#name;
      }
    }
    expect(serializerOf(z.object({ name: z.string() }))(new Project())).toBe('{"name":"One"}');
  });

  it("leaves out an optional property that is undefined or absent", () => {
    const schema = z.object({ a: z.int().optional(), b: z.int().optional() });
    expect(serializerOf(schema)({ a: undefined })).toBe("{}");
    expect(serializerOf(schema)({ b: 1 })).toBe('{"b":1}');
  });

  it("writes a Date as date-time or date in UTC, and a text as it is", () => {
    const schema = z.object({ at: z.iso.datetime(), on: z.iso.date() });
    const at = new Date("2026-01-02T23:04:05.678Z");
    expect(serializerOf(schema)({ at, on: at })).toBe('{"at":"2026-01-02T23:04:05.678Z","on":"2026-01-02"}');
    expect(serializerOf(schema)({ at: "2026-01-02T00:00:00Z", on: "2026-01-02" })).toBe(
      '{"at":"2026-01-02T00:00:00Z","on":"2026-01-02"}',
    );
  });

  it("writes bigints up to 2^53-1 as integers", () => {
    expect(serializerOf(z.object({ n: z.int() }))({ n: 9007199254740991n })).toBe('{"n":9007199254740991}');
  });

  it("asks an object for its text once where a text is declared", () => {
    let calls = 0;
    const objectId = { toJSON: () => `id-${++calls}` };
    expect(serializerOf(z.object({ id: z.string() }))({ id: objectId })).toBe('{"id":"id-1"}');
  });

  it("reads the declared properties of an object rather than its toJSON", () => {
    const user = { name: "a", toJSON: () => ({ name: "b", hash: "c" }) };
    expect(serializerOf(z.object({ name: z.string() }))(user)).toBe('{"name":"a"}');
  });

  it("escapes as JSON.stringify does", () => {
    const text = 'a"b\\c\n\u0000\u2028\u2029\ud800 </script>é😀';
    expect(serializerOf(z.object({ text: z.string() }))({ text })).toBe(JSON.stringify({ text }));
  });

  it("has a type for what a handler may hold", () => {
    expectTypeOf<
      Serializable<{ at: string; n?: number; on: "x"; list: string[]; pair: [1, boolean | null] }>
    >().toEqualTypeOf<{
      readonly at: string | Date;
      readonly n?: number | bigint;
      readonly on: "x";
      readonly list: readonly (string | Date)[];
      readonly pair: readonly [1, boolean | null];
    }>();
  });

  it("writes values that are no objects at the top", () => {
    expect(serializerOf(z.string().nullable())(null)).toBe("null");
    expect(serializerOf(z.array(z.int()).max(3))([1, 2])).toBe("[1,2]");
    expect(serializerOf(z.tuple([z.string(), z.int()]))(["a", 1])).toBe('["a",1]');
    expect(serializerOf(z.tuple([z.string()], z.int()))(["a", 1, 2])).toBe('["a",1,2]');
  });
});

describe("output: what is refused", () => {
  const cases: readonly [string, z.ZodType, unknown, string, string][] = [
    ["a number for a text", z.object({ a: z.string() }), { a: 1 }, "/a", "string"],
    ["a text for an integer", z.object({ a: z.int() }), { a: "1" }, "/a", "integer"],
    ["a fraction for an integer", z.object({ a: z.int() }), { a: 1.5 }, "/a", "integer"],
    ["NaN", z.object({ a: z.number() }), { a: Number.NaN }, "/a", "number"],
    ["Infinity", z.object({ a: z.number() }), { a: Number.POSITIVE_INFINITY }, "/a", "number"],
    ["a bigint beyond 2^53", z.object({ a: z.int() }), { a: 9007199254740993n }, "/a", "integer"],
    ["null where it is not declared", z.object({ a: z.string().optional() }), { a: null }, "/a", "string"],
    ["a value outside of enum", z.object({ a: z.enum(["x"]) }), { a: "y" }, "/a", "one of the listed values"],
    ["a value that is not the constant", z.object({ a: z.literal(1) }), { a: 2 }, "/a", "one of the listed values"],
    ["an array for an object", z.object({ a: z.object({}) }), { a: [] }, "/a", "object"],
    ["an object for an array", z.object({ a: z.array(z.int()).max(1) }), { a: { length: 0 } }, "/a", "array"],
    ["too many items", z.object({ a: z.array(z.int()).max(1) }), { a: [1, 2] }, "/a", "at most 1 items"],
    ["too few items", z.array(z.int()).min(2).max(3), [1], "", "at least 2 items"],
    ["an item of another type", z.object({ a: z.array(z.int()).max(2) }), { a: [1, "2"] }, "/a/1", "integer"],
    ["a hole in an array", z.array(z.int()).max(2), Object.assign([], { 1: 1 }), "/0", "integer"],
    ["an item beyond a tuple", z.tuple([z.int()]), [1, 2], "", "at most 1 items"],
    ["a Date where a plain text is declared", z.object({ a: z.string() }), { a: new Date(0) }, "/a", "string"],
    ["an invalid Date", z.object({ a: z.iso.datetime() }), { a: new Date(Number.NaN) }, "/a", "string"],
    ["a year of five digits", z.object({ a: z.iso.date() }), { a: new Date(Date.UTC(10_000, 0)) }, "/a", "string"],
    ["a function", z.object({ a: z.string() }), { a: () => "x" }, "/a", "string"],
    ["a text for an object", view, "row", "", "object"],
    ["null for an object", view, null, "", "object"],
    ["undefined at the top", view, undefined, "", "object"],
    ["what the schema declares as never", z.object({ a: z.never().optional() }), { a: 1 }, "/a", "nothing at all"],
    [
      "a property whose type is unknown",
      z.object({ a: z.unknown() }),
      { a: 1 },
      "/a",
      "a schema that says what may leave",
    ],
    [
      "a value no kind of the union has",
      z.object({ a: z.union([z.int(), z.string()]) }),
      { a: true },
      "/a",
      "integer or string",
    ],
  ];
  it.each(cases)("refuses %s", (_, schema, value, pointer, expected) => {
    expect(errorOf(() => serializerOf(schema)(value))).toMatchObject({ pointer, expected });
  });

  it("refuses a missing required property and names it", () => {
    const { name: _, ...rest } = row;
    expect(errorOf(() => serializerOf(view)(rest))).toMatchObject({
      pointer: "/name",
      expected: "a value, because the property is required",
    });
  });

  it("names the place, escaped, and never the value", () => {
    const schema = z.object({ "a/b": z.array(z.object({ "~": z.int() })).max(3) });
    const error = errorOf(() => serializerOf(schema)({ "a/b": [{ "~": 1 }, { "~": "top secret" }] }));
    expect(error.pointer).toBe("/a~1b/1/~0");
    expect(error.message).toBe("The answer does not fit its schema at /a~1b/1/~0: expected integer.");
    expect(JSON.stringify(error) + error.stack).not.toContain("top secret");
  });

  it("lets an error thrown by a getter through as it is", () => {
    const broken = Object.defineProperty({}, "a", {
      get: () => {
        throw new RangeError("lazy load failed");
      },
    });
    expect(() => serializerOf(z.object({ a: z.int() }))(broken)).toThrow(RangeError);
  });
});

describe("output: recursion", () => {
  interface Comment {
    text: string;
    replies: Comment[];
  }
  const comment: z.ZodType<Comment> = z.object({
    text: z.string(),
    get replies() {
      return z.array(comment).max(5);
    },
  });

  it("writes recursive values and drops what is undeclared at every level", () => {
    const thread = { text: "a", secret: 1, replies: [{ text: "b", replies: [], secret: 2 }] };
    expect(serializerOf(comment)(thread)).toBe('{"text":"a","replies":[{"text":"b","replies":[]}]}');
  });

  it("refuses a value that contains itself instead of running out of stack", () => {
    const circle: Comment = { text: "a", replies: [] };
    circle.replies.push(circle);
    expect(errorOf(() => serializerOf(comment)(circle)).expected).toBe("at most 100 levels of nesting");
  });

  it("refuses a chain of objects without an end, too", () => {
    const link: JsonSchema = { type: "object", properties: { next: { $ref: "#" } } };
    const circle: { next?: object } = {};
    circle.next = circle;
    expect(errorOf(() => compileSerializer(link)(circle)).expected).toBe("at most 100 levels of nesting");
  });

  it("refuses a schema whose reference leads only to itself", () => {
    const schema: JsonSchema = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } };
    expect(errorOf(() => compileSerializer(schema)({})).expected).toBe("a schema that says what may leave");
  });
});

describe("output: unions", () => {
  const shape = z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("circle"), radius: z.number() }),
    z.object({ kind: z.enum(["square", "box"]), side: z.number() }),
  ]);

  it("picks the alternative whose tag the value bears", () => {
    expect(serializerOf(shape)({ kind: "box", side: 2, radius: 3 })).toBe('{"kind":"box","side":2}');
    expect(serializerOf(shape)({ kind: "circle", side: 2, radius: 3 })).toBe('{"kind":"circle","radius":3}');
  });

  it("refuses a tag that no alternative has, and names what is missing in the one that has it", () => {
    expect(errorOf(() => serializerOf(shape)({ kind: "line" })).expected).toBe("one of the declared alternatives");
    expect(errorOf(() => serializerOf(shape)({ kind: "circle" })).pointer).toBe("/radius");
  });

  it("tells alternatives without a tag apart by their required properties and types, the first of several", () => {
    const either = z.union([
      z.object({ a: z.int() }),
      z.object({ a: z.string(), b: z.int() }),
      z.object({ c: z.int() }),
    ]);
    expect(serializerOf(either)({ a: "x", b: 1 })).toBe('{"a":"x","b":1}');
    expect(serializerOf(either)({ a: 1, c: 2 })).toBe('{"a":1}');
    expect(serializerOf(either)({ c: 2 })).toBe('{"c":2}');
  });

  it("tells alternatives apart by what lies deeper", () => {
    const either = z.union([
      z.object({ meta: z.object({ kind: z.literal("a"), x: z.int() }) }),
      z.object({ meta: z.object({ kind: z.literal("b"), y: z.int() }) }),
    ]);
    expect(serializerOf(either)({ meta: { kind: "b", x: 1, y: 2 } })).toBe('{"meta":{"kind":"b","y":2}}');
    expect(errorOf(() => serializerOf(either)({ meta: { kind: "c" } })).expected).toBe(
      "one of the declared alternatives",
    );
  });

  it("picks among scalars, lists and objects by kind", () => {
    const any = z.union([
      z.int(),
      z.string(),
      z.array(z.int()).max(2),
      z.array(z.string()).max(2),
      z.object({ a: z.int() }),
    ]);
    const write = serializerOf(any);
    expect([1, "x", [1], ["x"], [], { a: 1, b: 2 }].map(write)).toEqual(["1", '"x"', "[1]", '["x"]', "[]", '{"a":1}']);
    expect(errorOf(() => write([1, "x"])).expected).toBe("one of the declared alternatives");
  });

  it("gives up on alternatives that cannot be told apart before the work explodes", () => {
    const schema: JsonSchema = {
      $ref: "#/$defs/tree",
      $defs: {
        tree: {
          anyOf: ["x", "y"].map((last) => ({
            type: "object",
            properties: {
              next: { $ref: "#/$defs/tree" },
              leaf: {
                type: "object",
                properties: { kind: { const: last } },
                required: ["kind"],
                additionalProperties: false,
              },
            },
            additionalProperties: false,
          })),
        },
      },
    };
    let value: object = { leaf: { kind: "z" } };
    for (let level = 0; level < 40; level++) value = { next: value };
    expect(errorOf(() => compileSerializer(schema)(value)).expected).toBe(
      "alternatives that can be told apart by a tag",
    );
  });
});

describe("output: time of check is time of use", () => {
  it("reads each property once, also in unions and lists", () => {
    const schema = z.object({
      a: z.string(),
      list: z.array(z.string()).max(3),
      union: z.union([z.object({ k: z.literal("x"), v: z.int() }), z.object({ k: z.literal("y") })]),
    });
    const reads: string[] = [];
    function counted(target: object, at: string): object {
      return new Proxy(target, {
        get(holder, name) {
          if (typeof name === "string") reads.push(`${at}${name}`);
          return Reflect.get(holder, name);
        },
      });
    }
    const value = counted(
      { a: "1", list: counted(["1", "2"], "list."), union: counted({ k: "x", v: 1, w: 2 }, "union."), extra: "no" },
      "",
    );
    expect(serializerOf(schema)(value)).toBe('{"a":"1","list":["1","2"],"union":{"k":"x","v":1}}');
    expect(reads.toSorted()).toEqual(["a", "list", "list.0", "list.1", "list.length", "union", "union.k", "union.v"]);
  });

  it("writes what it judged when a getter changes its mind", () => {
    let reads = 0;
    const shifty = {
      get a() {
        return reads++ === 0 ? "fine" : { secret: 1 };
      },
    };
    expect(serializerOf(z.object({ a: z.string() }))(shifty)).toBe('{"a":"fine"}');
  });
});

describe("output: Object.prototype", () => {
  it("never lends a property, not even one a schema declares by chance", () => {
    const schema = z.object({ constructor: z.string().optional(), toString: z.string().optional() });
    expect(serializerOf(schema)({})).toBe("{}");
    expect(serializerOf(schema)({ constructor: "own" })).toBe('{"constructor":"own"}');
  });

  it("never lends a property that was put there by pollution", () => {
    const optional = serializerOf(z.object({ admin: z.boolean().optional() }));
    const required = serializerOf(z.object({ admin: z.boolean() }));
    const union = serializerOf(z.union([z.object({ admin: z.boolean() }), z.object({ name: z.string() })]));
    Object.assign(Object.prototype, { admin: true });
    try {
      expect(optional({})).toBe("{}");
      expect(optional({ admin: false })).toBe('{"admin":false}');
      expect(errorOf(() => required({})).pointer).toBe("/admin");
      expect(union({ name: "x" })).toBe('{"name":"x"}');
    } finally {
      Reflect.deleteProperty(Object.prototype, "admin");
    }
  });

  it("is not changed by a property named __proto__", () => {
    const schema: JsonSchema = {
      type: "object",
      properties: JSON.parse(
        '{"__proto__":{"type":"object","properties":{"a":{"type":"integer"}}},"b":{"type":"integer"}}',
      ),
    };
    expect(compileSerializer(schema)(JSON.parse('{"__proto__":{"a":1,"z":2},"b":1}'))).toBe(
      '{"__proto__":{"a":1},"b":1}',
    );
    expect(compileSerializer(schema)({ b: 1 })).toBe('{"b":1}');
  });
});

describe("output: JSON Schema as other libraries write it", () => {
  it("joins allOf and references with what stands beside them", () => {
    const schema: JsonSchema = {
      $defs: { named: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } },
      allOf: [{ $ref: "#/$defs/named" }, { type: "object", properties: { age: { type: "integer" } } }],
    };
    expect(compileSerializer(schema)({ age: 1, name: "a", hash: "h" })).toBe('{"name":"a","age":1}');
    expect(errorOf(() => compileSerializer(schema)({ age: 1 })).pointer).toBe("/name");
  });

  it("keeps a property required that one member of allOf requires", () => {
    const a: JsonSchema = { properties: { a: { type: "string" } } };
    const schema: JsonSchema = { type: "object", allOf: [{ ...a, required: ["a"] }, a] };
    expect(errorOf(() => compileSerializer(schema)({})).pointer).toBe("/a");
  });

  it("joins a union with the properties beside it", () => {
    const schema: JsonSchema = {
      type: "object",
      properties: { id: { type: "integer" } },
      required: ["id"],
      oneOf: [
        { properties: { kind: { const: "a" } }, required: ["kind"] },
        { properties: { kind: { const: "b" }, more: { type: "string" } }, required: ["kind", "more"] },
      ],
    };
    expect(compileSerializer(schema)({ id: 1, kind: "b", more: "m", z: 1 })).toBe('{"id":1,"kind":"b","more":"m"}');
    expect(compileSerializer(schema)({ id: 1, kind: "a", more: "m" })).toBe('{"id":1,"kind":"a"}');
  });

  it("refuses everything where a keyword is not supported", () => {
    const schema: JsonSchema = JSON.parse('{"type":"object","properties":{},"patternProperties":{".*":{}}}');
    expect(errorOf(() => compileSerializer(schema)({})).expected).toBe("a schema that says what may leave");
  });
});

describe("output: properties over random schemas", () => {
  const names = [...plainNames, ...inheritedNames];

  it("writes exactly the declared part of a value that fits, however much more it carries", () => {
    fc.assert(
      fc.property(
        anySpec(names).chain((spec) => fc.tuple(fc.constant(spec), spec.sample)),
        ([spec, { clean, dirty }]) => {
          expect(JSON.parse(serializerOf(spec.schema)(dirty))).toEqual(JSON.parse(JSON.stringify(clean)));
        },
      ),
      { seed: 71, numRuns: 1_000 },
    );
  });

  it("throws for a value that differs in one place", () => {
    fc.assert(
      fc.property(
        anySpec(names).chain((spec) => fc.tuple(fc.constant(spec), spec.wrong)),
        ([spec, wrong]) => {
          expect(() => serializerOf(spec.schema)(wrong)).toThrow(UnserializableError);
        },
      ),
      { seed: 72, numRuns: 1_000 },
    );
  });

  it("writes only what somebody else's validator accepts as closed, whatever it is given", () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withSparseArray: true, withNullPrototype: true });
    fc.assert(
      fc.property(anySpec(plainNames), fc.array(anything, { maxLength: 5 }), ({ schema }, values) => {
        const write = serializerOf(schema);
        for (const value of values) {
          let text: string;
          try {
            text = write(value);
          } catch (error) {
            expect(error).toBeInstanceOf(UnserializableError);
            continue;
          }
          // Ranges and formats are the input's business; everything that opens a hole is a key or a type.
          const issues = schema.safeParse(JSON.parse(text)).error?.issues ?? [];
          expect(issues.filter(({ code }) => !["too_big", "too_small", "invalid_format"].includes(code))).toEqual([]);
        }
      }),
      { seed: 73, numRuns: 1_000 },
    );
  });
});
