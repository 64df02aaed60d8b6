import type { Header } from "./identities.ts";

/**
 * What a browser sends along with a request from the API's own page (Fetch Metadata, RFC 6454 section 7). Honest
 * requests with a cookie carry it, since that is how cookies travel.
 */
export function sameOrigin(url: URL): readonly Header[] {
  return [
    ["sec-fetch-site", "same-origin"],
    ["origin", url.origin],
  ];
}
