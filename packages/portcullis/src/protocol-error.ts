import type { AnySchema } from "./lib/standard-schema.ts";

/** A refusal in a shape that some other specification fixes. */
export interface ProtocolErrorOutput<S extends AnySchema = AnySchema> {
  readonly kind: "protocol-error";
  readonly schema: S;
  readonly reason: string;
}

/**
 * A refusal of the handler's own, in the shape another specification fixes, such as OAuth's `{ error }`: for statuses
 * 400 to 499 of an output by status. It counts and is recorded as any refusal is; only its body is declared here.
 *
 * @param schema  declared fields; a closed object
 * @param reason  which specification says so, for the reviewer of the manifest; a blank one stops the start
 * @see RFC 6749 section 5.2
 */
export function protocolError<S extends AnySchema>(schema: S, reason: string): ProtocolErrorOutput<S> {
  return Object.freeze({ kind: "protocol-error", schema, reason });
}
