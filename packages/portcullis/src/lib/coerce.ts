import { canonicalBoolean, canonicalNumber } from "./canonical-value.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { ShapeReader } from "./schema-shape.ts";
import type { Shape } from "./shape.ts";
import { leavesOf, shapeReader } from "./schema-shape.ts";

/** Turns a record of texts into a record whose numbers and booleans are values. */
export type Coercion = (texts: Readonly<Record<string, string>>) => Record<string, unknown>;

/**
 * Compiles the reading of path, query and header values for one schema.
 *
 * Only a field whose schema takes numbers or booleans and no text is turned, and only from the one canonical spelling;
 * every other text is left as it came, so that the schema itself refuses it. "12" becomes 12, "012" and "1e3" stay.
 *
 * @param schema  JSON Schema of the place's input, an object
 * @returns function that never changes what it is given and keeps every name, declared or not; the record has no prototype
 *          when something was turned
 */
export function compileCoercion(schema: JsonSchema): Coercion {
  const readers = new Map<string, (text: string) => unknown>();
  const reader = shapeReader(schema);
  for (const [name, shapes] of fieldShapes(reader, schema)) {
    if (shapes.some((shape) => shape.types.has("string"))) continue;
    const wantsNumber = shapes.some((shape) => shape.types.has("integer"));
    const wantsBoolean = shapes.some((shape) => shape.types.has("boolean"));
    if (wantsNumber && wantsBoolean) readers.set(name, (text) => canonicalNumber(text) ?? canonicalBoolean(text));
    else if (wantsNumber) readers.set(name, canonicalNumber);
    else if (wantsBoolean) readers.set(name, canonicalBoolean);
  }
  if (readers.size === 0) return (texts) => texts;
  const fields = [...readers];

  return function coerce(texts) {
    const values: Record<string, unknown> = Object.assign(Object.create(null), texts);
    for (const [name, read] of fields) {
      const text = values[name];
      if (typeof text === "string") values[name] = read(text) ?? text;
    }
    return values;
  };
}

/** For each property of an object schema, over all its alternatives, the shapes its value may have. */
function fieldShapes(reader: ShapeReader, schema: JsonSchema): ReadonlyMap<string, readonly Shape[]> {
  const found = new Map<string, Shape[]>();
  for (const object of leavesOf(reader, reader(schema))) {
    for (const [name, field] of object.fields) {
      found.set(name, [...(found.get(name) ?? []), ...leavesOf(reader, reader(field.schema))]);
    }
  }
  return found;
}
