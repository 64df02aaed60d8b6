import { createHmac } from "node:crypto";
import type { ApiConfig, WebhookAccess } from "portcullis";
import { refuse, stripe, webhook, webhookEvent } from "portcullis";
import { z } from "zod";
import { type FrontDoor, openDoor, type TestApi, testApi } from "../front-door.ts";

/** The secret of the shop's endpoint. */
export const secret = "whsec_tests-only-3f9c1b7e5a2d48c6";

/** What the shop is told of. */
export const Paid = webhookEvent(
  z.object({
    id: z.string().max(100),
    type: z.enum(["checkout.paid", "checkout.failed"]),
    data: z.object({ amount: z.int().min(0).max(1_000_000), customerId: z.string().max(100) }),
  }),
);

/** What a test wants otherwise. */
export interface Change {
  readonly access?: WebhookAccess;
  readonly config?: Partial<ApiConfig>;
  readonly timeoutMs?: number;
  /** What the handler does; whatever it returns is its outcome. */
  readonly work?: (id: string) => Promise<"refuse" | undefined>;
}

/** An API with a route of Stripe's, and what its handler was given. */
export function shop({ access, config, timeoutMs, work }: Change = {}): TestApi & { readonly given: unknown[] } {
  const test = testApi(config);
  const given: unknown[] = [];
  test.api.route(
    {
      path: "POST /v1/hooks/shop",
      access: access ?? webhook(stripe({ secrets: [secret] })),
      input: { body: Paid },
      output: z.strictObject({ taken: z.boolean() }),
      limit: "100000/s",
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
    async ({ body, caller, delivery }) => {
      given.push({ body, caller: caller.subject, delivery });
      const outcome = await work?.(body.id);
      if (outcome === "refuse") return refuse("conflict", "the test says so");
      return { taken: true };
    },
  );
  return { ...test, given };
}

/** An event as the shop's sender writes it, with more than the shop declares. */
export const event = (id: string): string =>
  JSON.stringify({
    id,
    type: "checkout.paid",
    data: { amount: 4200, customerId: "cus_1", invented: true },
    api_version: "2026-01-01",
  });

/** The Stripe-Signature of a body. */
export function signed(body: string, key = secret, seconds = Math.floor(Date.now() / 1000)): string {
  return `t=${seconds},v1=${createHmac("sha256", key).update(`${seconds}.${body}`).digest("hex")}`;
}

/** A delivery as it goes over the wire. */
export function delivery(body: string, signature = signed(body)) {
  return { body, headers: { "content-type": "application/json; charset=utf-8", "stripe-signature": signature } };
}

/** Delivers a body to the shop. */
export const post = (door: FrontDoor, body: string, signature?: string) =>
  door.ask("POST /v1/hooks/shop", delivery(body, signature));

/** Opens an API for as long as the work takes. */
export async function withDoor(test: TestApi, work: (door: FrontDoor) => Promise<void>): Promise<void> {
  const door = await openDoor(test);
  try {
    await work(door);
  } finally {
    await door.close();
  }
}
