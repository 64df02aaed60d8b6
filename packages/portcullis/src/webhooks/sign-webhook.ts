import { OptionsError } from "../lib/options-error.ts";
import { encodeBase64, encodeHex, isDeliveryId } from "./read-signature.ts";
import { readSecrets } from "./secrets.ts";
import { runtime } from "#runtime";

/** One delivery to be signed. */
export interface SignWebhookOptions {
  /** The bytes that will be sent, exactly: a text is sent as UTF-8. */
  readonly body: string | Uint8Array;
  /**
   * `standard`: Standard Webhooks, in three headers, under `whsec_<base64 of 24 .. 64 bytes>`. `stripe`: one header
   * `t=…,v1=…`, under the text of the secret.
   */
  readonly style: "standard" | "stripe";
  /** 1 .. 8 secrets, the newest first; each makes a signature, so that the receiver may have either while one rotates. */
  readonly secrets: readonly string[];
  /**
   * The event's own id, the same at every retry: 1 .. 256 visible ASCII characters without `.`. Style `standard` sends and
   * signs it; in style `stripe` put it into the body, which is where its receivers look.
   */
  readonly id?: string;
  /** When it is sent, Unix milliseconds; a retry says the new time. Default: now. */
  readonly sentAtMs?: number;
  /** Name of the header in style `stripe`; default `x-webhook-signature`. */
  readonly header?: string;
}

/**
 * Signs one delivery; the time stands inside the signed text.
 *
 * @returns the headers to send beside the body, names in lower case
 * @throws OptionsError where a secret is none (too short, a placeholder, not base64), the id is missing or cannot be sent,
 *   or the time is no time
 * @see Standard Webhooks, section "Signature scheme"
 */
export async function signWebhook(options: SignWebhookOptions): Promise<Readonly<Record<string, string>>> {
  const { style, id, sentAtMs = Date.now() } = options;
  const seconds = Math.floor(sentAtMs / 1000);
  if (!(Number.isInteger(seconds) && seconds > 0)) throw new OptionsError("sentAtMs is no time.", "Use Date.now().");
  const keys = signingKeys(options);
  const body = typeof options.body === "string" ? runtime.utf8(options.body) : options.body;
  if (style === "stripe") {
    const signatures = await signaturesOf(keys, `${seconds}.`, body);
    const header = (options.header ?? "x-webhook-signature").toLowerCase();
    return { [header]: [`t=${seconds}`, ...signatures.map((bytes) => `v1=${encodeHex(bytes)}`)].join(",") };
  }
  if (id === undefined || !isDeliveryId(id, ".")) {
    throw new OptionsError("id is missing or cannot be sent.", "Use the event's id: visible ASCII without a dot.");
  }
  const signatures = await signaturesOf(keys, `${id}.${seconds}.`, body);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signatures.map((bytes) => `v1,${encodeBase64(bytes)}`).join(" "),
  };
}

/**
 * The keys that secrets stand for; for who keeps secrets and wants to know at set-up whether they are any.
 *
 * @throws OptionsError where one is none
 */
export function signingKeys({ style, secrets }: Pick<SignWebhookOptions, "style" | "secrets">): readonly Uint8Array[] {
  const source = "32 random bytes of this endpoint alone";
  const read = readSecrets(
    secrets,
    style === "standard"
      ? { encoding: "base64", prefix: "whsec_", minBytes: 24, maxBytes: 64, source }
      : { encoding: "text", minBytes: 16, maxBytes: 512, source },
  );
  const [first] = read.problems;
  if (first !== undefined) throw new OptionsError(`secrets: ${first.problem}.`, `${first.fix}.`);
  return read.keys();
}

function signaturesOf(keys: readonly Uint8Array[], before: string, body: Uint8Array): Promise<readonly Uint8Array[]> {
  const start = runtime.utf8(before);
  const signed = new Uint8Array(start.length + body.length);
  signed.set(start);
  signed.set(body, start.length);
  return Promise.all(keys.map(async (key) => runtime.hashing.hmacSha256(key, signed)));
}
