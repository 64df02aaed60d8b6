import type { Hashing } from "../environment.ts";
import { equalConstantTime } from "../lib/constant-time.ts";
import type { HeaderBlock } from "../lib/header-block.ts";
import { isPromise, type MaybePromise } from "../lib/maybe-promise.ts";
import type { ReadDelivery, WebhookScheme } from "./scheme.ts";

/** A delivery whose sender was proved. */
export interface VerifiedDelivery extends ReadDelivery {
  /** The bytes that were signed: what stands before the body, and the body. */
  readonly signed: Uint8Array;
}

/**
 * Decides whether a delivery comes from who knows the secret, and was signed no longer ago than the tolerance.
 *
 * @param headers  of the request
 * @param body     its bytes, exactly as they came
 * @param nowMs    Unix milliseconds
 * @returns the delivery, or the private reason why it is none. Throws or rejects where it cannot decide
 */
export type DeliveryVerifier = (
  headers: HeaderBlock,
  body: Uint8Array,
  nowMs: number,
) => MaybePromise<VerifiedDelivery | string>;

/**
 * Makes the one place where times are judged and signatures compared. Every secret's HMAC is computed and every signature
 * compared with each, in a time that does not depend on which one fits: neither where two differ nor which secret is
 * the current one can be measured.
 *
 * @see RFC 2104 (HMAC), OWASP ASVS 5.0 4.1.5 (message signatures)
 */
export function deliveryVerifier(scheme: WebhookScheme, hashing: Hashing): DeliveryVerifier {
  const keys = scheme.keys();
  const hmac = scheme.algorithm === "sha512" ? hashing.hmacSha512 : hashing.hmacSha256;
  const toleranceMs = scheme.toleranceSeconds * 1000;

  return function verifyDelivery(headers, body, nowMs) {
    const read = scheme.read(headers);
    if (typeof read === "string") return read;
    if (scheme.signsTime) {
      // Not `Math.abs(…) > tolerance`: a time that is no number would pass.
      const isFresh = read.sentAtMs !== undefined && Math.abs(nowMs - read.sentAtMs) <= toleranceMs;
      if (!isFresh) return ageReason(read, nowMs);
    }
    const signed = concatenate(read.signedBeforeBody, body);
    const computed = keys.map((key) => hmac(key, signed));
    const decide = (digests: readonly Uint8Array[]): VerifiedDelivery | string =>
      isSignedBy(digests, read.signatures) ? { ...read, signed } : "no signature fits";
    const digests: Uint8Array[] = [];
    for (const one of computed) if (!isPromise(one)) digests.push(one);
    return digests.length === computed.length
      ? decide(digests)
      : Promise.all(computed.map(async (one) => one)).then(decide);
  };
}

function isSignedBy(digests: readonly Uint8Array[], signatures: readonly Uint8Array[]): boolean {
  let fits = false;
  for (const digest of digests) {
    for (const signature of signatures) {
      // No early end: `||` would skip the comparison.
      const isEqual = equalConstantTime(digest, signature);
      fits = isEqual || fits;
    }
  }
  return fits;
}

function ageReason({ sentAtMs }: ReadDelivery, nowMs: number): string {
  if (sentAtMs === undefined) return "no signed time";
  const seconds = Math.round((nowMs - sentAtMs) / 1000);
  return seconds > 0 ? `signed ${seconds} s ago` : `signed ${-seconds} s in the future`;
}

const encoder = new TextEncoder();

function concatenate(before: string, body: Uint8Array): Uint8Array {
  if (before === "") return body;
  const start = encoder.encode(before);
  const whole = new Uint8Array(start.length + body.length);
  whole.set(start);
  whole.set(body, start.length);
  return whole;
}
