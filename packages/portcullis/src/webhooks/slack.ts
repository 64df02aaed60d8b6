import { idAt, readHexSignature, readTimestamp } from "./read-signature.ts";
import type { TimedSchemeOptions, WebhookScheme } from "./scheme.ts";
import { defaultToleranceSeconds, toleranceProblems } from "./scheme.ts";
import { readSecrets } from "./secrets.ts";

/**
 * Slack's Events API: `X-Slack-Signature: v0=<hex>` over `v0:timestamp:body`, HMAC-SHA-256 under the text of the app's
 * signing secret. The id is `event_id` in the body. Slash commands and interactions come as forms, which are not taken.
 *
 * Throws nothing: what is wrong with the options stops the start (`StartRefused`).
 *
 * @see Slack documentation: Verifying requests from Slack
 */
export function slack(options: TimedSchemeOptions): WebhookScheme {
  const { toleranceSeconds = defaultToleranceSeconds } = options;
  const secrets = readSecrets(options.secrets, {
    encoding: "text",
    minBytes: 16,
    maxBytes: 512,
    source: "the app's signing secret, from Basic Information",
  });
  return Object.freeze({
    name: "slack",
    algorithm: "sha256",
    headers: [signatureHeader, timestampHeader],
    signsTime: true,
    toleranceSeconds,
    problems: () => [...secrets.problems, ...toleranceProblems(toleranceSeconds)],
    describe: () => ({}),
    keys: secrets.keys,
    read(headers) {
      const value = headers[signatureHeader];
      const timestamp = headers[timestampHeader];
      if (value === undefined || timestamp === undefined) return "a header is missing";
      if (!value.startsWith("v0=")) return "no v0 signature";
      const signature = readHexSignature(value.slice("v0=".length), 32);
      if (signature === undefined) return "a signature that is none";
      const sentAtMs = readTimestamp(timestamp);
      if (sentAtMs === undefined) return "a time that is none";
      return { signedBeforeBody: `v0:${timestamp}:`, signatures: [signature], sentAtMs, id: undefined };
    },
    idIn: (body) => idAt(body, "event_id"),
  } satisfies WebhookScheme);
}

const signatureHeader = "x-slack-signature";
const timestampHeader = "x-slack-request-timestamp";
