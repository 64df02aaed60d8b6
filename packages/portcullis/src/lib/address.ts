import { Unreadable } from "./unreadable.ts";

/** Why text is not an address. */
export type AddressProblem = "address-malformed" | "address-zone" | "address-port";

/**
 * Reads an IPv4 or IPv6 address in any of its spellings into one value, so that addresses compare by bits.
 *
 * IPv4 is four plain decimal numbers (no octal, no short forms). An IPv4-mapped address, in dotted or hexadecimal
 * spelling, and an address under the NAT64 prefix 64:ff9b::/96 become the IPv4 address they stand for; under the NAT64
 * prefix only where that address is global, because RFC 6052 section 3.1 allows no other and a private or loopback one
 * would inherit trust that nobody gave it. A zone (`%eth0`) is taken off link-local addresses and refused on others.
 * No brackets, no port: that is `parseNode`.
 *
 * @see RFC 4291 section 2.2, RFC 4007 section 11 (zones), RFC 6052 (NAT64)
 */
export function parseAddress(text: string): IpAddress | Unreadable<AddressProblem> {
  return parseRange(text, 0, text.length);
}

/**
 * Reads one node as proxies write it: an address, `1.2.3.4:80`, `[2001:db8::1]` or `[2001:db8::1]:443`.
 *
 * The port is checked and dropped; RFC 7239's obfuscated port (`:_name`) is accepted where a port may stand. An IPv6
 * address without brackets has no port: "::1:80" is the address ::1:80.
 *
 * @see RFC 7239 section 6
 */
export function parseNode(text: string): IpAddress | Unreadable<AddressProblem> {
  if (text.charCodeAt(0) === BRACKET) {
    const close = text.indexOf("]");
    const address = close < 0 ? MALFORMED : parseRange(text, 1, close);
    if (address instanceof Unreadable) return address;
    const colon = text.indexOf(":");
    if (colon < 0 || colon > close) return MALFORMED; // "[1.2.3.4]": brackets are for IPv6
    return close + 1 === text.length || isPort(text, close + 1) ? address : BAD_PORT;
  }
  const colon = text.indexOf(":");
  if (colon < 0 || text.indexOf(":", colon + 1) >= 0) return parseRange(text, 0, text.length);
  const address = parseRange(text, 0, colon);
  return address instanceof Unreadable || isPort(text, colon) ? address : BAD_PORT;
}

/** Whether the address is this machine's own: 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  if (address.family === 4) return address.word3 >>> 24 === 127;
  return address.word0 === 0 && address.word1 === 0 && address.word2 === 0 && address.word3 === 1;
}

/**
 * An IPv4 or IPv6 address, compared and written in one way only. Made by `parseAddress` and `parseNode`.
 *
 * The bits are four unsigned 32-bit words, most significant first; an IPv4 address has its bits in the last one.
 */
export class IpAddress {
  readonly family: 4 | 6;
  readonly word0: number;
  readonly word1: number;
  readonly word2: number;
  readonly word3: number;
  #text: string;

  /** @param text  the canonical text where it is known already, "" to have it written when it is first asked for */
  constructor(family: 4 | 6, word0: number, word1: number, word2: number, word3: number, text: string) {
    this.family = family;
    this.word0 = word0;
    this.word1 = word1;
    this.word2 = word2;
    this.word3 = word3;
    this.#text = text;
  }

