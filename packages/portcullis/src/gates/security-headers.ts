import type { Exchange } from "../exchange.ts";
import type { HeaderGate } from "../gate.ts";
import { hardeningFor } from "../lib/hardening.ts";

/**
 * Adds the headers of an API that serves no pages to every answer, refusals and preflights too: nothing may be sniffed,
 * framed, run, kept in a cache or embedded elsewhere, and https stays https. A page has a policy of its own in place of the
 * API's. No header names the server or its version.
 *
 * HSTS is sent over https only, and never for loopback names, where it would break every other local project.
 *
 * @see OWASP ASVS 5.0 section 3.4, RFC 6797 section 7.2 (HSTS), RFC 9110 section 8.3 (content type)
 */
export const securityHeaders: HeaderGate = (api) => {
  const hardeningOf = hardeningFor(api.config.hosts);

  return function addSecurityHeaders(x, headers) {
    const { pagePolicy } = x;
    if (pagePolicy === undefined) for (const part of hardeningOf(x.scheme, x.host)) headers.push(part);
    else for (const part of forPage(hardeningOf(x.scheme, x.host), pagePolicy)) headers.push(part);
    headers.push("cache-control", isForEverybody(x) ? (x.route?.policy.cache ?? "no-store") : "no-store");
    headers.push("x-request-id", x.id);
    if (pagePolicy !== undefined) headers.push("content-type", "text/html; charset=utf-8");
    else if (x.refusal !== undefined) {
      headers.push("content-type", x.refusal.body === undefined ? "application/problem+json" : "application/json");
    } else if (x.bodyText !== undefined) headers.push("content-type", "application/json; charset=utf-8");
    if (x.clearedCookies === undefined) return;
    for (const name of x.clearedCookies) {
      // Whoever signs in beside a cookie that is over gets a new one, which the browser would drop with the old one.
      if (sets(headers, name)) continue;
      headers.push("set-cookie", `${name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict`);
    }
  };
};

/**
 * The same for a page: its own policy, and an Origin that its forms may tell this host (with no-referrer browsers send
 * `null`, which says nothing to those that have no Sec-Fetch-Site). @see Fetch, "append a request Origin header"
 */
function forPage(hardening: readonly string[], policy: string): readonly string[] {
  const own: Readonly<Record<string, string>> = { "content-security-policy": policy, "referrer-policy": "same-origin" };
  const written = hardening.map((part, i) => (i % 2 === 0 ? part : (own[hardening[i - 1] ?? ""] ?? part)));
  return [...written, "cross-origin-opener-policy", "same-origin"];
}

function sets(headers: readonly string[], cookie: string): boolean {
  return headers.some((part, i) => i % 2 === 1 && headers[i - 1] === "set-cookie" && part.startsWith(`${cookie}=`));
}

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
