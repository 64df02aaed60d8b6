import { idAt, readHexSignature, readTimestamp } from "./read-signature.ts";
import type { ReadDelivery, TimedSchemeOptions, WebhookScheme } from "./scheme.ts";
import { defaultToleranceSeconds, maxSignatures, toleranceProblems } from "./scheme.ts";
import { readSecrets } from "./secrets.ts";

/** Options of {@link stripe}. */
export interface StripeOptions extends TimedSchemeOptions {
  /** Header that carries time and signatures, for senders that sign alike under another name. Default `stripe-signature`. */
  readonly header?: string;
}

/**
 * Stripe, and senders that sign alike: `Stripe-Signature: t=1700000000,v1=<hex>,v1=<hex>` over `t.body`, HMAC-SHA-256
 * under the whole text of the endpoint's secret (`whsec_…`, not decoded). Other versions, such as the `v0` of test
 * events, are not looked at. The id is the event's own, `id` in the body.
 *
 * Throws nothing: what is wrong with the options stops the start (`StartRefused`).
 *
 * @see Stripe documentation: Resolve webhook signature verification errors, Verify webhook signatures manually
 */
export function stripe(options: StripeOptions): WebhookScheme {
  const { toleranceSeconds = defaultToleranceSeconds, header = "stripe-signature" } = options;
  const name = header.toLowerCase();
  const secrets = readSecrets(options.secrets, {
    encoding: "text",
    minBytes: 16,
    maxBytes: 512,
    source: "the endpoint's signing secret (whsec_…)",
  });
  return Object.freeze({
    name: "stripe",
    algorithm: "sha256",
    headers: [name],
    signsTime: true,
    toleranceSeconds,
    problems: () => [...secrets.problems, ...toleranceProblems(toleranceSeconds)],
    describe: () => ({ style: "t=…,v1=…" }),
    keys: secrets.keys,
    read: (headers) => readStripeHeader(headers[name]),
    idIn: (body) => idAt(body, "id"),
  } satisfies WebhookScheme);
}

function readStripeHeader(header: string | undefined): ReadDelivery | string {
  if (header === undefined) return "no signature header";
  let timestamp: string | undefined;
  const signatures: Uint8Array[] = [];
  const parts = header.split(",");
  if (parts.length > maxSignatures + 1) return "too many signatures";
  for (const part of parts) {
    const equals = part.indexOf("=");
    const key = part.slice(0, Math.max(0, equals)).trim();
    const value = part.slice(equals + 1);
    if (key === "t") {
      if (timestamp !== undefined) return "two times in the signature header";
      timestamp = value;
    } else if (key === "v1") {
      const signature = readHexSignature(value, 32);
      if (signature === undefined) return "a v1 signature that is none";
      signatures.push(signature);
    }
  }
  if (timestamp === undefined) return "no time in the signature header";
  const sentAtMs = readTimestamp(timestamp);
  if (sentAtMs === undefined) return "a time that is none";
  if (signatures.length === 0) return "no v1 signature";
  return { signedBeforeBody: `${timestamp}.`, signatures, sentAtMs, id: undefined };
}
