import type { JsonSchema, JsonType } from "./json-schema.ts";
import { jsonTypes, resolveRef, unsupportedKeywords } from "./json-schema.ts";

/**
 * One place of a schema as every walk sees it: references followed, `allOf` merged, `integer` told from `number`.
 *
 * Where `alternatives` stand, the value must match one of them and the other members say nothing beyond them.
 */
export interface Shape {
  /** What kinds of value may stand here; `number` never without `integer`. Empty: none, the place is "never". */
  readonly types: ReadonlySet<JsonType>;
  /** The only values that may stand here (`enum`, `const`); undefined when values are not listed. */
  readonly values: ReadonlySet<unknown> | undefined;
  /** Members of `anyOf` or `oneOf`, each already joined with what stands beside them. */
  readonly alternatives: readonly (JsonSchema | boolean)[] | undefined;
  /** Declared properties, in declared order. */
  readonly fields: ReadonlyMap<string, Field>;
  /** No other properties than `fields`. */
  readonly closed: boolean;
  /** Names limited by `propertyNames`: `listed` one by one, which makes them `fields`, or by some other rule. */
  readonly record: "listed" | "open" | undefined;
  readonly prefixItems: readonly (JsonSchema | boolean)[];
  /** Items after `prefixItems`; false: there are none; undefined: nothing is said. */
  readonly items: JsonSchema | boolean | undefined;
  readonly minItems: number;
  /** Infinity where nothing is said. */
  readonly maxItems: number;
  readonly minLength: number;
  readonly maxLength: number;
  readonly patterns: readonly string[];
  readonly formats: readonly string[];
  readonly minimum: number;
  readonly maximum: number;
  /** `minimum` itself is refused. */
  readonly minimumExcluded: boolean;
  readonly maximumExcluded: boolean;
  readonly multiples: readonly number[];
  /** Why this place cannot be judged, one phrase each. Empty when all of it was understood. */
  readonly unclear: readonly string[];
}

/** A declared property. */
export interface Field {
  readonly schema: JsonSchema | boolean;
  readonly required: boolean;
}

/** Gives the shape of any place of one document; the same place always gives the same object. */
export type ShapeReader = (schema: JsonSchema | boolean) => Shape;

/**
 * The reader of one document. Readers are kept as long as their document, so that later walks find the work done.
 *
 * A document that unfolds into more than `maxShapes` places is cut off there: the rest is "never" and unclear.
 */
export function shapeReader(root: JsonSchema): ShapeReader {
  const known = readers.get(root);
  if (known !== undefined) return known;

  const shapes = new WeakMap<JsonSchema, Shape>();
  let count = 0;
  function readShape(schema: JsonSchema | boolean): Shape {
    const target = behindReferences(schema, root);
    if (typeof target === "boolean") return target ? anything : never;
    const found = shapes.get(target);
    if (found !== undefined) return found;
    if (++count > maxShapes) return unending;
    const shape = shapeOf(target, root);
    shapes.set(target, shape);
    return shape;
  }
  readers.set(root, readShape);
  return readShape;
}

/** Most places one document may unfold into. Real schemas have hundreds. */
export const maxShapes = 10_000;

const readers = new WeakMap<JsonSchema, ShapeReader>();

/** References and `allOf` followed in a row for one place; more is a circle. */
const maxHops = 50;

/** Members of `allOf` and targets of references taken together for one place. */
const maxParts = 1_000;

interface Parts {
  readonly constraints: JsonSchema[];
  readonly unions: (readonly (JsonSchema | boolean)[])[];
  readonly unclear: string[];
  never: boolean;
  circular: boolean;
  count: number;
}

/** Where a reference leads that says nothing else, so that all who refer to a place see the same one. */
function behindReferences(schema: JsonSchema | boolean, root: JsonSchema): JsonSchema | boolean {
  let place = schema;
  for (let hops = 0; hops < maxHops && typeof place === "object" && place.$ref !== undefined; hops++) {
    if (Object.keys(place).some((keyword) => deciding.has(keyword))) return place;
    const target = resolveRef(root, place.$ref);
    if (target === undefined) return place;
    place = target;
  }
  return place;
}

function shapeOf(schema: JsonSchema, root: JsonSchema): Shape {
  const parts: Parts = {
    constraints: [],
    unions: [],
    unclear: [],
    never: false,
    circular: false,
    count: 0,
  };
  collect(schema, root, parts, 0);
  if (parts.circular) return { ...never, unclear: ["its references lead back to themselves"] };
  if (parts.never) return never;

  const [union, ...furtherUnions] = parts.unions;
  const joined = joinConstraints(parts.constraints, parts.unclear);
  if (union === undefined) {
    if (parts.unclear.length > 0) return joined;
    if (parts.constraints.length === 0) joined.unclear.push("nothing is said about the value");
    else if (joined.types.size === jsonTypes.length) joined.unclear.push("no type is said");
    return joined;
  }
  const beside = [...parts.constraints, ...furtherUnions.map((members): JsonSchema => ({ anyOf: members }))];
  return {
    ...joined,
    alternatives: beside.length === 0 ? union : union.map((member): JsonSchema => ({ allOf: [...beside, member] })),
  };
}

