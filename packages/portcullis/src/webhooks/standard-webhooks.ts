import type { HeaderBlock } from "../lib/header-block.ts";
import { isDeliveryId, readBase64Signature, readTimestamp } from "./read-signature.ts";
import type { ReadDelivery, TimedSchemeOptions, WebhookScheme } from "./scheme.ts";
import { defaultToleranceSeconds, maxSignatures, toleranceProblems } from "./scheme.ts";
import { readSecrets } from "./secrets.ts";

/**
 * Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature: v1,<base64> v1,<base64>` over
 * `id.timestamp.body`, HMAC-SHA-256 under the 24 .. 64 bytes that `whsec_<base64>` holds. Other versions, such as `v1a`
 * (Ed25519), are not looked at. The id is `webhook-id`.
 *
 * Throws nothing: what is wrong with the options stops the start (`StartRefused`).
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function standardWebhooks(options: TimedSchemeOptions): WebhookScheme {
  return scheme("standard-webhooks", "webhook", options);
}

/**
 * Svix, and whoever sends through it: Standard Webhooks under `svix-id`, `svix-timestamp` and `svix-signature`.
 *
 * Throws nothing: what is wrong with the options stops the start (`StartRefused`).
 *
 * @see Svix documentation: How to verify webhooks manually
 */
export function svix(options: TimedSchemeOptions): WebhookScheme {
  return scheme("svix", "svix", options);
}

function scheme(name: string, prefix: "webhook" | "svix", options: TimedSchemeOptions): WebhookScheme {
  const { toleranceSeconds = defaultToleranceSeconds } = options;
  const secrets = readSecrets(options.secrets, {
    encoding: "base64",
    prefix: "whsec_",
    minBytes: 24,
    maxBytes: 64,
    source: "the endpoint's signing secret: whsec_ and the base64 of 24 to 64 random bytes",
  });
  const signature = `${prefix}-signature`;
  const id = `${prefix}-id`;
  const timestamp = `${prefix}-timestamp`;
  return Object.freeze({
    name,
    algorithm: "sha256",
    headers: [signature, id, timestamp],
    signsTime: true,
    toleranceSeconds,
    problems: () => [...secrets.problems, ...toleranceProblems(toleranceSeconds)],
    describe: () => ({}),
    keys: secrets.keys,
    read: (headers: HeaderBlock) => readHeaders(headers[id], headers[timestamp], headers[signature]),
    idIn: () => undefined,
  } satisfies WebhookScheme);
}

function readHeaders(
  id: string | undefined,
  timestamp: string | undefined,
  list: string | undefined,
): ReadDelivery | string {
  if (id === undefined || timestamp === undefined || list === undefined) return "a header is missing";
  // With a "." in it, one signed text could be cut into id, time and body in two ways.
  if (!isDeliveryId(id, ".")) return "an id that is none";
  const sentAtMs = readTimestamp(timestamp);
  if (sentAtMs === undefined) return "a time that is none";
  const signatures: Uint8Array[] = [];
  const parts = list.split(" ");
  if (parts.length > maxSignatures) return "too many signatures";
  for (const one of parts) {
    if (!one.startsWith("v1,")) continue;
    const signature = readBase64Signature(one.slice("v1,".length), 32);
    if (signature === undefined) return "a v1 signature that is none";
    signatures.push(signature);
  }
  if (signatures.length === 0) return "no v1 signature";
  return { signedBeforeBody: `${id}.${timestamp}.`, signatures, sentAtMs, id };
}
