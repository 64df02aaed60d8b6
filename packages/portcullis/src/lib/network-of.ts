import { parseAddress } from "./address.ts";
import { Unreadable } from "./unreadable.ts";

/**
 * The network by which an address in a record is counted, as text: IPv4 whole, IPv6 by its first bits, an address that
 * tunnels IPv4 (6to4, Teredo) as the host that owns it. One machine has a whole /64 of IPv6, so that its addresses are
 * not so many people. What is no address stays as it is.
 *
 * @param bits  64 for one host or household, 48 for one site; as `LimitKey` counts
 */
export function networkOf(text: string, bits: 48 | 64): string {
  const address = parseAddress(text);
  if (address instanceof Unreadable) return text;
  const counted = address.embedded ?? address;
  return counted.family === 4 ? counted.text : counted.prefix(bits);
}
