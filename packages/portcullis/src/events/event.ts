import type { Alert } from "../alerts/alert.ts";
import type { InjectionPattern } from "../lib/injection-pattern.ts";
import type { ProtectionId } from "../checklist.ts";
import type { RefusalCode } from "../refusal.ts";
import type { AccountEventType } from "./account-event.ts";

/** What happened, as far as security is concerned; a closed list. */
export type EventType =
  | AccountEventType
  | "refused"
  | "signed-in"
  | "forwarded-header-ignored"
  | "jwks-stale"
  | "jwks-fetch-failed"
  | "jwks-unknown-key"
  | "issuer-clock-skew"
  | "api-key-last-use-failed"
  | "error-thrown"
  | "limiter-crowded"
  | "connections-refused"
  | "webhook-repeated"
  | "passed-on"
  | "would-refuse"
  | "date-near"
  | "alert"
  | "limiter-degraded"
  | "limiter-recovered"
  | "started"
  | "stopped";

/**
 * One typed event: one per refusal and per sign-in, and one for what an operator must know. Never carries a body, a
 * secret or an e-mail address; accounts appear as keyed hashes.
 *
 * @see OWASP ASVS 5.0 section 16.3
 */
export interface SecurityEvent {
  readonly kind: "event";
  readonly type: EventType;
  /** Unix time in milliseconds. */
  readonly time: number;
  readonly service: string;
  readonly protection?: ProtectionId;
  readonly code?: RefusalCode;
  readonly status?: number;
  readonly requestId?: string;
  /** Keyed hash of the caller's subject, or of the account a sign-in named. */
  readonly account?: string;
  readonly tenant?: string;
  /** Id of the OAuth client behind it, where there is one. */
  readonly client?: string;
  readonly address?: string;
  readonly method?: string;
  readonly route?: string;
  /** The private reason; for people who operate the service. */
  readonly reason?: string;
  /** What was thrown, with its stack, cut to 4096 characters; the only place where it is written. */
  readonly error?: string;
  /** How many identical events this one stands for; 1 unless the failure budget of an address was spent. */
  readonly count?: number;
  /** What refused input looked like, where it looked like injection; the kind alone, never the text. */
  readonly pattern?: InjectionPattern;
  /** What a detector found; of `alert` alone. */
  readonly alert?: Alert;
}
