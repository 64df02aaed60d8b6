import type { Trial } from "./exchange.ts";
import type { Identity } from "./identities.ts";
import type { Kind } from "./kinds.ts";

/** An object the scan created; nothing else is ever changed or deleted. */
export interface Thing {
  readonly kind: Kind;
  readonly id: string;
  readonly owner: Identity;
  /** Unguessable marker inside it. */
  readonly canary: string;
  /** Values for every parameter of its item path. */
  readonly params: Readonly<Record<string, string>>;
  /** The answer its creation got. */
  readonly created: Trial;
}
