import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { inputJsonSchema } from "../../src/lib/standard-schema.ts";
import { closeObjects, stripper } from "../../src/webhooks/strip-unknown.ts";
import { webhookEvent } from "../../src/webhooks/webhook-event.ts";

const strip = (schema: z.ZodType, value: unknown): unknown => stripper(inputJsonSchema(schema))(value);

describe("webhook-receive: what an event's schema does not declare", () => {
  it("is left behind at every depth: in objects, lists, alternatives and definitions that refer to themselves", () => {
    const Node = z.object({
      n: z.int(),
      get next() {
        return Node.optional();
      },
    });
    const Event = z.object({
      type: z.string(),
      items: z.array(z.object({ n: z.int() })),
      either: z.union([z.object({ a: z.int() }), z.object({ b: z.int() })]),
      both: z.object({ a: z.int() }).and(z.object({ b: z.int() })),
      list: Node,
    });
    const sent = {
      type: "t",
      more: 1,
      items: [{ n: 1, more: 2 }, 3, null, [{ n: 4, more: 5 }]],
      either: { a: 1, b: 2, more: 3 },
      both: { a: 1, b: 2, more: 3 },
      list: { n: 1, more: 2, next: { n: 2, more: 3, next: { n: 3, more: 4 } } },
    };
    expect(strip(Event, sent)).toEqual({
      type: "t",
      items: [{ n: 1 }, 3, null, [{ n: 4, more: 5 }]],
      either: { a: 1, b: 2 },
      both: { a: 1, b: 2 },
      list: { n: 1, next: { n: 2, next: { n: 3 } } },
    });
  });

  it("never reaches the schema, whatever is sent: strict and open schemas give the same", async () => {
    const shape = { id: z.string(), data: z.object({ n: z.int(), tags: z.array(z.string()) }).optional() };
    const open = webhookEvent(z.looseObject({ ...shape, data: z.looseObject(shape.data.unwrap().shape).optional() }));
    const strict = webhookEvent(
      z.strictObject({ ...shape, data: z.strictObject(shape.data.unwrap().shape).optional() }),
    );
    const value = fc.jsonValue({ maxDepth: 3 });
    const event = fc.dictionary(fc.constantFrom("id", "data", "n", "tags", "more", "constructor"), value, {
      maxKeys: 5,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(event, value), fc.string(), async (more, id) => {
        for (const sent of [
          more,
          { ...(typeof more === "object" ? more : {}), id, data: { n: 1, tags: ["a"], more } },
        ]) {
          const [one, other] = await Promise.all([open, strict].map(async (of) => of["~standard"].validate(sent)));
          expect(one?.issues === undefined).toBe(other?.issues === undefined);
          if (one === undefined || one.issues !== undefined || other === undefined || other.issues !== undefined)
            continue;
          expect(one.value).toEqual(other.value);
          expect(Object.keys(one.value).every((name) => name === "id" || name === "data")).toBe(true);
        }
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it("is closed in the manifest, while a record stays one and stops the start", () => {
    const schema = inputJsonSchema(
      z.object({
        a: z.object({ b: z.int() }),
        c: z.array(z.looseObject({ d: z.int() })),
        e: z.record(z.string(), z.int()),
      }),
    );
    expect(closeObjects(schema)).toMatchObject({
      additionalProperties: false,
      properties: {
        a: { additionalProperties: false },
        c: { items: { additionalProperties: false } },
        e: { additionalProperties: { type: "integer" } },
      },
    });
  });
});
