import type { Header, Identity } from "./identities.ts";
import type { Operation } from "./target.ts";

/** A request as it will stand on the wire. Nothing is added but Host, Connection and the body's length. */
export interface Outgoing {
  readonly method: string;
  /** The request target, not interpreted. */
  readonly target: string;
  readonly headers: readonly Header[];
  /** Value of Host; default: the address given to the scan. */
  readonly host?: string;
  readonly body?: string | Uint8Array;
  /** Send the body in chunks and without Content-Length. */
  readonly chunked?: boolean;
  /** Whose genuine credential it carries; it is paced by that caller's limits. */
  readonly as?: Identity;
  /** The declared operation it reaches, for the limits of the route. */
  readonly operation?: Operation;
  /** Who it says it comes from, for the evidence. */
  readonly label: string;
  /** Not paced and not sent again after a 429: for probes of the limiter only. */
  readonly burst?: boolean;
}
