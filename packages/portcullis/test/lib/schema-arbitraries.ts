import fc from "fast-check";
import * as z from "zod";

/** A random closed schema together with values that fit it and values that do not. */
export interface Spec {
  readonly schema: z.ZodType;
  readonly sample: fc.Arbitrary<Sample>;
  /** Values that differ from the schema in exactly one place, by type, by presence, by list or by number of items. */
  readonly wrong: fc.Arbitrary<unknown>;
}

/** A value that fits, and the same value as a handler may hold it: with columns too many, Dates and bigints. */
export interface Sample {
  readonly clean: unknown;
  readonly dirty: unknown;
}

/** Any closed schema of a few levels. */
export function anySpec(names: readonly string[] = plainNames): fc.Arbitrary<Spec> {
  return fc.letrec<{ spec: Spec }>((tie) => ({
    spec: fc.oneof(
      { maxDepth: 3, depthIdentifier: "spec" },
      leaf,
      objectOf(tie("spec"), names),
      arrayOf(tie("spec")),
      nullable(tie("spec")),
      tagged(tie("spec"), names),
    ),
  })).spec;
}

/** Any closed object schema at the top. */
export function objectSpec(names: readonly string[] = plainNames): fc.Arbitrary<Spec> {
  return objectOf(anySpec(names), names);
}

export const plainNames = ["id", "ownerId", "name", "a/b", "~tilde", "a b", "items", "ß", "length", "0"] as const;

/** Names that every object inherits, and one that changes what `JSON.stringify` does. */
export const inheritedNames = ["constructor", "toString", "hasOwnProperty", "valueOf", "toJSON"] as const;

const text = { schema: z.string().max(30), sample: same(fc.string({ maxLength: 30 })), wrong: notText() };
const anyText = {
  schema: z.string().max(30),
  sample: same(fc.string({ unit: "binary", maxLength: 15 })),
  wrong: notText(),
};
const controlText = {
  schema: z.string().max(30),
  sample: same(fc.string({ unit: fc.constantFrom('"', "\\", "\n", "\u0000", "\u2028", "\ud800", "é"), maxLength: 9 })),
  wrong: notText(),
};
const uuid = { schema: z.uuid(), sample: same(fc.uuid()), wrong: notText() };
const instant = {
  schema: z.iso.datetime(),
  sample: fc
    .date({ min: new Date("1970-01-01"), max: new Date("2100-01-01"), noInvalidDate: true })
    .chain((date) => fc.constantFrom({ clean: date.toISOString(), dirty: date }, both(date.toISOString()))),
  wrong: fc.oneof(notText(), fc.constant(new Date(Number.NaN))),
};
const integer = {
  schema: z.int(),
  sample: fc.maxSafeInteger().chain((value) => fc.constantFrom(both(value), { clean: value, dirty: BigInt(value) })),
  wrong: fc.oneof(notNumber(), fc.constantFrom<unknown>(1.5, Number.NaN, Number.POSITIVE_INFINITY, 2n ** 60n)),
};
const decimal = {
  schema: z.number().min(-1_000).max(1_000),
  sample: same(fc.double({ min: -1_000, max: 1_000, noNaN: true })),
  wrong: fc.oneof(notNumber(), fc.constantFrom<unknown>(Number.NaN, Number.NEGATIVE_INFINITY)),
};
const flag = { schema: z.boolean(), sample: same(fc.boolean()), wrong: fc.constantFrom<unknown>(1, "true", null, {}) };
const listed = {
  schema: z.enum(["red", "green"]),
  sample: same(fc.constantFrom("red", "green")),
  wrong: fc.constantFrom<unknown>("blue", "", 0, null, ["red"]),
};
const literals = {
  schema: z.literal([1, "one", true]),
  sample: same(fc.constantFrom<unknown>(1, "one", true)),
  wrong: fc.constantFrom<unknown>(2, "1", false, null, {}),
};

const leaf: fc.Arbitrary<Spec> = fc.constantFrom<Spec[]>(
  text,
  anyText,
  controlText,
  uuid,
  instant,
  integer,
  decimal,
  flag,
  listed,
  literals,
);

interface FieldSpec {
  readonly name: string;
  readonly spec: Spec;
  readonly optional: boolean;
}

function objectOf(spec: fc.Arbitrary<Spec>, names: readonly string[]): fc.Arbitrary<Spec> {
  return fieldsOf(spec, names).map((fields) => ({
    schema: z.strictObject(shapeOf(fields)),
    sample: sampleOf(fields),
    wrong: wrongOf(fields),
  }));
}

