import type { JsonSchema } from "./json-schema.ts";
import type { Pick, PickState } from "./pick-record.ts";
import { compileRecord, hasPollutedPrototype, isRecord, maxAnswerDepth } from "./pick-record.ts";
import { compileScalar } from "./pick-scalar.ts";
import { compileObjectUnion, pickFirstFitting } from "./pick-union.ts";
import type { ShapeReader } from "./schema-shape.ts";
import type { Shape } from "./shape.ts";
import { leavesOf, shapeReader } from "./schema-shape.ts";
import { UnserializableError } from "./unserializable-error.ts";

/** Writes one answer as JSON text. Throws UnserializableError when the value does not fit. */
export type Serializer = (value: unknown) => string;

/** What may be passed where the schema gives `T`: a Date for a text of a date format, a bigint for an integer. */
export type Serializable<T> = T extends string
  ? string extends T
    ? T | Date
    : T
  : T extends number
    ? number extends T
      ? T | bigint
      : T
    : T extends object
      ? { readonly [K in keyof T]: Serializable<T[K]> }
      : T;

/**
 * Compiles the only way out for a route's answers: the declared properties leave, nothing else does.
 *
 * - A database row may be passed: what is not declared is dropped at every depth; what is declared is written in declared
 *   order, whatever the order of the row.
 * - Refused with an error: a missing required property, a value of another type or outside `enum` and `const`, too many
 *   or too few items, NaN and Infinity, null where it is not declared, nesting beyond `maxAnswerDepth`.
 *   Lengths, ranges, patterns and formats of texts and numbers are not looked at: they keep nothing from leaving.
 * - An optional property that is undefined is left out. Dates, bigints and `toJSON`: see `compileScalar`.
 * - Each property is read once, so that what was judged is what is written; it must be the object's own or come from
 *   its class, never from `Object.prototype`.
 * - Unions: the alternative whose tags, types and required properties the value bears; the first one of several.
 *
 * The value is copied into plain objects of our own, always built alike, and these go through `JSON.stringify` once:
 * that is as fast as any concatenation in JavaScript and leaves escaping to the engine. No code is generated.
 *
 * @param schema  JSON Schema of the output; a place it leaves unclear compiles into a refusal
 */
export function compileSerializer(schema: JsonSchema): Serializer {
  const state: PickState = { careful: false, attemptsLeft: 0 };
  const compiler: Compiler = { reader: shapeReader(schema), picks: new Map(), state };
  const pick = compile(compiler, compiler.reader(schema));

  return function serialize(value) {
    state.careful = hasPollutedPrototype();
    state.attemptsLeft = maxAttempts;
    return JSON.stringify(pick(value, 0));
  };
}

/** Most alternatives one answer may try and give up, over all its unions. */
const maxAttempts = 1_000;

interface Compiler {
  readonly reader: ShapeReader;
  /** By shape, so that a recursive schema ends; a pick that is still being compiled is reached through its cell. */
  readonly picks: Map<Shape, { pick: Pick }>;
  readonly state: PickState;
}

function compile(compiler: Compiler, shape: Shape): Pick {
  const known = compiler.picks.get(shape);
  if (known !== undefined) return (value, depth) => known.pick(value, depth);
  const cell: { pick: Pick } = { pick: refuse("a schema that says what may leave") };
  compiler.picks.set(shape, cell);
  cell.pick = compileLeaves(compiler, leavesOf(compiler.reader, shape));
  return cell.pick;
}

/** One pick over all alternatives: what kind of value it is decides which of them are asked. */
function compileLeaves(compiler: Compiler, leaves: readonly Shape[]): Pick {
  if (leaves.length === 0 || leaves.some((leaf) => leaf.unclear.length > 0)) {
    return refuse("a schema that says what may leave");
  }
  const expected = phraseOf(leaves);
  const unlisted = leaves.filter((leaf) => leaf.values === undefined);
  const scalars = leaves.map(compileScalar).filter((pick) => pick !== undefined);
  const pickArray = compileArrays(
    compiler,
    unlisted.filter((leaf) => leaf.types.has("array")),
  );
  const pickObject = compileObjects(
    compiler,
    unlisted.filter((leaf) => leaf.types.has("object")),
  );

  const [scalar, ...furtherScalars] = scalars;
  if (pickArray === undefined && pickObject === undefined && furtherScalars.length === 0) {
    return function pickScalar(value) {
      const picked = scalar?.(value);
      if (picked === undefined) throw new UnserializableError(expected);
      return picked;
    };
  }
  if (scalars.length === 0 && pickArray === undefined && pickObject !== undefined) return pickObject;
  return function pickByKind(value, depth) {
    for (const pick of scalars) {
      const picked = pick(value);
      if (picked !== undefined) return picked;
    }
    if (pickArray !== undefined && Array.isArray(value)) return pickArray(value, depth);
    if (pickObject !== undefined && isRecord(value)) return pickObject(value, depth);
    throw new UnserializableError(expected);
  };
}

function compileArrays(compiler: Compiler, leaves: readonly Shape[]): Pick | undefined {
  const picks = leaves.map((leaf) => compileArray(compiler, leaf));
  if (picks.length < 2) return picks[0];
  return (value, depth) => pickFirstFitting(compiler.state, picks, value, depth);
}

function compileObjects(compiler: Compiler, leaves: readonly Shape[]): Pick | undefined {
  const members = leaves.map((shape) => ({ shape, pick: compileObject(compiler, shape) }));
  if (members.length < 2) return members[0]?.pick;
  return compileObjectUnion(compiler.state, members, compiler.reader);
}

function compileObject(compiler: Compiler, shape: Shape): Pick {
  const fields = [...shape.fields].map(([name, { schema, required }]) => ({
    name,
    required,
    pick: compile(compiler, compiler.reader(schema)),
  }));
  return compileRecord(compiler.state, fields);
}

function compileArray(compiler: Compiler, shape: Shape): Pick {
  const { minItems, maxItems } = shape;
  const firstItems = shape.prefixItems.map((item) => compile(compiler, compiler.reader(item)));
  const otherItems =
    shape.items === undefined ? refuse("no further item") : compile(compiler, compiler.reader(shape.items));

  return function pickArray(value, depth) {
    if (!Array.isArray(value)) throw new UnserializableError("array");
    if (depth > maxAnswerDepth) throw new UnserializableError(`at most ${maxAnswerDepth} levels of nesting`);
    const { length } = value;
    if (length > maxItems) throw new UnserializableError(`at most ${maxItems} items`);
    if (length < minItems) throw new UnserializableError(`at least ${minItems} items`);
    const copy: unknown[] = [];
    for (let at = 0; at < length; at++) {
      const pick = firstItems[at] ?? otherItems;
      try {
        copy.push(pick(value[at], depth + 1));
      } catch (error) {
        throw error instanceof UnserializableError ? error.below(at) : error;
      }
    }
    return copy;
  };
}

function refuse(expected: string): Pick {
  return function refuseValue() {
    throw new UnserializableError(expected);
  };
}

/** What is declared, for the log: "integer or null", "one of the listed values". */
function phraseOf(leaves: readonly Shape[]): string {
  const phrases = leaves.flatMap((leaf) => {
    if (leaf.values !== undefined) return ["one of the listed values"];
    const names = [...leaf.types].filter((type) => type !== "integer" || !leaf.types.has("number"));
    return names.length === 0 ? ["nothing at all"] : names;
  });
  return [...new Set(phrases)].join(" or ");
}
