import { inputJsonSchema, outputJsonSchema } from "../lib/standard-schema.ts";
import type { DescribedSchema } from "../lib/standard-schema.ts";
import { closeObjects, stripper } from "./strip-unknown.ts";

/** A schema that takes the declared part of an event; made by {@link webhookEvent}. */
export interface WebhookEvent<Output = unknown> extends DescribedSchema<unknown, Output> {
  readonly kind: "webhook-event";
}

/**
 * The body of a webhook: the fields you declare, out of whatever the sender sends. Senders add fields without asking, so
 * unknown ones are taken out at every depth, before `schema` sees them, instead of being refused; everything declared is
 * bounded and matched as on any route. Only for routes whose access is `webhook(…)`.
 *
 * Ids in it are the sender's: no rule consumes them, and no gate knows whose they are. Look them up in your own records.
 *
 * @param schema  any schema that describes itself; its objects may be open, unknown fields never arrive at it
 */
export function webhookEvent<Output>(schema: DescribedSchema<unknown, Output>): WebhookEvent<Output> {
  const standard = schema["~standard"];
  let strip: ((value: unknown) => unknown) | undefined;
  return Object.freeze({
    kind: "webhook-event",
    "~standard": Object.freeze({
      version: standard.version,
      vendor: standard.vendor,
      validate(value: unknown) {
        // Not before: a schema that cannot describe itself is a start-up problem, and no throw at import.
        strip ??= stripper(inputJsonSchema(schema));
        return standard.validate(strip(value));
      },
      jsonSchema: Object.freeze({
        input: () => ({ ...closeObjects(inputJsonSchema(schema)) }),
        output: () => ({ ...outputJsonSchema(schema) }),
      }),
    }),
  });
}

/** Whether a body schema is one of {@link webhookEvent}. */
export function isWebhookEvent(schema: object): boolean {
  return "kind" in schema && schema.kind === "webhook-event";
}
