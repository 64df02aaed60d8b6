/** What a detector looks for; a closed list. */
export type DetectorId =
  | "failed-sign-ins"
  | "probing"
  | "distributed-limit-hits"
  | "request-spike"
  | "error-rate"
  | "slow-route"
  | "injection-patterns"
  | "export-spike"
  | "refresh-reuse";

/** Something a person should look at, with what shows it. Never holds a body, a secret or an e-mail address. */
export interface Alert {
  readonly detector: DetectorId;
  /** Whom it is about: an address, an account's keyed hash, a route's pattern, or the whole service. */
  readonly about: { readonly kind: "address" | "account" | "route" | "service"; readonly name: string };
  /** What was counted within the window, at the moment of the alert. */
  readonly count: number;
  /** From where on it is told. */
  readonly threshold: number;
  /** Milliseconds that were looked at. */
  readonly windowMs: number;
  /** Ids of the newest requests that were counted, at most five, as in the records. */
  readonly requestIds: readonly string[];
  /** One sentence for a person. */
  readonly says: string;
}
