import type { JsonSchema } from "./json-schema.ts";
import type { MutableShape } from "./shape.ts";
import { common, covers, typeOf, unlimited } from "./shape.ts";

/**
 * One shape out of everything that must hold at one place at once: types and values in common, fields and patterns
 * together, the tighter of two bounds.
 *
 * @param constraints  schemas without references, unions or `allOf`
 * @param unclear      what is already unclear; what cannot be joined is added to it
 */
export function joinConstraints(constraints: readonly JsonSchema[], unclear: string[]): MutableShape {
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
