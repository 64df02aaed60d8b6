import { createHmac } from "node:crypto";
import type { ApiConfig, WebhookAccess } from "portcullis";
import { nothing, refuse, stripe, webhook, webhookEvent } from "portcullis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { sharedDoor, type TestApi, testApi } from "../front-door.ts";

const secret = "whsec_tests-only-3f9c1b7e5a2d48c6";

const Paid = webhookEvent(
  z.object({
    id: z.string().max(100),
    type: z.enum(["checkout.paid", "checkout.failed"]),
    data: z.object({ amount: z.int().min(0).max(1_000_000), customerId: z.string().max(100) }),
  }),
);

/** An API with a route of Stripe's, and what its handler was given. */
function shop(
  change: {
    readonly access?: WebhookAccess;
    readonly config?: Partial<ApiConfig>;
    readonly work?: (body: { readonly id: string }) => unknown;
  } = {},
): TestApi & { readonly given: unknown[] } {
  const test = testApi(change.config);
  const given: unknown[] = [];
  test.api.route(
    {
      path: "POST /v1/hooks/shop",
      access: change.access ?? webhook(stripe({ secrets: [secret] })),
      input: { body: Paid },
      output: nothing,
      limit: "100000/s",
    },
    async ({ body, caller, delivery }) => {
      given.push({ body, caller: caller.subject, delivery });
      const outcome = await change.work?.(body);
      if (outcome !== undefined) return refuse("conflict", "the test says so");
      return undefined;
    },
  );
  return { ...test, given };
}

const event = (id: string): string =>
  JSON.stringify({
    id,
    type: "checkout.paid",
    data: { amount: 4200, customerId: "cus_1", invented: true },
    api_version: "2026-01-01",
  });

function signed(body: string, key = secret, seconds = Math.floor(Date.now() / 1000)): string {
  return `t=${seconds},v1=${createHmac("sha256", key).update(`${seconds}.${body}`).digest("hex")}`;
}

function delivery(body: string, signature = signed(body)) {
  return { body, headers: { "content-type": "application/json; charset=utf-8", "stripe-signature": signature } };
}

describe("webhook-receive: a delivery", () => {
  const test = shop();
  const door = sharedDoor(() => test);

  it("runs where its signature fits, with the declared part of the event and its sender as caller", async () => {
    const body = event("evt_1");
    const reply = await door.ask("POST /v1/hooks/shop", delivery(body));
    expect(reply.status).toBe(204);
    expect(test.given.at(-1)).toEqual({
      body: { id: "evt_1", type: "checkout.paid", data: { amount: 4200, customerId: "cus_1" } },
      caller: "webhook:stripe",
      delivery: { sender: "stripe", id: "evt_1", sentAtMs: expect.any(Number) },
    });
  });

  it("is 401 without one, and nothing runs", async () => {
    const before = test.given.length;
    const body = event("evt_2");
    const reply = await door.ask("POST /v1/hooks/shop", { body, headers: { "content-type": "application/json" } });
    expect([reply.status, reply.code]).toEqual([401, "bad-webhook-signature"]);
    expect(reply.headers.get("www-authenticate")).toBe("Signature");
    expect(test.given).toHaveLength(before);
  });

  it("is answered with 200 and no effect where it ran before", async () => {
    const body = event("evt_3");
    expect((await door.ask("POST /v1/hooks/shop", delivery(body))).status).toBe(204);
    const before = test.given.length;
    const again = await door.ask("POST /v1/hooks/shop", delivery(body));
    expect([again.status, again.body]).toEqual([200, ""]);
    expect(test.given).toHaveLength(before);
  });
});