/** A discriminated union of two objects, whose other fields may carry the same names with other types. */
function tagged(spec: fc.Arbitrary<Spec>, names: readonly string[]): fc.Arbitrary<Spec> {
  return fc.tuple(fieldsOf(spec, names), fieldsOf(spec, names)).map(([some, others]) => {
    const [a, b] = [withTag("a", some), withTag("b", others)];
    return {
      schema: z.discriminatedUnion("kind", [
        z.strictObject({ ...shapeOf(some), kind: z.literal("a") }),
        z.strictObject({ ...shapeOf(others), kind: z.literal("b") }),
      ]),
      sample: fc.oneof(sampleOf(a), sampleOf(b)),
      wrong: fc.oneof(wrongOf(a), wrongOf(b)),
    };
  });
}

function withTag(tag: string, fields: readonly FieldSpec[]): readonly FieldSpec[] {
  const spec = { schema: z.literal(tag), sample: same(fc.constant(tag)), wrong: fc.constant(`not ${tag}`) };
  return [{ name: "kind", spec, optional: false }, ...fields];
}

function arrayOf(spec: fc.Arbitrary<Spec>): fc.Arbitrary<Spec> {
  return spec.map((item) => ({
    schema: z.array(item.schema).max(3),
    sample: fc.array(item.sample, { maxLength: 3 }).map((items) => ({
      clean: items.map(({ clean }) => clean),
      dirty: items.map(({ dirty }) => dirty),
    })),
    wrong: fc.oneof(
      fc.constantFrom<unknown>("text", 1, null, {}, { length: 1, 0: "x" }),
      fc.array(item.sample, { minLength: 4, maxLength: 5 }).map((items) => items.map(({ clean }) => clean)),
      fc
        .tuple(fc.array(item.sample, { maxLength: 2 }), item.wrong)
        .map(([items, bad]) => [...items.map(({ clean }) => clean), bad]),
    ),
  }));
}

function nullable(spec: fc.Arbitrary<Spec>): fc.Arbitrary<Spec> {
  return spec.map((inner) => ({
    schema: inner.schema.nullable(),
    sample: fc.oneof(inner.sample, fc.constant(both(null))),
    wrong: inner.wrong.filter((value) => value !== null),
  }));
}

function fieldsOf(spec: fc.Arbitrary<Spec>, names: readonly string[]): fc.Arbitrary<readonly FieldSpec[]> {
  return fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), spec, optional: fc.boolean() }), {
    selector: ({ name }) => name,
    maxLength: 5,
  });
}

function shapeOf(fields: readonly FieldSpec[]): Record<string, z.ZodType> {
  return Object.fromEntries(
    fields.map(({ name, spec, optional }) => [name, optional ? spec.schema.optional() : spec.schema]),
  );
}

function sampleOf(fields: readonly FieldSpec[]): fc.Arbitrary<Sample> {
  const parts = fields.map(({ name, spec, optional }) =>
    fc.tuple(fc.constant(name), spec.sample, optional ? fc.boolean() : fc.constant(true)),
  );
  return fc.tuple(fc.tuple(...parts), extras, fc.boolean()).map(([entries, surplus, isReversed]) => {
    const present = entries.filter(([, , isPresent]) => isPresent);
    const dirty = [...present.map(([name, { dirty }]) => [name, dirty] as const), ...surplus];
    return {
      clean: Object.fromEntries(present.map(([name, { clean }]) => [name, clean])),
      dirty: Object.fromEntries(isReversed ? dirty.toReversed() : dirty),
    };
  });
}

function wrongOf(fields: readonly FieldSpec[]): fc.Arbitrary<unknown> {
  const whole = fc.constantFrom<unknown>("text", 1, null, [], true);
  const broken = fields.flatMap(({ name, spec, optional }) => {
    const without = optional ? [] : [sampleOf(fields).map(({ clean }) => omit(clean, name))];
    const replaced = fc
      .tuple(sampleOf(fields), spec.wrong)
      .map(([{ clean }, bad]) => ({ ...recordOf(clean), [name]: bad }));
    return [...without, replaced];
  });
  return fc.oneof(whole, ...broken);
}

function omit(value: unknown, name: string): unknown {
  return Object.fromEntries(Object.entries(recordOf(value)).filter(([key]) => key !== name));
}

function recordOf(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

/** Columns no schema declares. */
const extras = fc.array(
  fc.tuple(
    fc.string({ maxLength: 6 }).map((name) => `extra ${name}`),
    fc.jsonValue({ maxDepth: 1 }),
  ),
  {
    maxLength: 3,
  },
);

function both(value: unknown): Sample {
  return { clean: value, dirty: value };
}

function same(values: fc.Arbitrary<unknown>): fc.Arbitrary<Sample> {
  return values.map(both);
}

function notText(): fc.Arbitrary<unknown> {
  return fc.constantFrom<unknown>(1, true, null, [], {}, Symbol("s"), () => "text", ["text"]);
}

function notNumber(): fc.Arbitrary<unknown> {
  return fc.constantFrom<unknown>("1", true, null, [], {}, [1]);
}
