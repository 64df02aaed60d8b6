import type { DescribedSchema } from "./standard-schema.ts";

/** A body that comes as a form. */
export type FormSchema<Input = unknown, Output = Input> = DescribedSchema<Input, Output> & {
  readonly form: true;
  readonly basic: BasicFields | undefined;
};

/** Fields of a form that may come in `Authorization: Basic` instead. */
export interface BasicFields {
  readonly user: string;
  readonly password: string;
}

/**
 * The body comes as a browser's form sends it, `application/x-www-form-urlencoded`, in place of JSON: one value per
 * name, numbers and booleans in their one spelling, the same bound on its bytes.
 *
 * @param schema   a closed object whose members are texts, numbers or booleans
 * @param options  `basic`: two fields that may stand in `Authorization: Basic` in place of the body, as clients of OAuth
 *   send id and secret; on public routes alone, where the handler proves them. Default none
 * @returns the schema, marked; a body of another type is 415, one without a single reading `bad-body` (400), and a
 *   password in both places `several-credentials` (400)
 * @see WHATWG URL section 5 (application/x-www-form-urlencoded), RFC 6749 section 2.3.1
 */
export function form<Input, Output>(
  schema: DescribedSchema<Input, Output>,
  options: { readonly basic?: BasicFields } = {},
): FormSchema<Input, Output> {
  return Object.freeze({ "~standard": schema["~standard"], form: true, basic: options.basic });
}

/** Whether a body schema was marked by {@link form}. */
export function isForm(schema: object): boolean {
  return "form" in schema && schema.form === true;
}

/** The fields that may come otherwise, of a body schema that {@link form} marked. */
export function basicFields(schema: object): BasicFields | undefined {
  const fields: unknown = isForm(schema) ? Reflect.get(schema, "basic") : undefined;
  if (typeof fields !== "object" || fields === null || !("user" in fields) || !("password" in fields)) return undefined;
  const { user, password } = fields;
  return typeof user === "string" && typeof password === "string" ? { user, password } : undefined;
}
