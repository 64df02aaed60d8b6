import { defaults } from "../defaults.ts";
import type { Known } from "../exchange.ts";
import { isLoopbackHost, splitHost } from "./host-name.ts";

/**
 * The headers of an API that serves no pages, the same on every answer: names and values in turn. Nothing may be sniffed,
 * framed, run or embedded elsewhere.
 *
 * @see OWASP ASVS 5.0 section 3.4
 */
export const hardening: readonly string[] = Object.freeze([
  "x-content-type-options",
  "nosniff",
  "x-frame-options",
  "DENY",
  "content-security-policy",
  "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy",
  "no-referrer",
  "cross-origin-resource-policy",
  "same-origin",
]);

/** {@link hardening} with HSTS. @see RFC 6797 */
export const hardeningWithHsts: readonly string[] = Object.freeze([
  ...hardening,
  "strict-transport-security",
  defaults.hsts,
]);

/**
 * Says which of the two an answer gets: HSTS over https only, and never for loopback names, where it would break every
 * other local project.
 *
 * @param hosts  the API's configured names
 * @see RFC 6797 section 7.2
 */
export function hardeningFor(hosts: readonly string[]): (scheme: Known<string>, host: string) => readonly string[] {
  const isLoopback = (name: string): boolean => isLoopbackHost(splitHost(name).host);
  const loopbackOnly = hosts.every(isLoopback);
  // The usual case is decided ahead: exactly a configured name that is no loopback name.
  const elsewhere = new Set(hosts.filter((name) => !isLoopback(name.toLowerCase())));

  return function hardeningOf(scheme, host) {
    if (scheme !== "https" || loopbackOnly) return hardening;
    return elsewhere.has(host) || !isLoopback(host) ? hardeningWithHsts : hardening;
  };
}
