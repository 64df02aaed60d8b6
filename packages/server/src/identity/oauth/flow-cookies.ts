import { createHmac, timingSafeEqual } from "node:crypto";
import type { CookieToSet } from "portcullis";
import { z } from "zod";
import { flowSlots } from "../flow-slots.ts";
import { cookieNames } from "./provider.ts";

/**
 * The cookies that tie the sign-ins under way to the browser they were begun in, one each. oidc-provider gives its own the
 * value that stands in the address of the page, and addresses are seen by others: in histories, records and over
 * shoulders. So ours carry `uid.began.proof`, and the proof is made with the installation's secret.
 */
export interface FlowCookies {
  /** Whether the browser that sent them began it. */
  hold(sent: SentFlowCookies, uid: string): boolean;
  /** The one that was begun last. */
  newest(sent: SentFlowCookies): string | undefined;
  /**
   * What oidc-provider answered, as a browser gets it.
   *
   * @param uid  of the sign-in that goes on; it ends, and one that follows it takes its place
   */
  given(answered: readonly CookieToSet[], sent: SentFlowCookies, uid?: string): readonly CookieToSet[];
}

/** What a browser sent, among other cookies. */
export type SentFlowCookies = Readonly<Record<string, string | undefined>>;

const slots = flowSlots(cookieNames.interaction);
// The uid, milliseconds in base 36, and 256 bits in base64url.
const shape = /^([\w-]{1,64})\.([\da-z]{1,10})\.([\w-]{43})$/;

/** How they come in, for the schema of a route's cookies. */
export const flowCookieShape = Object.fromEntries(slots.names.map((name) => [name, z.string().max(119).optional()]));

/** @param secret  the installation's; every instance has the same @param now  milliseconds */
export function createFlowCookies(secret: string | Uint8Array, now: () => number): FlowCookies {
  const key = createHmac("sha256", secret).update("portcullis sign-in under way").digest();
  const proofOf = (uid: string, began: string) => createHmac("sha256", key).update(`${uid} ${began}`).digest();

  return {
    hold: (sent, uid) => placeOf(opened(sent), uid) !== undefined,
    newest: (sent) => [...opened(sent).values()].toSorted((a, b) => b.began - a.began)[0]?.uid,
    given(answered, sent, uid) {
      const known = opened(sent);
      const place = uid === undefined ? undefined : placeOf(known, uid);
      const others = answered.filter(({ name }) => name !== cookieNames.interaction && name !== cookieNames.resume);
      const begun = answered.find(({ name, value }) => name === cookieNames.interaction && value !== "");
      if (begun !== undefined) {
        const began = now().toString(36);
        const ages = new Map([...known].map(([name, one]) => [name, one.began] as const));
        const value = `${begun.value}.${began}.${proofOf(begun.value, began).toString("base64url")}`;
        return [...others, { ...begun, name: place ?? slots.next(ages), value }];
      }
      const isOver = answered.some(({ name, value }) => name === cookieNames.resume && value === "");
      if (!isOver || place === undefined) return others;
      return [...others, { name: place, value: "", maxAgeSeconds: 0, sameSite: "Lax" }];
    },
  };

  /** Those with a proof of ours, by the cookie's name. */
  function opened(sent: SentFlowCookies): ReadonlyMap<string, { readonly uid: string; readonly began: number }> {
    const found = new Map<string, { readonly uid: string; readonly began: number }>();
    for (const name of slots.names) {
      const [, uid, began, proof] = shape.exec(sent[name] ?? "") ?? [];
      if (uid === undefined || began === undefined || proof === undefined) continue;
      if (!timingSafeEqual(Buffer.from(proof, "base64url"), proofOf(uid, began))) continue;
      found.set(name, { uid, began: Number.parseInt(began, 36) });
    }
    return found;
  }
}

function placeOf(known: ReadonlyMap<string, { readonly uid: string }>, uid: string): string | undefined {
  return [...known].find(([, one]) => one.uid === uid)?.[0];
}
