import type { DescribedSchema } from "./standard-schema.ts";

/** A body that comes as a form. */
export type FormSchema<Input = unknown, Output = Input> = DescribedSchema<Input, Output> & { readonly form: true };

/**
 * The body comes as a browser's form sends it, `application/x-www-form-urlencoded`, in place of JSON: one value per
 * name, numbers and booleans in their one spelling, the same bound on its bytes.
 *
 * @param schema  a closed object whose members are texts, numbers or booleans
 * @returns the schema, marked; a body of another type is 415, one without a single reading `bad-body` (400)
 * @see WHATWG URL section 5 (application/x-www-form-urlencoded)
 */
export function form<Input, Output>(schema: DescribedSchema<Input, Output>): FormSchema<Input, Output> {
  return Object.freeze({ "~standard": schema["~standard"], form: true });
}

/** Whether a body schema was marked by {@link form}. */
export function isForm(schema: object): boolean {
  return "form" in schema && schema.form === true;
}
