import { createHmac } from "node:crypto";
import type { Header } from "./identities.ts";

/** A secret of a webhook, so that the scan can send what its sender sends. */
export interface WebhookSecret {
  /** The operation as the manifest names it (`POST /v1/webhooks/stripe`), or its path alone. */
  readonly endpoint: string;
  readonly secret: string;
  /** How its sender signs: `stripe`, `github`, `slack`, `svix` or `standard-webhooks`; default: what the description says. */
  readonly scheme?: string;
}

/** The scheme whose signature travels in one of these headers; undefined where none does. */
export function schemeOfHeaders(names: readonly string[]): string | undefined {
  const found = names.map((name) => signatureHeaders.get(name.toLowerCase()));
  return found.find((scheme) => scheme !== undefined);
}

const signatureHeaders: ReadonlyMap<string, string> = new Map([
  ["stripe-signature", "stripe"],
  ["x-hub-signature-256", "github"],
  ["x-slack-signature", "slack"],
  ["svix-signature", "svix"],
  ["webhook-signature", "standard-webhooks"],
]);

/** What is signed, and how. */
export interface DeliveryToSign {
  readonly body: string;
  readonly secret: string;
  /** Unix seconds. */
  readonly seconds: number;
  readonly id: string;
}

/**
 * The headers a sender of this scheme puts on a delivery; undefined for a scheme whose form the prover does not know.
 *
 * @param scheme  as the manifest names it
 */
export function signDelivery(scheme: string, delivery: DeliveryToSign): readonly Header[] | undefined {
  return signers[scheme]?.(delivery);
}

/** True for a scheme whose time stands inside the signed text. */
export function signsTime(scheme: string): boolean {
  return scheme !== "github";
}

const signers: Readonly<Record<string, (delivery: DeliveryToSign) => readonly Header[]>> = {
  stripe: ({ body, secret, seconds }) => [
    ["stripe-signature", `t=${seconds},v1=${mac(secret, `${seconds}.${body}`).toString("hex")}`],
  ],
  github: ({ body, secret }) => [["x-hub-signature-256", `sha256=${mac(secret, body).toString("hex")}`]],
  slack: ({ body, secret, seconds }) => [
    ["x-slack-request-timestamp", String(seconds)],
    ["x-slack-signature", `v0=${mac(secret, `v0:${seconds}:${body}`).toString("hex")}`],
  ],
  "standard-webhooks": (delivery) => standard("webhook", delivery),
  svix: (delivery) => standard("svix", delivery),
};

function standard(prefix: string, { body, secret, seconds, id }: DeliveryToSign): readonly Header[] {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return [
    [`${prefix}-id`, id],
    [`${prefix}-timestamp`, String(seconds)],
    [`${prefix}-signature`, `v1,${mac(key, `${id}.${seconds}.${body}`).toString("base64")}`],
  ];
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
