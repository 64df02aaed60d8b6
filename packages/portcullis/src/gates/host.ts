import type { ArrivalGate } from "../gate.ts";
import { isLoopback } from "../lib/address.ts";
import { resolveClient } from "../lib/forwarded.ts";
import { Refusal } from "../refusal.ts";
import { servedHosts } from "../lib/host-name.ts";

/**
 * Establishes whose request this is and for whom: the client's address and scheme from the socket, or from the one
 * forwarded header a trusted proxy writes; and the Host, which has to be one of the configured names.
 *
 * @returns step; refuses with `unknown-host` (421)
 * @see RFC 9110 section 7.4 (421), OWASP ASVS 5.0 4.1.3 and 15.3.4
 */
export const host: ArrivalGate = (api) => {
  const { hosts } = api.config;
  const served = servedHosts(hosts);
  let toldIgnored = false;

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
    const name = served(written);
    x.host = name ?? written.toLowerCase();
    if (name !== undefined) return undefined;
    // Without the one that came: records hold nothing of what was sent.
    return new Refusal("unknown-host", `Host is none of hosts: ${hosts.join(", ")}`);
  };
};
