import type { JsonSchema } from "./json-schema.ts";
import { jsonTypes, resolveRef, unsupportedKeywords } from "./json-schema.ts";
import type { Shape } from "./shape.ts";
import { unlimited } from "./shape.ts";
import { joinConstraints } from "./shape-constraints.ts";

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

const anything: Shape = unlimited(["nothing is said about the value"]);
const never: Shape = { ...unlimited([]), types: new Set() };
const unending: Shape = {
  ...unlimited([`the schema unfolds into more than ${maxShapes} places`]),
  types: new Set(),
};

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
