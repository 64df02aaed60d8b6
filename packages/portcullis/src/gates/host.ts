import type { ArrivalGate } from "../gate.ts";
import { isLoopback } from "../lib/address.ts";
import { resolveClient } from "../lib/forwarded.ts";
import { Refusal } from "../refusal.ts";
import { isLoopbackHost, splitHost } from "../lib/host-name.ts";

/**
 * Establishes whose request this is and for whom: the client's address and scheme from the socket, or from the one
 * forwarded header a trusted proxy writes; and the Host, which has to be one of the configured names.
 *
 * A configured name without a port matches the scheme's own port; a loopback name without a port matches any.
 *
 * @returns step; refuses with `unknown-host` (421)
 * @see RFC 9110 section 7.4 (421), OWASP ASVS 5.0 4.1.3 and 15.3.4
 */
export const host: ArrivalGate = (api) => {
  const exact = new Map<string, string>();
  const anyPort = new Set<string>();
  for (const name of api.config.hosts) {
    const { host: bare, port } = splitHost(name.toLowerCase());
    if (port !== "") known(`${bare}:${port}`);
    else if (isLoopbackHost(bare)) anyPort.add(bare);
    else for (const implied of ["", ":443"]) known(`${bare}${implied}`);
  }
  let toldIgnored = false;

  function known(name: string): void {
    exact.set(name, name);
  }

  return function knowHostAndAddress(x) {
    const client = resolveClient(x.arrival.peer, x.headers, api.topology);
    x.address = client.address === "unknown" ? undefined : client.address;
    // Behind a proxy that encrypts anew, our own socket is https whatever the client spoke: the proxy's word wins.
    x.scheme = client.viaProxy && client.scheme !== "unknown" ? client.scheme : x.arrival.scheme;
    const peer = api.topology.peer(x.arrival.peer).address;
    x.peerIsLoopback = peer !== "unknown" && isLoopback(peer);
    x.forwardedScheme = client.scheme;
    if (client.ignoredForwarded && !toldIgnored) {
      // Once per process: either somebody is trying, or a proxy in front has not been declared.
      toldIgnored = true;
      api.environment.emit({
        kind: "event",
        type: "forwarded-header-ignored",
        time: x.timeMs,
        service: api.config.name,
        protection: "host",
        reason: "a forwarded header came from a peer that is no trusted proxy; declare the proxy if it is one",
      });
    }

    const written = client.host ?? x.headers["host"] ?? "";
    if (written === "") return new Refusal("unknown-host", "no Host");
    const sent = exact.get(written) ?? written.toLowerCase();
    x.host = sent;
    if (exact.has(sent)) return undefined;
    const { host: bare, port } = splitHost(sent);
    if (anyPort.has(bare) && anyPortNumber.test(port)) return undefined;
    return new Refusal("unknown-host", "Host is not configured");
  };
};

/** "localhost:3000, evil.example" is localhost with something behind it that is no port. */
const anyPortNumber = /^\d{0,5}$/;
