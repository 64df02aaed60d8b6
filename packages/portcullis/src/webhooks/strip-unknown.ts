import type { JsonSchema } from "../lib/json-schema.ts";
import { resolveRef } from "../lib/json-schema.ts";

/**
 * Makes a function that copies of a JSON value what a schema declares, at every depth, and leaves the rest behind. It
 * judges nothing: what is declared is copied whatever its type, and the schema itself decides afterwards.
 *
 * Where a schema has alternatives, a field is copied that any of them declares.
 */
export function stripper(root: JsonSchema): (value: unknown) => unknown {
  // By the schemas that meet at one place, so that a recursive schema ends.
  const known = new Map<string, Strip>();
  const numbers = new Map<JsonSchema, number>();

  function at(schemas: readonly (JsonSchema | boolean)[]): Strip {
    const leaves = new Set<JsonSchema>();
    for (const schema of schemas) collect(root, schema, leaves);
    const key = [...leaves]
      .map(numberOf)
      .sort((one, other) => one - other)
      .join(" ");
    const made = known.get(key);
    if (made !== undefined) return made;
    const strip: Strip = new Strip([...leaves], at);
    known.set(key, strip);
    return strip;
  }

  function numberOf(schema: JsonSchema): number {
    const number = numbers.get(schema) ?? numbers.size;
    numbers.set(schema, number);
    return number;
  }

  const whole = at([root]);
  return (value) => whole.copy(value);
}

type At = (schemas: readonly (JsonSchema | boolean)[]) => Strip;

/** One place of a value; its parts are looked up at first use. */
class Strip {
  readonly #leaves: readonly JsonSchema[];
  readonly #at: At;
  readonly #declared: ReadonlySet<string>;
  /** Nothing is declared below: the value goes on as it is, and a schema that says so little stops the start. */
  readonly #isOpaque: boolean;
  readonly #fields = new Map<string, Strip>();
  #items: Strip | undefined;

  constructor(leaves: readonly JsonSchema[], at: At) {
    this.#leaves = leaves;
    this.#at = at;
    this.#declared = new Set(leaves.flatMap(({ properties = {} }) => Object.keys(properties)));
    this.#isOpaque = leaves.every(
      ({ properties, additionalProperties }) => properties === undefined && additionalProperties !== false,
    );
  }

  copy(value: unknown): unknown {
    if (Array.isArray(value)) return this.#copyItems(value);
    if (typeof value !== "object" || value === null || this.#isOpaque) return value;
    const copied: Record<string, unknown> = {};
    for (const [name, held] of Object.entries(value)) {
      if (this.#declared.has(name)) copied[name] = this.#field(name).copy(held);
    }
    return copied;
  }

  #copyItems(items: readonly unknown[]): readonly unknown[] {
    // Tuples are copied by what any of their places declares.
    this.#items ??= this.#at(this.#leaves.flatMap((leaf) => [leaf.items ?? [], leaf.prefixItems ?? []].flat()));
    const strip = this.#items;
    return items.map((item) => strip.copy(item));
  }

  #field(name: string): Strip {
    const known = this.#fields.get(name);
    if (known !== undefined) return known;
    const made = this.#at(this.#leaves.flatMap(({ properties }) => properties?.[name] ?? []));
    this.#fields.set(name, made);
    return made;
  }
}

/** Follows references and takes alternatives and conjunctions apart, down to schemas that say something themselves. */
function collect(root: JsonSchema, schema: JsonSchema | boolean, into: Set<JsonSchema>): void {
  if (typeof schema === "boolean" || into.has(schema)) return;
  into.add(schema);
  if (schema.$ref !== undefined) collect(root, resolveRef(root, schema.$ref) ?? false, into);
  for (const part of [schema.allOf, schema.anyOf, schema.oneOf]) {
    for (const one of part ?? []) collect(root, one, into);
  }
}

/**
 * The same schema with every object closed that declares fields: what arrives after stripping. A record, whose names
 * nobody declares, stays one.
 */
export function closeObjects(schema: JsonSchema): JsonSchema {
  const closed: Record<string, unknown> = {};
  for (const [keyword, held] of Object.entries(schema)) closed[keyword] = closePart(keyword, held);
  if (schema.properties !== undefined && isOpen(schema.additionalProperties)) closed["additionalProperties"] = false;
  return closed;
}

const single = new Set(["items", "additionalProperties", "not", "propertyNames"]);
const lists = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
const maps = new Set(["properties", "$defs", "definitions"]);

function closePart(keyword: string, held: unknown): unknown {
  if (single.has(keyword)) return isSchema(held) ? closeObjects(held) : held;
  if (lists.has(keyword) && Array.isArray(held)) {
    return held.map((one: unknown) => (isSchema(one) ? closeObjects(one) : one));
  }
  if (!maps.has(keyword) || !isSchema(held)) return held;
  return Object.fromEntries(
    Object.entries(held).map(([name, one]: [string, unknown]) => [name, isSchema(one) ? closeObjects(one) : one]),
  );
}

/** The whole was checked (`inputJsonSchema`), so whatever stands where a schema does is one. */
function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOpen(additional: JsonSchema | boolean | undefined): boolean {
  return (
    additional === undefined || additional === true || (isSchema(additional) && Object.keys(additional).length === 0)
  );
}