  /** The one canonical spelling: dotted decimal, or RFC 5952. */
  get text(): string {
    if (this.#text === "") this.#text = this.family === 4 ? writeIpv4(this.word3) : writeIpv6(this);
    return this.#text;
  }

  /** A fresh copy of the 4 or 16 bytes in network order. */
  get bytes(): Uint8Array {
    const words = this.family === 4 ? [this.word3] : [this.word0, this.word1, this.word2, this.word3];
    return Uint8Array.from(words.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word]));
  }

  /**
   * The network of the first `bits` bits as text, the same for every address in it and different from every other
   * network's, whatever its length: "192.0.2.1", "192.0.2.0/24", "2001:db8:0:1::/64". Not RFC 5952: zeros stay.
   *
   * @param bits  0 .. 32 for IPv4, 0 .. 128 for IPv6
   * @throws RangeError when bits are out of range
   */
  prefix(bits: number): string {
    const width = this.family === 4 ? 32 : 128;
    if (bits === width) return this.text;
    if (!Number.isInteger(bits) || bits < 0 || bits > width) throw new RangeError(`prefix of ${bits} bits`);
    if (this.family === 4) return `${writeIpv4((this.word3 & mask(bits)) >>> 0)}/${bits}`;
    let text = "";
    for (let group = 0; group * 16 < bits; group++) {
      const value = groupOf(this, group) & (mask(Math.min(bits - group * 16, 16)) >>> 16);
      text += `${value.toString(16)}:`;
    }
    return `${text === "" ? ":" : text}:/${bits}`;
  }

  /** Whether both are the same address. */
  equals(other: IpAddress): boolean {
    return (
      this.family === other.family &&
      this.word3 === other.word3 &&
      this.word2 === other.word2 &&
      this.word1 === other.word1 &&
      this.word0 === other.word0
    );
  }

  /**
   * The IPv4 host that a 6to4 (2002::/16) or Teredo (2001::/32) address speaks for, when it is a global one. One such
   * host owns a whole /48, or every Teredo server's /64, so it is the host that is counted. It is never what is
   * trusted: routes to those prefixes are not under the host's control.
   *
   * @see RFC 3056 section 2 (6to4), RFC 4380 section 4 (Teredo; the address stands inverted)
   */
  get embedded(): IpAddress | undefined {
    if (this.family === 4) return undefined;
    let host: number;
    if (this.word0 >>> 16 === 0x2002) host = ((this.word0 << 16) | (this.word1 >>> 16)) >>> 0;
    else if (this.word0 === 0x20010000) host = ~this.word3 >>> 0;
    else return undefined;
    return isGlobalIpv4(host) ? new IpAddress(4, 0, 0, 0, host, "") : undefined;
  }

  toString(): string {
    return this.text;
  }

  /** So that a record of a call holds the address, not its words. */
  toJSON(): string {
    return this.text;
  }
}

function parseRange(text: string, start: number, end: number): IpAddress | Unreadable<AddressProblem> {
  if (end - start > 80) return MALFORMED;
  const zone = text.indexOf("%", start);
  const stop = zone < 0 || zone >= end ? end : zone;
  const ipv4 = readIpv4(text, start, stop);
  if (ipv4 >= 0) {
    if (stop !== end) return BAD_ZONE;
    return new IpAddress(4, 0, 0, 0, ipv4, text.slice(start, end));
  }
  if (!readIpv6(text, start, stop)) return MALFORMED;
  const word0 = groupPair(0);
  const word1 = groupPair(2);
  const word2 = groupPair(4);
  const word3 = groupPair(6);
  if (stop !== end && (word0 >>> 22 !== 0x3fa || !ZONE.test(text.slice(stop + 1, end)))) return BAD_ZONE;
  if (word0 === 0 && word1 === 0 && word2 === 0xffff) return new IpAddress(4, 0, 0, 0, word3, "");
  if (word0 === 0x0064ff9b && word1 === 0 && word2 === 0 && isGlobalIpv4(word3)) {
    return new IpAddress(4, 0, 0, 0, word3, "");
  }
  return new IpAddress(6, word0, word1, word2, word3, "");
}

/** Four decimal numbers without leading zeros, as an unsigned 32-bit number, or -1. */
function readIpv4(text: string, start: number, end: number): number {
  if (end - start < 7 || end - start > 15) return -1;
  let address = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return -1;
      address = address * 256 + octet;
      octet = 0;
      digits = 0;
    } else if (code >= ZERO && code <= ZERO + 9) {
      if (digits > 0 && octet === 0) return -1; // "012" is ten to some and twelve to others
      octet = octet * 10 + code - ZERO;
      if (octet > 255) return -1;
      digits++;
    } else {
      return -1;
    }
  }
  return dots === 3 && digits > 0 ? address * 256 + octet : -1;
}

