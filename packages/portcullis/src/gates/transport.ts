import type { ArrivalGate } from "../gate.ts";
import { isLoopback } from "../lib/address.ts";
import { isLoopbackHost, splitHost } from "../lib/host-name.ts";
import { undeclaredProxy } from "../lib/undeclared-proxy.ts";
import { Refusal } from "../refusal.ts";

/**
 * Lets https pass and nothing else. Plain http passes only from a trusted proxy that says https, or when both the
 * socket's peer and the Host are loopback and nothing shows a proxy that nobody declared. It is refused, not redirected:
 * the credential has already travelled in the clear. A scheme nobody knows is not https.
 *
 * @returns step; refuses with `plain-http` or `unknown-scheme` (421)
 * @see OWASP ASVS 5.0 4.1.2 (no transparent redirects on APIs), 12.2.1
 */
export const transport: ArrivalGate = (api) => {
  const throughProxy = api.config.proxies !== undefined;

  return function requireHttps(x) {
    if (x.scheme === "https") return undefined;
    if (x.scheme === "unknown") return new Refusal("unknown-scheme", "the adapter cannot know the scheme");
    // A proxy that says http carries a stranger's plain request, however local its own socket is.
    const localClient =
      x.peerIsLoopback &&
      x.address !== undefined &&
      isLoopback(x.address) &&
      !(throughProxy && x.forwardedScheme === "http");
    if (localClient && isLoopbackHost(splitHost(x.host).host)) {
      const isDeclared = api.topology.peer(x.arrival.peer).trusted;
      const header = isDeclared ? undefined : undeclaredProxy(x.headers);
      return header === undefined ? undefined : new Refusal("plain-http", `${header} ${undeclared}`);
    }
    return new Refusal("plain-http", "plain http from elsewhere than loopback");
  };
};

const undeclared =
  "shows a proxy on this machine whose users look like the machine itself; declare it: proxies: { trusted, header }";
