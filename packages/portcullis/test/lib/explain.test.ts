import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { explain } from "../../src/lib/explain.ts";
import type { JsonSchema } from "../../src/lib/json-schema.ts";
import { inputJsonSchema } from "../../src/lib/standard-schema.ts";
import type { StandardIssue } from "../../src/lib/standard-schema.ts";
import { objectSpec, plainNames } from "./schema-arbitraries.ts";

/** What a caller would read after Zod refused the value; undefined when Zod took it. */
function explained(schema: z.ZodType, value: unknown) {
  const issues = issuesOf(schema, value);
  return issues && explain(inputJsonSchema(schema), value, issues).map(({ pointer, reason }) => `${pointer} ${reason}`);
}

function issuesOf(schema: z.ZodType, value: unknown): readonly StandardIssue[] | undefined {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) throw new Error("these schemas answer at once");
  return result.issues;
}

const project = z.strictObject({
  id: z.uuid(),
  name: z.string().trim().min(1).max(8),
  stars: z.int().min(0).max(10),
  kind: z.enum(["a", "b"]),
  tags: z.array(z.string().max(3)).max(2).default([]),
  note: z.string().max(5).nullable().optional(),
  site: z.strictObject({ url: z.url().max(50) }).optional(),
});

const good = { id: "0b9e7a52-7c1e-4b56-9d5e-0d6f5b1f7a11", name: "One", stars: 1, kind: "a" };

describe("input: reasons", () => {
  const cases: readonly [string, unknown, readonly string[]][] = [
    ["a missing field", { ...good, name: undefined }, ["/name missing"]],
    ["an unknown field", { ...good, owner: 1 }, ["/owner unknown"]],
    ["an unknown field deeper down", { ...good, site: { url: "https://a.example", x: 1 } }, ["/site/x unknown"]],
    ["another type", { ...good, stars: "1" }, ["/stars type"]],
    ["a fraction for an integer", { ...good, stars: 1.5 }, ["/stars type"]],
    ["null where it is not declared", { ...good, name: null }, ["/name type"]],
    ["a text too long", { ...good, name: "123456789" }, ["/name length"]],
    ["a text too short after it was trimmed", { ...good, name: "   " }, ["/name not-allowed"]],
    ["a list too long", { ...good, tags: ["", "", ""] }, ["/tags length"]],
    ["an item too long", { ...good, tags: ["", "1234"] }, ["/tags/1 length"]],
    ["a number out of range", { ...good, stars: 11 }, ["/stars range"]],
    ["a malformed uuid", { ...good, id: "1" }, ["/id format"]],
    ["a malformed URL", { ...good, site: { url: "nowhere" } }, ["/site/url format"]],
    ["a value that is not listed", { ...good, kind: "c" }, ["/kind not-allowed"]],
    ["a value of another type than the listed ones", { ...good, kind: 1 }, ["/kind type"]],
    ["another type at the top", [], [" type"]],
    ["nothing at the top", undefined, [" missing"]],
    [
      "several at once",
      { name: "", x: 1 },
      ["/id missing", "/name length", "/stars missing", "/kind missing", "/x unknown"],
    ],
  ];
  it.each(cases)("names %s", (_, value, expected) => {
    expect(explained(project, value)).toEqual(expected);
  });

  it("names bounds that exclude their end, and steps", () => {
    const schema = z.strictObject({ a: z.number().gt(0).lt(1), b: z.int().min(0).max(9).multipleOf(2) });
    expect(explained(schema, { a: 0, b: 3 })).toEqual(["/a range", "/b range"]);
    expect(explained(schema, { a: 1, b: 3 })).toEqual(["/a range", "/b range"]);
  });

  it("explains a discriminated union against the alternative that was meant", () => {
    const schema = z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("a"), n: z.int() }),
      z.strictObject({ kind: z.literal("b"), s: z.string().max(3) }),
    ]);
    expect(explained(schema, { kind: "b", s: 1, n: 1 })).toEqual(["/s type", "/n unknown"]);
    expect(explained(schema, { kind: "c" })).toEqual(["/kind not-allowed"]);
    expect(explained(schema, {})).toEqual(["/kind missing"]);
    expect(explained(schema, 1)).toEqual([" type"]);
  });

  it("explains a union by the one alternative of that type, or names the place as a whole", () => {
    const schema = z.strictObject({
      a: z.union([z.string().max(3), z.int().max(9).min(0), z.array(z.int()).max(2)]),
      b: z.union([z.strictObject({ x: z.int() }), z.strictObject({ y: z.int() })]),
    });
    expect(explained(schema, { a: "1234", b: { x: "1" } })).toEqual(["/a length", "/b not-allowed"]);
    expect(explained(schema, { a: [1, "x"], b: 1 })).toEqual(["/a/1 type", "/b type"]);
    expect(explained(schema, { a: true, b: { y: 1 } })).toEqual(["/a type"]);
  });

  it("explains tuples, records over listed names and never", () => {
    const schema = z.strictObject({
      t: z.tuple([z.string().max(3), z.int()]),
      r: z.record(z.enum(["x", "y"]), z.int()),
      n: z.never().optional(),
    });
    expect(explained(schema, { t: ["", "1"], r: { x: 1, y: "1", z: 1 } })).toEqual([
      "/t/1 type",
      "/r/y type",
      "/r/z unknown",
    ]);
    expect(explained(schema, { t: [""], r: { x: 1, y: 1 }, n: 1 })).toEqual(["/t length", "/n not-allowed"]);
  });

  it("follows references", () => {
    interface Tree {
      left?: Tree | undefined;
    }
    const tree: z.ZodType<Tree> = z.strictObject({
      get left() {
        return tree.optional();
      },
    });
    expect(explained(tree, { left: { left: { right: 1 } } })).toEqual(["/left/left/right unknown"]);
  });
});

