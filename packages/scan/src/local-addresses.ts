import net from "node:net";
import { addressFor, hostOf, isLoopbackName, portOf } from "./address.ts";

/** Other addresses of this machine that strangers may come from, besides the usual one. */
const others = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

/**
 * Addresses from which a target on this machine can be reached besides the usual one. What an API counts by address is
 * used up sooner by one address than by several; no limit is exceeded for any of them.
 *
 * @returns the addresses, asked for once, at first use; none where the target is elsewhere, listens on IPv6 alone, or the
 *   system knows one loopback address only
 */
export function createLocalAddresses(url: URL): () => Promise<readonly string[]> {
  let known: Promise<readonly string[]> | undefined;
  return () => {
    known ??= isLoopbackName(hostOf(url)) && hostOf(url) !== "::1" ? reachable(url) : Promise.resolve([]);
    return known;
  };
}

async function reachable(url: URL): Promise<readonly string[]> {
  const works = await Promise.all(others.map((address) => connects(url, address)));
  return others.filter((_address, index) => works[index]);
}

function connects(url: URL, localAddress: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: addressFor(hostOf(url)), port: portOf(url), localAddress, family: 4 });
    const done = (works: boolean) => {
      socket.destroy();
      resolve(works);
    };
    socket.setTimeout(500, () => done(false));
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
