import type { ClaimStore } from "./claim-store.ts";
import type { WebhookScheme } from "./scheme.ts";

/** A delivery proves its sender; made by {@link webhook}. */
export interface WebhookAccess {
  readonly kind: "webhook";
  readonly scheme: WebhookScheme;
  readonly claims: ClaimStore;
  /** Whether the policy names the store; what nobody chose is enough for fewer senders. */
  readonly namesClaims: boolean;
  readonly keepSeconds: number;
  readonly leaseSeconds: number | undefined;
}

/** Which delivery a handler runs for. */
export interface Delivery {
  /** Name of the scheme: `stripe`. */
  readonly sender: string;
  /** The sender's id where it signs one; else a digest of what was signed. The same for every repetition. */
  readonly id: string;
  /** When it was signed, Unix milliseconds; undefined where the scheme signs no time. */
  readonly sentAtMs: number | undefined;
}