describe("input: where the walk and the library differ", () => {
  it("names what the library alone refuses as not-allowed, beside what both see", () => {
    const schema = z.strictObject({ a: z.int().refine((n) => n % 2 === 0), b: z.string().max(3) });
    expect(explained(schema, { a: 1, b: "abc" })).toEqual(["/a not-allowed"]);
    expect(explained(schema, { a: 1, b: "abcd" })).toEqual(["/b length", "/a not-allowed"]);
  });

  it("does not accuse a field about which the library is silent", () => {
    const described: JsonSchema = {
      type: "object",
      properties: { a: { type: "string", maxLength: 1 }, b: { type: "integer" } },
      additionalProperties: false,
    };
    const issues = [{ message: "no", path: [{ key: "b" }] }];
    expect(explain(described, { a: "longer than the description says", b: "x" }, issues)).toEqual([
      { pointer: "/b", reason: "type" },
    ]);
  });

  it("does not accuse what only the library could judge, when it complains about the whole", () => {
    const schema: JsonSchema = {
      type: "object",
      properties: {
        step: { type: "integer", multipleOf: 2 },
        text: { type: "string", pattern: "^a" },
        open: { type: "object", properties: {} },
      },
      additionalProperties: false,
    };
    const value = { step: 3, text: "b", open: { more: 1 }, unknown: 1 };
    expect(explain(schema, value, [{ message: "no" }])).toEqual([{ pointer: "/unknown", reason: "unknown" }]);
  });

  it("decides alone when the library said nothing about where", () => {
    const schema: JsonSchema = { type: "object", properties: { a: { type: "integer" } }, additionalProperties: false };
    expect(explain(schema, { a: "x" }, [{ message: "no" }])).toEqual([{ pointer: "/a", reason: "type" }]);
    expect(explain(schema, { a: "x" }, [])).toEqual([{ pointer: "/a", reason: "type" }]);
    expect(explain(schema, { a: 1 }, [{ message: "no" }])).toEqual([{ pointer: "", reason: "not-allowed" }]);
  });
});

