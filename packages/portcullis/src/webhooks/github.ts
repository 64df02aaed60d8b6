import { readHexSignature } from "./read-signature.ts";
import type { SchemeOptions, WebhookScheme } from "./scheme.ts";
import { readSecrets } from "./secrets.ts";

/**
 * GitHub: `X-Hub-Signature-256: sha256=<hex>` over the body, HMAC-SHA-256 under the text of the webhook's secret. The
 * SHA-1 header (`X-Hub-Signature`) is not looked at.
 *
 * GitHub signs the body and nothing else: neither the time nor `X-GitHub-Delivery` nor `X-GitHub-Event`. So nobody can
 * tell how old a delivery is, and the same body counts as the same delivery, whatever id it comes with; the claim store
 * has to be named, and a recorded delivery can run again once the store has forgotten it. Set the content type of the
 * webhook to `application/json`.
 *
 * Throws nothing: what is wrong with the options stops the start (`StartRefused`).
 *
 * @see GitHub documentation: Validating webhook deliveries
 */
export function github(options: SchemeOptions): WebhookScheme {
  const secrets = readSecrets(options.secrets, {
    encoding: "text",
    minBytes: 16,
    maxBytes: 512,
    source: "the webhook's secret: 32 random bytes, such as openssl rand -hex 32 prints",
  });
  return Object.freeze({
    name: "github",
    algorithm: "sha256",
    headers: [header],
    signsTime: false,
    toleranceSeconds: 0,
    problems: () => secrets.problems,
    describe: () => ({}),
    keys: secrets.keys,
    read(headers) {
      const value = headers[header];
      if (value === undefined) return "no signature header";
      if (!value.startsWith(prefix)) return "a signature that is not sha256";
      const signature = readHexSignature(value.slice(prefix.length), 32);
      if (signature === undefined) return "a signature that is none";
      return { signedBeforeBody: "", signatures: [signature], sentAtMs: undefined, id: undefined };
    },
    idIn: () => undefined,
  } satisfies WebhookScheme);
}

const header = "x-hub-signature-256";
const prefix = "sha256=";
