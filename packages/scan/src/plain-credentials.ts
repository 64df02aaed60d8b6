import { hostOf, isLoopbackName } from "./address.ts";

/**
 * What there is to say before credentials are sent to an address: that whoever is on the way reads them, where they go
 * beyond this machine without TLS.
 *
 * @returns a sentence; undefined for https, and for plain http on this machine
 * @see ASVS 5.0 12.2.1
 */
export function plainCredentials(url: URL): string | undefined {
  if (url.protocol !== "http:" || isLoopbackName(hostOf(url))) return undefined;
  return `Credentials go to ${url.host} over plain http: whoever is on the way reads them. Take them back after the scan, or scan it over https.`;
}
