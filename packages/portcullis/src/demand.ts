import type { Problem } from "./environment.ts";
import type { Credential } from "./credential.ts";

/**
 * What a part that declares routes on an API, such as an identity server, needs of it. Asked whenever problems are looked
 * for; each one it names stops the start.
 */
export type Demand = (around: Around) => readonly Problem[];

/** What such a part may ask of the API around it. */
export interface Around {
  readonly credentials: readonly Credential[];
  /** Of pages elsewhere that may read answers. */
  readonly origins: readonly string[];
  /** What browsers have to speak; undefined where a proxy decides it, or before a start. */
  readonly scheme: "https" | "http" | undefined;
  /** Whether a Host (`api.example.com`, `localhost:8787`) is one of `hosts`. */
  serves(host: string): boolean;
}
