import type { JsonSchema } from "./json-schema.ts";
import { isJsonSchema } from "./json-schema.ts";
import { OptionsError } from "./options-error.ts";

/**
 * A schema of any library that implements Standard Schema: Zod, Valibot, ArkType, Joi and others.
 *
 * Our own copy of the interface, so that the library needs no package for a handful of types.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": StandardProps<Input, Output>;
}

/**
 * A schema that can also describe itself: Zod 4.2+, ArkType 2.1.28+, Joi 18, Valibot through `toStandardJsonSchema`.
 * Others become one through `described`.
 *
 * @see https://standardschema.dev/json-schema
 */
export interface DescribedSchema<Input = unknown, Output = Input> {
  readonly "~standard": StandardProps<Input, Output> & { readonly jsonSchema: StandardJsonSchema };
}

/** A schema a policy may hold, whatever its types. */
export type AnySchema = DescribedSchema<unknown, unknown>;

/** What every Standard Schema carries under `~standard`. */
export interface StandardProps<Input = unknown, Output = Input> {
  readonly version: 1;
  /** Name of the library, for messages only. */
  readonly vendor: string;
  /** Checks a value and gives the schema's output (defaults and transforms applied), at once or as a promise. */
  readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
  /** Exists for the compiler only. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

/** The answer of `validate`: `issues` is absent when the value was accepted. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One complaint. `message` is the library's own text; it may quote what was sent, so it is kept nowhere. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** How a schema describes what it takes (`input`) and what it gives after its transforms (`output`). */
export interface StandardJsonSchema {
  readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
  readonly output: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
}

/** What a caller may send to a schema. */
export type InferInput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["input"];

/** What a handler receives from a schema. */
export type InferOutput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["output"];

/**
 * Gives a schema the description its library cannot write itself.
 *
 * @param schema  validates, as before
 * @param input  what the schema accepts; must not be wider than what `schema` refuses: we cannot check that
 * @param output  what the schema gives; default: the same as `input`
 */
export function described<Input, Output>(
  schema: StandardSchema<Input, Output>,
  input: JsonSchema,
  output: JsonSchema = input,
): DescribedSchema<Input, Output> {
  const standard = schema["~standard"];
  return Object.freeze({
    "~standard": Object.freeze({
      version: standard.version,
      vendor: standard.vendor,
      validate: (value: unknown) => standard.validate(value),
      jsonSchema: Object.freeze({ input: () => ({ ...input }), output: () => ({ ...output }) }),
    }),
  });
}

/**
 * JSON Schema (draft 2020-12) of what a schema accepts.
 *
 * @throws OptionsError when the schema has no such description, with the library's reason
 */
export function inputJsonSchema(schema: StandardSchema): JsonSchema {
  return describe(schema, "input");
}

/**
 * JSON Schema (draft 2020-12) of what a schema gives after its transforms.
 *
 * @throws OptionsError when the schema has no such description, with the library's reason
 */
export function outputJsonSchema(schema: StandardSchema): JsonSchema {
  return describe(schema, "output");
}

function describe(schema: StandardSchema, side: "input" | "output"): JsonSchema {
  const standard: StandardProps & { readonly jsonSchema?: unknown } = schema["~standard"];
  if (!isStandardJsonSchema(standard.jsonSchema)) {
    throw new OptionsError(
      `The schema (${standard.vendor}) does not describe itself as JSON Schema.`,
      "Use a library that implements Standard JSON Schema (Zod 4.2 or newer), or wrap it: described(schema, jsonSchema).",
    );
  }
  const found = write(standard.vendor, standard.jsonSchema, side);
  if (isJsonSchema(found)) return found;
  throw new OptionsError(
    `The JSON Schema of the schema (${standard.vendor}) is malformed.`,
    "Every keyword must hold the kind of value that draft 2020-12 demands.",
  );
}

function write(vendor: string, jsonSchema: StandardJsonSchema, side: "input" | "output"): unknown {
  try {
    return jsonSchema[side]({ target: "draft-2020-12" });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it threw something that is no Error";
    throw new OptionsError(
      `The schema (${vendor}) cannot be written as JSON Schema: ${reason}.`,
      "Declare what stands in the JSON itself (z.iso.datetime() for a Date), or wrap it: described(schema, jsonSchema).",
    );
  }
}

function isStandardJsonSchema(value: unknown): value is StandardJsonSchema {
  return (
    typeof value === "object" &&
    value !== null &&
    "input" in value &&
    typeof value.input === "function" &&
    "output" in value &&
    typeof value.output === "function"
  );
}
