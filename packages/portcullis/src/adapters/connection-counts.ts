import type { Socket } from "node:net";
import { parseAddress } from "../lib/address.ts";
import { Unreadable } from "../lib/unreadable.ts";

/** Who is asked and told about connections. */
interface ConnectionCountsOptions {
  /** Most connections of one address at once; IPv6 by its /64. */
  readonly max: number;
  /** Proxies carry everybody's requests and are not counted. */
  readonly isProxy: (address: string) => boolean;
}

/**
 * Counts the connections of each address while they are open, so that one machine cannot take them all: a connection
 * costs a client nothing, and no request has to be sent on it. Memory is bounded by the connections there are.
 *
 * @returns false where the address has as many as it may, or nobody knows it: then the caller closes the connection
 */
export function createConnectionCounts({ max, isProxy }: ConnectionCountsOptions): (socket: Socket) => boolean {
  const open = new Map<string, number>();

  return function countConnection(socket) {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) return false;
    if (isProxy(remoteAddress)) return true;
    const key = keyOf(remoteAddress);
    const count = open.get(key) ?? 0;
    if (count >= max) return false;
    open.set(key, count + 1);
    socket.once("close", () => {
      const left = (open.get(key) ?? 1) - 1;
      if (left === 0) open.delete(key);
      else open.set(key, left);
    });
    return true;
  };
}

/** As the limiter counts: an IPv4 address whole, however it is spelt, an IPv6 address by the /64 one host has. */
function keyOf(text: string): string {
  const address = parseAddress(text);
  if (address instanceof Unreadable) return text;
  const { family, word0, word1, word3 } = address.embedded ?? address;
  return family === 4 ? `4 ${word3}` : `6 ${word0} ${word1}`;
}
