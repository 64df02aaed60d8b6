/** What the library offers for webhooks: receiving them on a route, and signing what is sent. */
export type { Claim, ClaimStore, DoneTimes } from "./claim-store.ts";
export { github } from "./github.ts";
export { hmac } from "./hmac.ts";
export type { HmacOptions } from "./hmac.ts";
export { memoryClaimStore } from "./memory-claim-store.ts";
export type { MemoryClaimStoreOptions } from "./memory-claim-store.ts";
export type { SchemeOptions, TimedSchemeOptions, WebhookScheme } from "./scheme.ts";
export { signWebhook } from "./sign-webhook.ts";
export type { SignWebhookOptions } from "./sign-webhook.ts";
export { slack } from "./slack.ts";
export { standardWebhooks, svix } from "./standard-webhooks.ts";
export { stripe } from "./stripe.ts";
export type { StripeOptions } from "./stripe.ts";
export { webhook } from "./webhook.ts";
export type { Delivery, WebhookAccess, WebhookOptions } from "./webhook.ts";
export { webhookEvent } from "./webhook-event.ts";
export type { WebhookEvent } from "./webhook-event.ts";
