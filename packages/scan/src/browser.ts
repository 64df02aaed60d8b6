import type { ProbeContext } from "./context.ts";
import type { Header } from "./identities.ts";

/** What a browser sends along with a request from the API's own page (Fetch Metadata, RFC 6454 section 7). */
export function sameOrigin(context: ProbeContext): readonly Header[] {
  return [
    ["sec-fetch-site", "same-origin"],
    ["origin", context.fetcher.url.origin],
  ];
}
