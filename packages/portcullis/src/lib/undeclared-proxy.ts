import { isLoopback, parseAddress } from "./address.ts";
import type { HeaderBlock } from "./header-block.ts";
import { isLoopbackHost, splitHost } from "./host-name.ts";
import { Unreadable } from "./unreadable.ts";

/**
 * The header that shows that a request which came from this machine was somebody else's before: a proxy runs here and
 * has not been declared, so that all its users look like this machine. Undefined where nothing shows it.
 *
 * A development server that hands requests on and names nobody but this machine is none. A proxy that writes no header
 * at all cannot be told from a program on this machine.
 *
 * @see RFC 7239 (Forwarded), RFC 9110 section 7.6.3 (Via)
 */
export function undeclaredProxy(headers: HeaderBlock): string | undefined {
  let unplaced: string | undefined;
  let isFromHere = false;
  // The block inherits nothing.
  for (const name in headers) {
    if (!written.has(name)) continue;
    const value = headers[name] ?? "";
    if (name === "x-forwarded-for") {
      if (!value.split(",").every((part) => isThisMachine(part.trim()))) return name;
      isFromHere = true;
    } else if (name === "x-forwarded-host") {
      if (!isLoopbackHost(splitHost(value.toLowerCase()).host)) return name;
      unplaced = name;
    } else if (name === "x-forwarded-proto" || name === "x-forwarded-port") {
      unplaced = name;
    } else {
      return name;
    }
  }
  return isFromHere ? undefined : unplaced;
}

function isThisMachine(text: string): boolean {
  const address = parseAddress(text);
  return !(address instanceof Unreadable) && isLoopback(address);
}

/** What proxies and content delivery networks write of where a request came from. */
const written: ReadonlySet<string> = new Set([
  "cf-connecting-ip",
  "cf-ray",
  "cloudfront-viewer-address",
  "fastly-client-ip",
  "fly-client-ip",
  "forwarded",
  "true-client-ip",
  "via",
  "x-amzn-trace-id",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-forwarded-by",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-forwarded-scheme",
  "x-forwarded-server",
  "x-forwarded-ssl",
  "x-envoy-external-address",
  "x-original-forwarded-for",
  "x-real-ip",
]);
