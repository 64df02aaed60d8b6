import type { Alert } from "../alerts/alert.ts";
import type { InjectionPattern } from "../lib/injection-pattern.ts";
import type { ProtectionId } from "../checklist.ts";
import type { RefusalCode } from "../refusal.ts";

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

/** What happened to somebody's account, as far as security is concerned; told by whatever keeps accounts. */
export type AccountEventType =
  | "signed-up"
  | "address-verified"
  | "password-changed"
  | "password-reset"
  | "account-disabled"
  | "account-enabled"
  | "account-deleted"
  | "signed-out-everywhere"
  | "refresh-replayed"
  | "refresh-reused"
  | "key-created"
  | "key-rotated"
  | "key-revoked";

/** For `api.tell`: one of those, and whose account it is. */
export interface AccountHappening {
  readonly type: AccountEventType;
  /** Whose; recorded as a keyed hash, like a caller's subject. */
  readonly subject: string;
  /** The request behind it, as handlers have it. */
  readonly request?: { readonly id: string; readonly address: string } | undefined;
  /** For people who operate the service. */
  readonly reason?: string | undefined;
}

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