/** Takes a place apart until only plain constraints and unions are left. */
function collect(schema: JsonSchema | boolean, root: JsonSchema, parts: Parts, hops: number): void {
  if (schema === true) return;
  if (schema === false) {
    parts.never = true;
    return;
  }
  if (hops > maxHops || ++parts.count > maxParts) {
    parts.circular = true;
    return;
  }
  for (const keyword of Object.keys(schema)) {
    if (unsupportedKeywords.has(keyword)) parts.unclear.push(`the keyword ${keyword} is not supported`);
  }
  const { $ref, allOf, anyOf, oneOf, not, ...constraints } = schema;
  if (Object.keys(constraints).some((keyword) => constraining.has(keyword))) parts.constraints.push(constraints);
  if (anyOf !== undefined) parts.unions.push(anyOf);
  if (oneOf !== undefined) parts.unions.push(oneOf);
  if (not !== undefined) {
    if (not === true || (typeof not === "object" && Object.keys(not).length === 0)) parts.never = true;
    else if (not !== false) parts.unclear.push("the keyword not is supported only as { not: {} }");
  }
  if ($ref !== undefined) {
    const target = resolveRef(root, $ref);
    if (target === undefined) parts.unclear.push(`the reference ${$ref} leads to no schema in this document`);
    else collect(target, root, parts, hops + 1);
  }
  for (const member of allOf ?? []) collect(member, root, parts, hops + 1);
}

/** Keywords that say something about the value; the rest are annotations. */
const constraining: ReadonlySet<string> = new Set([
  "type",
  "enum",
  "const",
  "properties",
  "required",
  "additionalProperties",
  "propertyNames",
  "items",
  "prefixItems",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "pattern",
  "format",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
]);

/** Keywords beside a reference that make it more than a reference. */
const deciding: ReadonlySet<string> = new Set([
  ...constraining,
  ...unsupportedKeywords,
  "allOf",
  "anyOf",
  "oneOf",
  "not",
]);

interface MutableShape extends Shape {
  types: ReadonlySet<JsonType>;
  values: ReadonlySet<unknown> | undefined;
  readonly fields: Map<string, Field>;
  closed: boolean;
  record: "listed" | "open" | undefined;
  prefixItems: readonly (JsonSchema | boolean)[];
  items: JsonSchema | boolean | undefined;
  minItems: number;
  maxItems: number;
  minLength: number;
  maxLength: number;
  readonly patterns: string[];
  readonly formats: string[];
  minimum: number;
  maximum: number;
  minimumExcluded: boolean;
  maximumExcluded: boolean;
  readonly multiples: number[];
  readonly unclear: string[];
}

function unlimited(unclear: string[]): MutableShape {
  return {
    types: new Set(jsonTypes),
    values: undefined,
    alternatives: undefined,
    fields: new Map(),
    closed: false,
    record: undefined,
    prefixItems: [],
    items: undefined,
    minItems: 0,
    maxItems: Number.POSITIVE_INFINITY,
    minLength: 0,
    maxLength: Number.POSITIVE_INFINITY,
    patterns: [],
    formats: [],
    minimum: Number.NEGATIVE_INFINITY,
    maximum: Number.POSITIVE_INFINITY,
    minimumExcluded: false,
    maximumExcluded: false,
    multiples: [],
    unclear,
  };
}

const anything: Shape = unlimited(["nothing is said about the value"]);
const never: Shape = { ...unlimited([]), types: new Set() };
const unending: Shape = {
  ...unlimited([`the schema unfolds into more than ${maxShapes} places`]),
  types: new Set(),
};

function joinConstraints(constraints: readonly JsonSchema[], unclear: string[]): MutableShape {
  const shape = unlimited(unclear);
  for (const part of constraints) {
    joinTypes(shape, part);
    joinValues(shape, part);
    joinFields(shape, part);
    joinItems(shape, part);
    joinBounds(shape, part);
  }
  if (shape.values !== undefined) {
    const typesOfValues = new Set([...shape.values].map(typeOf));
    shape.types = common(shape.types, typesOfValues);
    // { type: "integer", enum: [1, 2.5] } leaves 1 alone.
    shape.values = new Set([...shape.values].filter((value) => covers(shape.types, typeOf(value))));
  }
  return shape;
}

function joinTypes(shape: MutableShape, part: JsonSchema): void {
  if (part.type === undefined) return;
  shape.types = common(shape.types, new Set(typeof part.type === "string" ? [part.type] : part.type));
}

function joinValues(shape: MutableShape, part: JsonSchema): void {
  for (const listed of [part.enum, Object.hasOwn(part, "const") ? [part.const] : undefined]) {
    if (listed === undefined) continue;
    if (listed.some((value) => typeof value === "object" && value !== null)) {
      shape.unclear.push("enum and const are supported for texts, numbers, booleans and null only");
    }
    shape.values = new Set(listed.filter((value) => shape.values?.has(value) ?? true));
  }
}

