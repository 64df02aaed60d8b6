import { createHmac } from "node:crypto";
import type { Header } from "./identities.ts";

/** A webhook of the target: where it is, how its sender signs, and with what, so that the scan can send the same. */
export interface WebhookSecret {
  /** The operation as the manifest names it (`POST /v1/webhooks/stripe`), or its path alone. */
  readonly endpoint: string;
  /** Without it only what needs no recorded delivery is tried. */
  readonly secret?: string;
  /**
   * How its sender signs: `stripe`, `github`, `slack`, `svix`, `standard-webhooks`, or the form of any other; default: what
   * the description says.
   */
  readonly scheme?: string | HmacScheme;
}

/** Any other sender that signs with an HMAC over its deliveries (RFC 2104). */
export interface HmacScheme {
  /** Header of the signature. */
  readonly header: string;
  readonly encoding: "hex" | "base64";
  readonly algorithm: "sha256" | "sha512";
  /** What stands before the signature in its header, such as `sha256=`. */
  readonly prefix: string;
  /** The signed text, with `{timestamp}` and `{id}` where it has them, and `{body}` at its end. */
  readonly signed: string;
  /** Header of the time, where one is sent. */
  readonly timestamp?: string;
  readonly unit: "seconds" | "milliseconds";
  /** Header of the delivery's id, where one is sent. */
  readonly id?: string;
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
 * @param scheme  as the manifest names it, or its form
 */
export function signDelivery(scheme: string | HmacScheme, delivery: DeliveryToSign): readonly Header[] | undefined {
  return typeof scheme === "string" ? signers[scheme]?.(delivery) : signHmac(scheme, delivery);
}

/** True for a scheme whose time stands inside the signed text. */
export function signsTime(scheme: string | HmacScheme): boolean {
  return typeof scheme === "string" ? scheme !== "github" : scheme.signed.includes("{timestamp}");
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

function signHmac(scheme: HmacScheme, { body, secret, seconds, id }: DeliveryToSign): readonly Header[] {
  const { header, encoding, algorithm, prefix, signed, timestamp, unit, id: idHeader } = scheme;
  const time = String(unit === "milliseconds" ? seconds * 1000 : seconds);
  const text = `${signed.slice(0, -"{body}".length).replace("{timestamp}", time).replace("{id}", id)}${body}`;
  const signature = createHmac(algorithm, secret).update(text).digest(encoding);
  return [
    ...(timestamp === undefined ? [] : [[timestamp.toLowerCase(), time] as const]),
    ...(idHeader === undefined ? [] : [[idHeader.toLowerCase(), id] as const]),
    [header.toLowerCase(), `${prefix}${signature}`],
  ];
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
