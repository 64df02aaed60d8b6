import type { JsonSchema, JsonType } from "./json-schema.ts";
import { jsonTypes } from "./json-schema.ts";

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

/** A shape while it is being joined. */
export interface MutableShape extends Shape {
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

/**
 * The shape of a place about which nothing was said yet.
 *
 * @param unclear  kept, not copied: what turns out unclear later is added to it
 */
export function unlimited(unclear: string[]): MutableShape {
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

/** The types that both sets let in. */
export function common(some: ReadonlySet<JsonType>, others: ReadonlySet<JsonType>): ReadonlySet<JsonType> {
  return new Set(jsonTypes.filter((type) => covers(some, type) && covers(others, type)));
}

/** Whether a set of types lets a value of this type in; an integer is a number. */
export function covers(types: ReadonlySet<JsonType>, type: JsonType): boolean {
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
