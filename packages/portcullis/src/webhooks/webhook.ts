import type { ClaimStore } from "./claim-store.ts";
import { memoryClaimStore } from "./memory-claim-store.ts";
import type { WebhookScheme } from "./scheme.ts";
import type { WebhookAccess } from "./webhook-access.ts";

/** Options of {@link webhook}. */
export interface WebhookOptions {
  /**
   * Which deliveries were taken on. Default: fixed memory of this process. Has to be named where the sender signs no time
   * (GitHub), and has to be shared where there are several instances.
   */
  readonly claims?: ClaimStore;
  /**
   * How long a delivery that ran is remembered, in seconds, 600 .. 7_776_000 (90 days); default 604_800 (7 days), which is
   * longer than senders retry.
   */
  readonly keepSeconds?: number;
  /**
   * How long a delivery stays taken on when its process dies, in seconds, longer than the route's `timeoutMs` and at most
   * 86_400; default that and 30 s.
   */
  readonly leaseSeconds?: number;
}

/**
 * Who may call it is who knows the secret: `access: webhook(stripe({ secrets: [secret] }))`. The signature is checked on
 * the bytes as they came, before anybody parses them; each delivery runs once: it is claimed, then the handler runs, then
 * it is done. A concurrent repetition is 409, one that is done is 200 and runs nothing, and one whose handler failed runs
 * again. The handler's `caller` is the sender (`webhook:stripe`), its `delivery` says which one it is.
 *
 * Throws nothing: what is wrong with the options stops the start (`StartRefused`).
 *
 * @see OWASP ASVS 5.0 4.1.5, Standard Webhooks
 */
export function webhook(scheme: WebhookScheme, options: WebhookOptions = {}): WebhookAccess {
  const { claims, keepSeconds = 604_800, leaseSeconds } = options;
  return Object.freeze({
    kind: "webhook",
    scheme,
    claims: claims ?? memoryClaimStore(),
    namesClaims: claims !== undefined,
    keepSeconds,
    leaseSeconds,
  });
}
