import type { Answer, Exchange } from "./exchange.ts";
import { hardening, hardeningWithHsts } from "./lib/hardening.ts";
import { isLoopbackHost, splitHost } from "./lib/host-name.ts";

/**
 * Makes the 500 for when the way out itself has failed. It is made of constants, so that it cannot fail: what has to be
 * computed is computed here, once, and choosing is two comparisons. It has what every other answer has; only CORS and
 * RateLimit headers, which tell a page and a client more than that something broke, are not among it.
 *
 * @param hosts  the API's configured names
 */
export function createLastResort(hosts: readonly string[]): (x: Pick<Exchange, "id" | "scheme" | "host">) => Answer {
  const constants = ["content-type", "application/problem+json", "cache-control", "no-store", "vary", "Origin"];
  const plain = [...constants, ...hardening, "x-request-id"];
  const secure = [...constants, ...hardeningWithHsts, "x-request-id"];
  const isLoopback = (name: string): boolean => isLoopbackHost(splitHost(name).host);
  // The host gate has let only these through, with or without the port of https.
  const elsewhere = new Set(
    hosts.filter((name) => !isLoopback(name)).flatMap((name) => [name, `${splitHost(name).host}:443`]),
  );

  return function lastResort({ id, scheme, host }) {
    const headers = scheme === "https" && elsewhere.has(host) ? secure : plain;
    return { status: 500, headers: [...headers, id], body, close: true };
  };
}

const body = '{"type":"about:blank","title":"Internal error","status":500,"code":"internal"}';