describe("input: what a caller can make of it", () => {
  it("never has more than 20 entries", () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`x${at}`, at]));
    expect(explained(project, { ...good, ...many })).toHaveLength(20);
    const items = Array.from({ length: 500 }, () => "no integer");
    expect(explained(z.array(z.int()).max(1_000), items)).toHaveLength(20);
  });

  it("cuts an unknown name to 64 characters, escapes it, and leaves no half of a surrogate pair", () => {
    expect(explained(project, { ...good, ["x".repeat(1_000)]: 1 })).toEqual([`/${"x".repeat(64)} unknown`]);
    expect(explained(project, { ...good, "a/b~c": 1 })).toEqual(["/a~1b~0c unknown"]);
    expect(explained(project, { ...good, [`${"x".repeat(63)}😀`]: 1 })).toEqual([`/${"x".repeat(63)}\ufffd unknown`]);
  });

  it("cuts the names in the library's own paths, too", () => {
    const path = Array.from({ length: 500 }, () => "n".repeat(500));
    const [entry] = explain({ type: "string" }, "x", [{ message: "no", path }]);
    expect(entry?.pointer.length).toBeLessThanOrEqual(64 * 65);
    const symbols = explain({ type: "string" }, "x", [{ message: "no", path: [Symbol("s"), 3] }]);
    expect(symbols).toEqual([{ pointer: "/Symbol(s)/3", reason: "not-allowed" }]);
  });

  it("never repeats the library's text", () => {
    const schema = z.strictObject({ a: z.int().refine(() => false, "internal: see table users") });
    expect(JSON.stringify(explained(schema, { a: 1 }))).not.toContain("users");
  });

  it("ends on a value that contains itself, on great lists and on schemas that circle", () => {
    const tree: JsonSchema = {
      type: "object",
      properties: { left: { $ref: "#" }, right: { $ref: "#" } },
      additionalProperties: false,
    };
    const circle: Record<string, unknown> = {};
    circle["left"] = circle;
    circle["right"] = circle;
    expect(explain(tree, circle, [{ message: "no" }])).toEqual([{ pointer: "", reason: "not-allowed" }]);

    const big = Array.from({ length: 200_000 }, (_, at) => ({ at }));
    const list: JsonSchema = { type: "array", items: { type: "object", properties: { at: { type: "integer" } } } };
    expect(explain(list, [...big, "x"], [{ message: "no", path: [200_000] }])).toEqual([
      { pointer: "/200000", reason: "not-allowed" },
    ]);

    const forever: JsonSchema = { anyOf: [{ $ref: "#" }, { allOf: [{ $ref: "#" }] }] };
    expect(explain(forever, {}, [{ message: "no" }])).toEqual([{ pointer: "", reason: "not-allowed" }]);
  });

  it("does bounded work on unions of unions that all nearly fit", () => {
    const either = (depth: number): JsonSchema =>
      depth === 0
        ? { type: "object", properties: { last: { type: "integer" } }, required: ["last"], additionalProperties: false }
        : {
            anyOf: [1, 2, 3].map(() => ({
              type: "object",
              properties: { next: { $ref: `#/$defs/d${depth - 1}` } },
              required: ["next"],
              additionalProperties: false,
            })),
          };
    const $defs = Object.fromEntries(Array.from({ length: 30 }, (_, depth) => [`d${depth}`, either(depth)]));
    let value: object = { last: "x" };
    for (let level = 0; level < 29; level++) value = { next: value };
    expect(explain({ $ref: "#/$defs/d29", $defs }, value, [{ message: "no" }])).toEqual([
      { pointer: "", reason: "not-allowed" },
    ]);
  });
});

describe("input: properties over random schemas", () => {
  const reasons = ["missing", "unknown", "type", "length", "range", "format", "not-allowed"];
  const values = (sample: fc.Arbitrary<{ clean: unknown; dirty: unknown }>, wrong: fc.Arbitrary<unknown>) =>
    fc.oneof(
      sample.map(({ clean }) => clean),
      sample.map(({ dirty }) => dirty),
      wrong,
      fc.anything(),
    );
  const drawn = objectSpec(plainNames).chain((spec) =>
    fc.tuple(fc.constant(spec.schema), values(spec.sample, spec.wrong)),
  );

  it("has entries exactly for the values Zod refuses, with declared reasons and bounded pointers", () => {
    let refused = 0;
    fc.assert(
      fc.property(drawn, ([schema, value]) => {
        const issues = issuesOf(schema, value);
        const entries = explain(inputJsonSchema(schema), value, issues ?? []);
        if (issues === undefined) {
          expect(entries).toEqual([]);
          return;
        }
        refused++;
        expect(entries.length).toBeGreaterThan(0);
        expect(entries.length).toBeLessThanOrEqual(20);
        for (const { pointer, reason } of entries) {
          expect(reasons).toContain(reason);
          expect(pointer).toMatch(/^(?:\/(?:[^~/]|~[01]){0,64})*$/u);
        }
      }),
      { seed: 81, numRuns: 1_500 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it("finds why on its own for every JSON value Zod refuses, except for formats", () => {
    let refused = 0;
    fc.assert(
      fc.property(drawn, ([schema, value]) => {
        if (!isJson(value)) return;
        const issues = schema.safeParse(value).error?.issues ?? [];
        const alone = explain(inputJsonSchema(schema), value, []);
        if (issues.length === 0) expect(alone).toEqual([]);
        else if (!issues.every(({ code }) => code === "invalid_format")) {
          refused++;
          expect(alone.length).toBeGreaterThan(0);
        }
      }),
      { seed: 82, numRuns: 1_500 },
    );
    expect(refused).toBeGreaterThan(500);
  });
});

function isJson(value: unknown): boolean {
  try {
    expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value);
    return true;
  } catch {
    return false;
  }
}
