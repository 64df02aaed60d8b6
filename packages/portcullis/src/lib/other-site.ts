import type { Exchange } from "../exchange.ts";

/**
 * Whether a request says of itself that a page of another site made a browser send it, and how; undefined where it does
 * not, or where the page's origin is a configured one. Anybody can say so: it may close a gate and never open one.
 *
 * Sec-Fetch-Site decides where it is sent, because a page can neither set nor leave out what begins with `Sec-`;
 * otherwise Origin: our own, a configured one, or somebody else's.
 *
 * @param originsCount  false where a configured origin is another site like any
 * @returns private words for a refusal's reason
 * @see Fetch Metadata Request Headers, section 2.3 (Sec-Fetch-Site); RFC 6454 section 7 (Origin)
 */
export function sentByOtherSite(x: Exchange, originsCount = true): string | undefined {
  if (originsCount && x.allowedOrigin !== undefined) return undefined;
  const site = x.headers["sec-fetch-site"];
  if (site !== undefined) {
    if (site === "same-origin" || site === "none") return undefined;
    return site === "cross-site" || site === "same-site" ? site : "no known Sec-Fetch-Site";
  }
  const origin = x.headers["origin"];
  return origin === undefined || origin === `${x.scheme}://${x.host}` ? undefined : "Origin is not ours";
}
