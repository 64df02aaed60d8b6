/**
 * One record per call: who, what, when, from where, how it ended. Accounts are keyed hashes; no bodies, no query
 * values, no secrets.
 *
 * @see OWASP ASVS 5.0 section 16.2
 */
export interface CallRecord {
  readonly kind: "call";
  /** Unix milliseconds at arrival. */
  readonly time: number;
  readonly service: string;
  readonly requestId: string;
  /** Keyed hash of the caller's subject; undefined where nobody was proved. */
  readonly account: string | undefined;
  readonly tenant: string | undefined;
  /** `jwt`, `api-keys`, `sessions` or `webhook-receive`; undefined where nobody was proved. */
  readonly proof: string | undefined;
  /** The client's address, or `unknown`. */
  readonly address: string;
  /** Cut to 256 characters. */
  readonly userAgent: string | undefined;
  readonly method: string;
  /** The route's pattern, never the path with its values; undefined where no route matched. */
  readonly route: string | undefined;
  readonly status: number;
  /** Milliseconds from arrival to the last byte or the abort. */
  readonly durationMs: number;
  /** Why it was refused; undefined where it was not. */
  readonly code: string | undefined;
  /** True where the client went before the last byte. */
  readonly aborted: boolean;
}
