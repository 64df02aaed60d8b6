import type { IpAddress } from "./address.ts";
import { parseAddress } from "./address.ts";
import { OptionsError } from "./options-error.ts";
import { Unreadable } from "./unreadable.ts";

/** A network: all addresses that share the first `bits` bits. */
export interface Cidr {
  /** The lowest address of the network. */
  readonly base: IpAddress;
  /** 0 .. 32 for IPv4, 0 .. 128 for IPv6. */
  readonly bits: number;
}

/** Why text is not a network. */
export type CidrProblem = "cidr-malformed" | "cidr-host-bits";

/**
 * Reads a network such as "10.0.0.0/8" or "2001:db8::/32"; a plain address is the network of that one address.
 *
 * Bits beyond the prefix must be zero: "10.0.0.1/8" is refused, because one of its two halves is a mistake. Networks of
 * IPv4-mapped addresses ("::ffff:10.0.0.0/104") are the IPv4 network they stand for.
 *
 * @see RFC 4632 section 3.1, RFC 4291 section 2.3
 */
export function parseCidr(text: string): Cidr | Unreadable<CidrProblem> {
  const slash = text.indexOf("/");
  const written = slash < 0 ? text : text.slice(0, slash);
  const base = parseAddress(written);
  if (base instanceof Unreadable || written.includes("%")) return new Unreadable("cidr-malformed");
  const width = base.family === 4 ? 32 : 128;
  if (slash < 0) return { base, bits: width };

  const length = text.slice(slash + 1);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(length)) return new Unreadable("cidr-malformed");
  // The base became an IPv4 address although it was written as IPv6: its length counts the 96 bits in front.
  const bits = Number(length) - (base.family === 4 && written.includes(":") ? 96 : 0);
  if (bits < 0 || bits > width) return new Unreadable("cidr-malformed");
  return hasHostBits(base, bits) ? new Unreadable("cidr-host-bits") : { base, bits };
}

/** Whether the address lies in the network. IPv4 and IPv6 never match each other. */
export function contains(network: Cidr, address: IpAddress): boolean {
  return cidrSet([network]).contains(address);
}

/** A fixed set of networks, such as the proxies that are trusted. */
export interface CidrSet {
  /** Whether any of the networks holds the address, compared by bits. */
  contains(address: IpAddress): boolean;
}

/**
 * Prepares a set of networks; do this once, when the API starts, after `cidrProblems` had nothing to say.
 *
 * @param networks  text as `parseCidr` reads it, or networks
 * @throws OptionsError when one of the texts is not a network
 */
export function cidrSet(networks: readonly (string | Cidr)[]): CidrSet {
  // Five numbers per network: four words of the base, and how many bits count. IPv4 stands in the last word.
  const ipv4: number[] = [];
  const ipv6: number[] = [];
  for (const item of networks) {
    const network = typeof item === "string" ? parseCidr(item) : item;
    if (network instanceof Unreadable)
      throw new OptionsError(`A network is ${network.reason}.`, "Ask cidrProblems first.");
    const { base, bits } = network;
    if (base.family === 4) ipv4.push(base.word3, maskOf(bits, 0));
    else {
      for (const [index, word] of [base.word0, base.word1, base.word2, base.word3].entries()) {
        ipv6.push(word, maskOf(bits, index));
      }
    }
  }
  const four = Uint32Array.from(ipv4);
  const six = Uint32Array.from(ipv6);

  return {
    contains(address) {
      if (address.family === 4) {
        for (let at = 0; at < four.length; at += 2) {
          if (((address.word3 ^ (four[at] ?? 0)) & (four[at + 1] ?? 0)) === 0) return true;
        }
        return false;
      }
      for (let at = 0; at < six.length; at += 8) {
        if (
          ((address.word0 ^ (six[at] ?? 0)) & (six[at + 1] ?? 0)) === 0 &&
          ((address.word1 ^ (six[at + 2] ?? 0)) & (six[at + 3] ?? 0)) === 0 &&
          ((address.word2 ^ (six[at + 4] ?? 0)) & (six[at + 5] ?? 0)) === 0 &&
          ((address.word3 ^ (six[at + 6] ?? 0)) & (six[at + 7] ?? 0)) === 0
        ) {
          return true;
        }
      }
      return false;
    },
  };
}

/** What is wrong with an option, and what to write instead; one sentence each. */
export interface Mistake {
  readonly problem: string;
  readonly fix: string;
}

/**
 * What is wrong with a list of trusted networks; [] when nothing is.
 *
 * Refuses what would let a client choose its own address: networks wider than any one operator has (IPv4 shorter than
 * /8, IPv6 shorter than /7, so every /0 and every pair of halves), hop counts and `true`, which trust whoever connects.
 */
export function cidrProblems(list: readonly unknown[]): readonly Mistake[] {
  const problems: Mistake[] = [];
  for (const item of list) {
    const problem = itemProblem(item);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

function itemProblem(item: unknown): Mistake | undefined {
  if (typeof item !== "string") {
    const problem =
      typeof item === "number" || typeof item === "boolean"
        ? `${item} trusts whoever can reach the port.`
        : "An entry is not text.";
    return { problem, fix: 'Name the networks of your proxies, such as "10.0.0.0/8".' };
  }
  const network = parseCidr(item);
  if (network instanceof Unreadable) {
    return network.reason === "cidr-host-bits"
      ? { problem: `"${item}" has bits beyond its prefix.`, fix: "Write the first address of the network." }
      : { problem: `"${item}" is not a network.`, fix: 'Write an address or a prefix, such as "10.0.0.0/8".' };
  }
  const { base, bits } = network;
  if (base.word0 === 0x0064ff9b && base.word1 === 0 && base.word2 === 0 && bits >= 96) {
    const problem = `"${item}" holds addresses behind NAT64, which count as the IPv4 addresses they stand for.`;
    return { problem, fix: "Write the IPv4 networks." };
  }
  if (bits >= (base.family === 4 ? 8 : 7)) return undefined;
  const problem = `"${item}" is far wider than anybody's proxies: strangers could choose the address that is counted.`;
  return { problem, fix: "Name the networks of your proxies." };
}

function hasHostBits({ family, word0, word1, word2, word3 }: IpAddress, bits: number): boolean {
  if (family === 4) return (word3 & ~maskOf(bits, 0)) !== 0;
  return [word0, word1, word2, word3].some((word, index) => (word & ~maskOf(bits, index)) !== 0);
}

/** The mask that a prefix of this many bits puts on the word of this index. */
function maskOf(bits: number, index: number): number {
  const inWord = Math.min(Math.max(bits - index * 32, 0), 32);
  return inWord === 0 ? 0 : (-1 << (32 - inWord)) >>> 0;
}
