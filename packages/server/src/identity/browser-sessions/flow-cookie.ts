import { z } from "zod";
import { flowSlots } from "../flow-slots.ts";
import { seal, unseal } from "../secrets.ts";

/**
 * Carry the sign-ins under way, one each. SameSite=Lax, because the issuer's site sends the browser back; `__Host-`, so
 * that no sibling host can put its own sign-in there.
 */
export const flowCookies = flowSlots("__Host-portcullis-sign-in");
/** A sign-in takes no longer, milliseconds. */
export const flowForMs = 600_000;
/** How they come in. */
export const FlowCookies = z.strictObject(
  Object.fromEntries(flowCookies.names.map((name) => [name, z.string().max(3000).optional()])),
);

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

/** @returns those of a browser, by the cookie's name; without what is none of ours, or too old */
export function openFlows(
  cookies: z.output<typeof FlowCookies>,
  secret: string | Uint8Array,
  now: number,
): ReadonlyMap<string, Flow> {
  const flows = new Map<string, Flow>();
  for (const name of flowCookies.names) {
    const flow = openFlow(cookies[name] ?? "", secret);
    if (flow !== undefined && flow.expiresAt > now) flows.set(name, flow);
  }
  return flows;
}

function openFlow(cookie: string, secret: string | Uint8Array): Flow | undefined {
  const text = unseal(cookie, secret, purpose);
  return text === undefined ? undefined : Flow.safeParse(JSON.parse(text)).data;
}
