import { createHmac, timingSafeEqual } from "node:crypto";
import type { CookieToSet } from "portcullis";
import { z } from "zod";
import { cookieNames } from "./provider.ts";

/**
 * The cookies that tie a sign-in under way to the browser it was begun in. oidc-provider gives them the value that stands
 * in the address of the page, and addresses are seen by others: in histories, records and over shoulders. So they carry
 * `uid.proof`, and the proof is made with the installation's secret.
 */
export interface FlowCookies {
  /** As a browser gets it. Cookies that are taken back, and those of sessions, stay as they are. */
  sealed(cookie: CookieToSet): CookieToSet;
  /** @returns the uid; undefined where there is no cookie, or its proof is of another cookie, uid or installation */
  uidOf(name: FlowCookieName, value: string | undefined): string | undefined;
}

/** The two there are. */
export type FlowCookieName = typeof cookieNames.interaction | typeof cookieNames.resume;

/** How such a cookie looks: the uid, and 256 bits in base64url. */
export const flowCookie = z.string().max(108);

/** @param secret  the installation's; every instance has the same */
export function createFlowCookies(secret: string | Uint8Array): FlowCookies {
  const key = createHmac("sha256", secret).update("portcullis sign-in under way").digest();
  const proofOf = (name: string, uid: string) => createHmac("sha256", key).update(`${name} ${uid}`).digest();

  return {
    sealed(cookie) {
      const { name, value } = cookie;
      if (value === "" || (name !== cookieNames.interaction && name !== cookieNames.resume)) return cookie;
      return { ...cookie, value: `${value}.${proofOf(name, value).toString("base64url")}` };
    },
    uidOf(name, value) {
      const [, uid, proof] = /^([\w-]{1,64})\.([\w-]{43})$/.exec(value ?? "") ?? [];
      if (uid === undefined || proof === undefined) return undefined;
      return timingSafeEqual(Buffer.from(proof, "base64url"), proofOf(name, uid)) ? uid : undefined;
    },
  };
}
