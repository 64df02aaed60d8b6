import { defaults } from "../defaults.ts";
import type { Exchange } from "../exchange.ts";
import type { HeaderGate } from "../gate.ts";
import { isLoopbackHost, splitHost } from "../lib/host-name.ts";

/**
 * Adds the headers of an API that serves no pages to every answer, refusals and preflights too: nothing may be sniffed,
 * framed, run, kept in a cache or embedded elsewhere, and https stays https. No header names the server or its version.
 *
 * HSTS is sent over https only, and never for loopback names, where it would break every other local project.
 *
 * @see OWASP ASVS 5.0 section 3.4, RFC 6797 section 7.2 (HSTS), RFC 9110 section 8.3 (content type)
 */
export const securityHeaders: HeaderGate = (api) => {
  const always = [
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
  ];
  const secure = [...always, "strict-transport-security", defaults.hsts];
  const loopbackOnly = api.config.hosts.every((name) => isLoopbackHost(splitHost(name).host));
  // The usual case is decided ahead: exactly a configured name that is no loopback name.
  const elsewhere = new Set(api.config.hosts.filter((name) => !isLoopbackHost(splitHost(name.toLowerCase()).host)));
  const isElsewhere = (host: string): boolean => elsewhere.has(host) || !isLoopbackHost(splitHost(host).host);

  return function addSecurityHeaders(x, headers) {
    const isSecure = x.scheme === "https" && !loopbackOnly && isElsewhere(x.host);
    for (const part of isSecure ? secure : always) headers.push(part);
    headers.push("cache-control", isForEverybody(x) ? (x.route?.policy.cache ?? "no-store") : "no-store");
    headers.push("x-request-id", x.id);
    if (x.refusal !== undefined) headers.push("content-type", "application/problem+json");
    else if (x.bodyText !== undefined) headers.push("content-type", "application/json; charset=utf-8");
    if (x.clearedCookies === undefined) return;
    for (const name of x.clearedCookies) {
      headers.push("set-cookie", `${name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict`);
    }
  };
};

/** Whether a cache may hand the answer to the next one who asks: no caller was proved, and no cookie travels with it. */
function isForEverybody(x: Exchange): boolean {
  return (
    x.refusal === undefined &&
    x.route?.access.public === true &&
    x.caller === undefined &&
    x.clearedCookies === undefined &&
    x.answerOptions?.cookies === undefined
  );
}