function joinFields(shape: MutableShape, part: JsonSchema): void {
  for (const [name, schema] of Object.entries(part.properties ?? {})) addField(shape, name, schema, false);
  const { additionalProperties: others, propertyNames } = part;
  if (others === false) shape.closed = true;
  if (propertyNames !== undefined) {
    const names = typeof propertyNames === "object" ? propertyNames.enum : undefined;
    shape.record = names === undefined ? "open" : "listed";
    for (const name of names ?? []) {
      if (typeof name === "string") addField(shape, name, others ?? true, false);
    }
  }
  for (const name of part.required ?? []) addField(shape, name, shape.fields.get(name)?.schema ?? true, true);
}

function addField(shape: MutableShape, name: string, schema: JsonSchema | boolean, required: boolean): void {
  const known = shape.fields.get(name);
  shape.fields.set(name, {
    schema:
      known === undefined || known.schema === true || known.schema === schema
        ? schema
        : schema === true
          ? known.schema
          : { allOf: [known.schema, schema] },
    required: required || known?.required === true,
  });
}

function joinItems(shape: MutableShape, part: JsonSchema): void {
  if (part.prefixItems !== undefined || part.items !== undefined) {
    if (shape.items === undefined && shape.prefixItems.length === 0) {
      shape.prefixItems = part.prefixItems ?? [];
      shape.items = part.items;
    } else if (shape.prefixItems.length === 0 && part.prefixItems === undefined) {
      shape.items = { allOf: [shape.items ?? true, part.items ?? true] };
    } else {
      shape.unclear.push("prefixItems stand in more than one member of allOf");
    }
  }
  shape.minItems = Math.max(shape.minItems, part.minItems ?? 0);
  shape.maxItems = Math.min(shape.maxItems, part.maxItems ?? Number.POSITIVE_INFINITY);
  if (shape.items === false) shape.maxItems = Math.min(shape.maxItems, shape.prefixItems.length);
}

function joinBounds(shape: MutableShape, part: JsonSchema): void {
  shape.minLength = Math.max(shape.minLength, part.minLength ?? 0);
  shape.maxLength = Math.min(shape.maxLength, part.maxLength ?? Number.POSITIVE_INFINITY);
  if (part.pattern !== undefined) shape.patterns.push(part.pattern);
  if (part.format !== undefined) shape.formats.push(part.format);
  if (part.multipleOf !== undefined) shape.multiples.push(part.multipleOf);
  raiseMinimum(shape, part.minimum, false);
  raiseMinimum(shape, part.exclusiveMinimum, true);
  lowerMaximum(shape, part.maximum, false);
  lowerMaximum(shape, part.exclusiveMaximum, true);
}

function raiseMinimum(shape: MutableShape, bound: number | undefined, excluded: boolean): void {
  if (bound === undefined || bound < shape.minimum) return;
  shape.minimumExcluded = bound === shape.minimum ? shape.minimumExcluded || excluded : excluded;
  shape.minimum = bound;
}

function lowerMaximum(shape: MutableShape, bound: number | undefined, excluded: boolean): void {
  if (bound === undefined || bound > shape.maximum) return;
  shape.maximumExcluded = bound === shape.maximum ? shape.maximumExcluded || excluded : excluded;
  shape.maximum = bound;
}

function common(some: ReadonlySet<JsonType>, others: ReadonlySet<JsonType>): ReadonlySet<JsonType> {
  return new Set(jsonTypes.filter((type) => covers(some, type) && covers(others, type)));
}

/** Whether a set of types lets a value of this type in; an integer is a number. */
function covers(types: ReadonlySet<JsonType>, type: JsonType): boolean {
  return types.has(type) || (type === "integer" && types.has("number"));
}

/** The most exact JSON type of a value; what JSON has no name for counts as an object. */
export function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "boolean";
    case "number":
      return Number.isInteger(value) ? "integer" : "number";
    default:
      return "object";
  }
}

/**
 * The alternatives of a place without the unions among them; the place itself where there is no union.
 *
 * @returns in declared order, each once; more than `maxLeaves` are cut off
 */
export function leavesOf(reader: ShapeReader, shape: Shape): readonly Shape[] {
  if (shape.alternatives === undefined) return [shape];
  const known = leavesByUnion.get(shape);
  if (known !== undefined) return known;

  const leaves = new Set<Shape>();
  const seen = new Set<Shape>();
  function gather(next: Shape): void {
    if (seen.has(next) || seen.size >= maxLeaves) return;
    seen.add(next);
    if (next.alternatives === undefined) leaves.add(next);
    else for (const alternative of next.alternatives) gather(reader(alternative));
  }
  gather(shape);
  const found = [...leaves];
  leavesByUnion.set(shape, found);
  return found;
}

/** Most alternatives of one union, nested ones counted. */
export const maxLeaves = 1_000;

const leavesByUnion = new WeakMap<Shape, readonly Shape[]>();
