/**
 * The part of JSON Schema (draft 2020-12) that Portcullis reads to judge, explain and serialise.
 *
 * Further annotations and `x-` keywords may be present in a schema and are ignored; a validating keyword outside this
 * list is a start-up problem (`unsupportedKeywords`), because a walk that overlooks it would promise too much.
 *
 * @see https://json-schema.org/draft/2020-12
 */
export interface JsonSchema {
  readonly $schema?: string;
  readonly $id?: string;
  readonly $comment?: string;
  /** Reference inside this document: `#`, `#/$defs/Name` or any other JSON Pointer. May be recursive. */
  readonly $ref?: string;
  readonly $defs?: { readonly [name: string]: JsonSchema | boolean };
  /** `$defs` under its name before 2019. */
  readonly definitions?: { readonly [name: string]: JsonSchema | boolean };
  readonly type?: JsonType | readonly JsonType[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: { readonly [name: string]: JsonSchema | boolean };
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly propertyNames?: JsonSchema | boolean;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly (JsonSchema | boolean)[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly anyOf?: readonly (JsonSchema | boolean)[];
  readonly oneOf?: readonly (JsonSchema | boolean)[];
  readonly allOf?: readonly (JsonSchema | boolean)[];
  /** Understood only as "never": `{ not: {} }`. */
  readonly not?: JsonSchema | boolean;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly deprecated?: boolean;
  readonly readOnly?: boolean;
  readonly writeOnly?: boolean;
}

/** The type names of JSON Schema; `integer` is the part of `number` without a fraction. */
export type JsonType = (typeof jsonTypes)[number];

export const jsonTypes = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;

/**
 * Keywords that decide what a value may be, and that our walks do not follow.
 *
 * `uniqueItems`, `minProperties`, `maxProperties` and `dependentRequired` are missing on purpose: they only narrow what
 * the rest of the schema says, so overlooking them opens nothing.
 */
export const unsupportedKeywords: ReadonlySet<string> = new Set([
  "patternProperties",
  "unevaluatedProperties",
  "unevaluatedItems",
  "additionalItems",
  "contains",
  "dependencies",
  "dependentSchemas",
  "if",
  "then",
  "else",
  "$dynamicRef",
  "$recursiveRef",
]);

/**
 * Whether a value is a schema whose keywords hold the kinds of value that draft 2020-12 demands, at every depth.
 *
 * @returns false also for a schema nested deeper than 200 levels, which is how a cyclic JavaScript object ends
 */
export function isJsonSchema(value: unknown): value is JsonSchema {
  return isSchemaObject(value, 0);
}

/**
 * Follows a reference inside one document.
 *
 * @param root  the document
 * @param ref  `#` or `#` with a JSON Pointer, percent-encoded as a URI fragment
 * @returns the schema found there, or undefined when the reference leaves the document or leads nowhere
 * @see RFC 6901 section 6 (URI fragment representation)
 */
export function resolveRef(root: JsonSchema, ref: string): JsonSchema | boolean | undefined {
  if (ref === "#") return root;
  if (!ref.startsWith("#/")) return undefined;
  let found: unknown = root;
  for (const segment of decodeFragment(ref.slice(2)).split("/")) {
    const name = segment.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = Reflect.get(found, name);
  }
  return typeof found === "boolean" || isJsonSchema(found) ? found : undefined;
}

const maxSchemaDepth = 200;

type Check = (value: unknown, depth: number) => boolean;

const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isCount: Check = (value) => typeof value === "number" && Number.isInteger(value) && value >= 0;
const isAnything: Check = () => true;
const isList: Check = (value) => Array.isArray(value);
const isTextList: Check = (value) => Array.isArray(value) && value.every((entry) => typeof entry === "string");
const isTypeName: Check = (value) => jsonTypes.some((name) => name === value);
const isType: Check = (value) =>
  isTypeName(value, 0) || (Array.isArray(value) && value.length > 0 && value.every((entry) => isTypeName(entry, 0)));
const isSchema: Check = (value, depth) => typeof value === "boolean" || isSchemaObject(value, depth + 1);
const isSchemaList: Check = (value, depth) =>
  Array.isArray(value) && value.length > 0 && value.every((entry) => isSchema(entry, depth));
const isSchemaMap: Check = (value, depth) =>
  isPlainRecord(value) && Object.values(value).every((entry) => isSchema(entry, depth));

const keywords: { readonly [Keyword in keyof JsonSchema]-?: Check } = {
  $schema: isText,
  $id: isText,
  $comment: isText,
  $ref: isText,
  $defs: isSchemaMap,
  definitions: isSchemaMap,
  type: isType,
  enum: isList,
  const: isAnything,
  properties: isSchemaMap,
  required: isTextList,
  additionalProperties: isSchema,
  propertyNames: isSchema,
  items: isSchema,
  prefixItems: isSchemaList,
  minItems: isCount,
  maxItems: isCount,
  minLength: isCount,
  maxLength: isCount,
  pattern: isText,
  format: isText,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  multipleOf: isNumber,
  anyOf: isSchemaList,
  oneOf: isSchemaList,
  allOf: isSchemaList,
  not: isSchema,
  title: isText,
  description: isText,
  default: isAnything,
  examples: isList,
  deprecated: isFlag,
  readOnly: isFlag,
  writeOnly: isFlag,
};

const keywordChecks: ReadonlyMap<string, Check> = new Map(Object.entries(keywords));

function isSchemaObject(value: unknown, depth: number): boolean {
  if (depth > maxSchemaDepth || !isPlainRecord(value)) return false;
  return Object.entries(value).every(([keyword, held]) => keywordChecks.get(keyword)?.(held, depth) ?? true);
}

function isPlainRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decodeFragment(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
