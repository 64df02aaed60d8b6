import { createHmac } from "node:crypto";
import { z } from "zod";
import { hashOf, newSecret, seal, unseal } from "../secrets.ts";

/** The cookie of a session: on the whole host, HttpOnly, Secure, SameSite=Strict. */
export const sessionCookieName = "__Host-portcullis-session";

/** What is kept of a session for whoever shows its cookie. */
const Kept = z.object({
  claims: z.object({
    sub: z.string(),
    email: z.string().optional(),
    email_verified: z.boolean().optional(),
  }),
  tokens: z.object({
    access: z.string(),
    expiresAt: z.number().optional(),
    refresh: z.string().optional(),
    scope: z.string(),
  }),
});

/** Who it is, and the tokens. */
export type Kept = z.output<typeof Kept>;

/** One session's cookie, and what opens with it. */
export interface SessionSecrets {
  /** What the tables know it by. */
  readonly hash: string;
  seal(kept: Kept): string;
  /** @returns undefined where the installation's secret is another, or somebody wrote into the tables */
  open(sealed: string): Kept | undefined;
}

const shape = /^[A-Za-z0-9_-]{43}$/;
const purpose = "browser session";

/** A new value for a cookie, 256 bits. @see OWASP ASVS 5.0 7.2.3 and 7.2.4 */
export function newSessionCookie(): string {
  return newSecret();
}

/**
 * What follows from a cookie: a hash to look for, and a key that takes the installation's secret besides, so that neither
 * the tables nor a stolen cookie, nor both, give the tokens away.
 *
 * @returns undefined for what is no value of ours
 */
export function secretsOf(cookie: string, installation: string | Uint8Array): SessionSecrets | undefined {
  if (!shape.test(cookie)) return undefined;
  const key = createHmac("sha256", installation).update(`${purpose} ${cookie}`).digest();
  return {
    hash: hashOf(cookie),
    seal: (kept) => seal(JSON.stringify(kept), key, purpose),
    open(sealed) {
      const text = unseal(sealed, key, purpose);
      return text === undefined ? undefined : Kept.parse(JSON.parse(text));
    },
  };
}
