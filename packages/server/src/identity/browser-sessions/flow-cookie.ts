import { z } from "zod";
import { seal, unseal } from "../secrets.ts";

/**
 * Carries a sign-in under way. SameSite=Lax, because the issuer's site sends the browser back; `__Host-`, so that no
 * sibling host can put its own sign-in there.
 */
export const flowCookieName = "__Host-portcullis-sign-in";
/** A sign-in takes no longer, milliseconds. */
export const flowForMs = 600_000;

const purpose = "sign-in under way";

const Flow = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  /** Hash of the session that was there before; it ends with the new one. */
  instead: z.string().optional(),
  expiresAt: z.number(),
});

/** A sign-in under way. */
export type Flow = z.output<typeof Flow>;

/** Only this server can read or make it. */
export function sealFlow(flow: Flow, secret: string | Uint8Array): string {
  return seal(JSON.stringify(flow), secret, purpose);
}

/** @returns undefined where it is none of ours, or too old */
export function openFlow(cookie: string, secret: string | Uint8Array, now: number): Flow | undefined {
  const text = unseal(cookie, secret, purpose);
  const flow = text === undefined ? undefined : Flow.safeParse(JSON.parse(text)).data;
  return flow !== undefined && flow.expiresAt > now ? flow : undefined;
}