/** Fills `GROUPS` and returns true, or returns false. */
function readIpv6(text: string, start: number, end: number): boolean {
  let at = start;
  let group = 0;
  let gap = -1;
  if (text.charCodeAt(at) === COLON) {
    if (text.charCodeAt(at + 1) !== COLON) return false;
    gap = 0;
    at += 2;
  }
  if (at > end) return false;
  while (at < end) {
    if (group === 8) return false;
    const first = at;
    let value = 0;
    for (; at < end; at++) {
      const digit = HEX[text.charCodeAt(at)];
      if (digit === undefined || digit > 15) break;
      value = value * 16 + digit;
    }
    if (at === first || at - first > 4) return false;
    if (at < end && text.charCodeAt(at) === DOT) {
      const ipv4 = group > 6 ? -1 : readIpv4(text, first, end);
      if (ipv4 < 0) return false;
      GROUPS[group++] = ipv4 >>> 16;
      GROUPS[group++] = ipv4;
      break;
    }
    GROUPS[group++] = value;
    if (at === end) break;
    if (text.charCodeAt(at) !== COLON || ++at === end) return false;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return false;
      gap = group;
      at++;
    }
  }
  if (gap < 0) return group === 8;
  if (group === 8) return false;
  GROUPS.copyWithin(8 - group + gap, gap, group);
  GROUPS.fill(0, gap, 8 - group + gap);
  return true;
}

function groupPair(first: number): number {
  return (((GROUPS[first] ?? 0) << 16) | (GROUPS[first + 1] ?? 0)) >>> 0;
}

function writeIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** RFC 5952 section 4: lower case, no leading zeros, the first of the longest runs of two or more zeros as "::". */
function writeIpv6(address: IpAddress): string {
  let best = 0;
  let bestLength = 1;
  for (let group = 0, run = 0; group < 8; group++) {
    run = groupOf(address, group) === 0 ? run + 1 : 0;
    if (run > bestLength) {
      bestLength = run;
      best = group - run + 1;
    }
  }
  let text = "";
  for (let group = 0; group < 8; group++) {
    if (bestLength > 1 && group === best) {
      text += "::";
      group += bestLength - 1;
    } else {
      text += `${text === "" || text.endsWith(":") ? "" : ":"}${groupOf(address, group).toString(16)}`;
    }
  }
  return text;
}

function groupOf(address: IpAddress, group: number): number {
  const half = group >> 1;
  const word = half === 0 ? address.word0 : half === 1 ? address.word1 : half === 2 ? address.word2 : address.word3;
  return (group & 1) === 0 ? word >>> 16 : word & 0xffff;
}

/** The 32-bit mask with this many leading ones, 0 .. 32. */
function mask(bits: number): number {
  return bits === 0 ? 0 : -1 << (32 - bits);
}

/** Whether an IPv4 address can be routed on the Internet; the documentation networks count as if they could. */
function isGlobalIpv4(address: number): boolean {
  const first = address >>> 24;
  if (first === 0 || first === 10 || first === 127 || first >= 224) return false;
  const second = (address >>> 16) & 255;
  if (first === 100) return second < 64 || second > 127;
  if (first === 169) return second !== 254;
  if (first === 172) return second < 16 || second > 31;
  if (first === 192) return second !== 168 && !(second === 0 && ((address >>> 8) & 255) === 0);
  return first !== 198 || (second !== 18 && second !== 19);
}

/** Whether ":port" begins at this place and is all that follows. */
function isPort(text: string, colon: number): boolean {
  const port = text.slice(colon);
  return port.length <= 33 && PORT.test(port) && (port.charCodeAt(1) === UNDERSCORE || Number(port.slice(1)) <= 65_535);
}

const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const BRACKET = 0x5b;
const UNDERSCORE = 0x5f;

const ZONE = /^[A-Za-z0-9._~-]{1,32}$/;
const PORT = /^:(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)$/;

const HEX = new Uint8Array(128).fill(255);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

// Where the address being read is put together; every read is synchronous and leaves nothing behind that matters.
const GROUPS = new Uint16Array(8);

const MALFORMED = new Unreadable<AddressProblem>("address-malformed");
const BAD_ZONE = new Unreadable<AddressProblem>("address-zone");
const BAD_PORT = new Unreadable<AddressProblem>("address-port");
