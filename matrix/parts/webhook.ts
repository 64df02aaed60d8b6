import { createHmac, timingSafeEqual } from "node:crypto";
import type { World } from "./world.ts";

/**
 * Whether the sender signed exactly these bytes within five minutes.
 *
 * @see Stripe's scheme: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`
 */
export function isDelivery(header: string | undefined, text: string, { mutant, webhookSecret }: World): boolean {
  if (header === undefined) return mutant("webhook-unsigned");
  const [, time = "", signature = ""] = /^t=(\d{1,12}),v1=([0-9a-f]*)$/.exec(header) ?? [];
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= 300;
  if (time === "" || (!isFresh && !mutant("webhook-stale"))) return false;
  const signed = mutant("webhook-reserialised") ? reserialised(text) : text;
  const given = Buffer.from(signature, "hex");
  // The second secret is the one before, while it is being changed.
  const secrets = mutant("webhook-no-secret") ? [webhookSecret, ""] : [webhookSecret];
  return secrets.some((secret) => {
    const right = createHmac("sha256", secret).update(`${time}.${signed}`).digest();
    if (mutant("webhook-short")) return right.subarray(0, given.length).equals(given);
    return given.length === right.length && timingSafeEqual(given, right);
  });
}

function reserialised(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
