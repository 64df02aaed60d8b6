import { IpAddress, parseAddress, parseNode } from "./address.ts";
import type { CidrSet, Mistake } from "./cidr.ts";
import { cidrProblems, cidrSet } from "./cidr.ts";
import type { HeaderBlock } from "./header-block.ts";
import { OptionsError } from "./options-error.ts";
import { isPlatform, platforms, type PlatformName } from "./platforms.ts";
import { isToken } from "./token.ts";
import { Unreadable } from "./unreadable.ts";

/** Who stands in front of the API, as its owner declares it. */
export interface TopologyOptions {
  /** Networks of the proxies, such as "10.0.0.0/8": every hop we own, and nobody else. */
  readonly trusted: readonly string[];
  /**
   * The one header the client's address is read from: "x-forwarded-for", "forwarded" (RFC 7239), or a header that holds
   * one address, such as "cf-connecting-ip", "fly-client-ip", "true-client-ip" or "x-real-ip". Lower case.
   */
  readonly header: string;
  /**
   * Whether the host the client asked for is read from the proxy too: X-Forwarded-Host, or `host=` in Forwarded.
   * Default false: proxies should pass Host on.
   */
  readonly forwardedHost?: boolean;
  /** Why every request comes through the proxy although no socket can be seen; a peer nobody knows then is the proxy. */
  readonly dangerouslyAssumeProxy?: string;
}

/** A prepared topology; made by `topology`. */
export interface Topology {
  /** The header the address is read from, or undefined when the socket's address is the client's. */
  readonly header: string | undefined;
  readonly forwardedHost: boolean;
  /** Reads a socket's peer; the same few proxies connect all the time, so answers are kept (at most 1,024). */
  readonly peer: (text: string) => Peer;
  /** What a peer is that the adapter cannot know: nobody, unless a proxy is assumed. */
  readonly unknownPeer: Peer;
  readonly trusted: CidrSet;
}

/** The other end of a socket. */
export interface Peer {
  readonly address: ClientAddressValue | "unknown";
  /** Whether it is one of the proxies, so that its forwarded headers count. */
  readonly trusted: boolean;
}

/**
 * An address that `topology` or `resolveClient` established. Text cannot become one, and neither can an address somebody
 * merely parsed: whatever is counted or trusted per client asks for this type.
 */
class ClientAddressValue extends IpAddress {
  /** Makes the type one of its own; nothing exists at run time. */
  declare private readonly established: never;
}

export type { ClientAddressValue as ClientAddress };

/** The client as far as it is known. */
export interface ResolvedClient {
  /** "unknown" where no address could be established. It is no wildcard: what needs an address refuses. */
  readonly address: ClientAddressValue | "unknown";
  /**
   * How the client reached the outermost trusted proxy, as that proxy says it. "unknown" when nobody trusted said so;
   * what our own socket shows is a fact of the adapter and not repeated here.
   */
  readonly scheme: "https" | "http" | "unknown";
  /** The host a trusted proxy was asked for; only with `forwardedHost`, unread and to be compared with known hosts. */
  readonly host: string | undefined;
  /** Whether the address is the socket's or was told by a proxy. */
  readonly how: "socket" | "forwarded";
  /** Whether the socket's peer is a trusted proxy, whatever it said. */
  readonly viaProxy: boolean;
  /**
   * True when somebody who is not trusted sent forwarded headers: a client that tries, or a proxy missing from the
   * configuration. They were not used.
   */
  readonly ignoredForwarded: boolean;
}

/**
 * Establishes who the client is: from the socket, and from one forwarded header where the socket's peer is trusted.
 *
 * Hops are read from right to left, because each proxy writes at the end and everything before the first hop we do not
 * own was written by the client. The first hop that is not trusted is the client. If every hop is trusted, the leftmost
 * is: a caller inside our own network. A trusted peer that sends no such header is its own client, as a health check is.
 * Where the entry that would name the client cannot be read, or is `unknown` or obfuscated, the address is "unknown" and
 * not the last good hop: that hop is a proxy, and counting its users as one would let any of them lock the others out.
 *
 * X-Forwarded-Proto and X-Forwarded-Host must hold exactly one value; a list leaves them unknown. With `forwarded` both
 * come from the element that names the client, which the outermost trusted proxy wrote.
 *
 * @param peer  the socket's other end as text, or "unknown" where the adapter cannot know it: then nothing is believed
 */
export function resolveClient(peer: string, headers: HeaderBlock, topology: Topology): ResolvedClient {
  const socket = peer === "unknown" ? topology.unknownPeer : topology.peer(peer);
  const name = topology.header;
  if (name === undefined || !socket.trusted) {
    const ignoredForwarded = sendsForwarded(headers, name);
    return client(socket, socket.address, "unknown", undefined, "socket", ignoredForwarded);
  }

  const value = headers[name];
  if (name === "forwarded") return fromForwarded(value, socket, topology);
  const scheme = readScheme(headers["x-forwarded-proto"]);
  const host = topology.forwardedHost ? readHost(headers["x-forwarded-host"]) : undefined;
  if (value === undefined) return client(socket, socket.address, scheme, host, "socket");
  const address = name === "x-forwarded-for" ? walkAddresses(value, topology.trusted) : readNode(value);
  return client(socket, establish(address), scheme, host, "forwarded");
}

function client(
  socket: Peer,
  address: ClientAddressValue | "unknown",
  scheme: ResolvedClient["scheme"],
  host: string | undefined,
  how: ResolvedClient["how"],
  ignoredForwarded = false,
): ResolvedClient {
  return { address, scheme, host, how, viaProxy: socket.trusted, ignoredForwarded };
}

/** The one place where an address becomes a client's. */
function establish(address: IpAddress): ClientAddressValue;
function establish(address: IpAddress | "unknown"): ClientAddressValue | "unknown";
function establish(address: IpAddress | "unknown"): ClientAddressValue | "unknown" {
  if (address === "unknown") return address;
  const { family, word0, word1, word2, word3 } = address;
  return new ClientAddressValue(family, word0, word1, word2, word3, family === 4 ? address.text : "");
}

/**
 * Prepares a topology; do this once, when the API starts.
 *
 * @param options  "none" when clients connect to us directly; a platform's name where its front stands before us, so that
 *   whoever connects is that front
 * @throws OptionsError with the first of `topologyProblems`, if there is one
 */
export function topology(options: TopologyOptions | PlatformName | "none"): Topology {
  if (options === "none") {
    const peer = peerReader(NOBODY);
    return { header: undefined, forwardedHost: false, peer, unknownPeer: UNKNOWN_PEER, trusted: NOBODY };
  }
  if (isPlatform(options)) {
    const { header } = platforms[options];
    const peer = peerReader(NOBODY, true);
    return { header, forwardedHost: false, peer, unknownPeer: ASSUMED_PROXY, trusted: NOBODY };
  }
  const [mistake] = topologyProblems(options);
  if (mistake !== undefined) throw new OptionsError(mistake.problem, mistake.fix);
  const trusted = cidrSet(options.trusted);
  return {
    header: options.header,
    forwardedHost: options.forwardedHost ?? false,
    peer: peerReader(trusted),
    unknownPeer: options.dangerouslyAssumeProxy === undefined ? UNKNOWN_PEER : ASSUMED_PROXY,
    trusted,
  };
}

/** What is wrong with a topology and in which field; [] when nothing is. */
export function topologyProblems(options: TopologyOptions): readonly (Mistake & { readonly field: string })[] {
  const problems = cidrProblems(options.trusted).map((mistake) => ({ field: "trusted", ...mistake }));
  if (options.trusted.length === 0) {
    problems.push({ field: "trusted", problem: "No proxy is named.", fix: "Name its networks, or leave it out." });
  }
  const { header } = options;
  const fix = 'Name the header your proxy writes the address to, such as "x-forwarded-for".';
  if (!isToken(header) || header !== header.toLowerCase()) {
    problems.push({ field: "header", problem: `"${header}" is not a header name in lower case.`, fix });
  } else if (NO_ADDRESS.has(header)) {
    problems.push({ field: "header", problem: `"${header}" does not hold the client's address alone.`, fix });
  }
  return problems;
}

/** @param everybody  whether whoever connects is the platform's front, whatever its address */
function peerReader(trusted: CidrSet, everybody = false): (text: string) => Peer {
  const known = new Map<string, Peer>();
  return function readPeer(text) {
    const before = known.get(text);
    if (before !== undefined) return before;
    const address = parseAddress(text);
    const peer =
      address instanceof Unreadable
        ? UNKNOWN_PEER
        : Object.freeze({ address: establish(address), trusted: everybody || trusted.contains(address) });
    // Clearing all at once is enough: without proxies there is one look-up per connection's request, not a hot set.
    if (known.size >= 1_024) known.clear();
    known.set(text, peer);
    return peer;
  };
}

/** The rightmost address that is not trusted, else the leftmost. */
function walkAddresses(list: string, trusted: CidrSet): IpAddress | "unknown" {
  let end = list.length;
  for (;;) {
    const comma = list.lastIndexOf(",", end - 1);
    const address = readNode(list.slice(comma + 1, end));
    if (address === "unknown" || comma < 0 || !trusted.contains(address)) return address;
    if (comma === 0) return "unknown"; // an empty leftmost entry
    end = comma;
  }
}

function fromForwarded(value: string | undefined, socket: Peer, topology: Topology): ResolvedClient {
  if (value === undefined) return client(socket, socket.address, "unknown", undefined, "socket");
  let end = value.length;
  for (;;) {
    const comma = lastComma(value, end);
    const element = comma === end ? undefined : readElement(value, comma + 1, end);
    const address = element?.for === undefined ? "unknown" : readNode(element.for);
    if (address === "unknown" || comma < 0 || !topology.trusted.contains(address)) {
      const host = topology.forwardedHost ? readHost(element?.host) : undefined;
      return client(socket, establish(address), readScheme(element?.proto), host, "forwarded");
    }
    if (comma === 0) return client(socket, "unknown", "unknown", undefined, "forwarded");
    end = comma;
  }
}

/**
 * The last comma before `end` outside of quotes, -1 when there is none, `end` when the quotes do not close.
 *
 * Read from the right, quotes that a client left open further left cannot reach what our own proxies wrote.
 */
function lastComma(value: string, end: number): number {
  for (let at = end - 1; at >= 0; at--) {
    const code = value.charCodeAt(at);
    if (code === COMMA) return at;
    if (code === QUOTE) {
      at = at === 0 ? -1 : value.lastIndexOf('"', at - 1);
      if (at < 0) return end;
    }
  }
  return -1;
}

interface ForwardedElement {
  for?: string;
  proto?: string;
  host?: string;
}

/** Reads `name=value;name="value"`, or returns undefined when it is anything else. */
function readElement(value: string, start: number, end: number): ForwardedElement | undefined {
  if (end - start > 512) return undefined; // no honest element is near it; keeps the search for repeats short
  const element: ForwardedElement = {};
  let seen = "";
  let at = start;
  let stop = end;
  while (value.charCodeAt(at) === SPACE && at < stop) at++;
  while (stop > at && value.charCodeAt(stop - 1) === SPACE) stop--;
  while (at < stop) {
    const equals = value.indexOf("=", at);
    if (equals < 0 || equals >= stop) return undefined;
    const written = value.slice(at, equals);
    const name = written.toLowerCase();
    if (!isToken(written) || seen.includes(`;${name};`)) return undefined;
    seen += `;${name};`;

    let content: string;
    if (value.charCodeAt(equals + 1) === QUOTE) {
      const close = value.indexOf('"', equals + 2);
      if (close < 0 || close >= stop) return undefined;
      content = value.slice(equals + 2, close);
      if (!QUOTABLE.test(content)) return undefined; // no node, host or scheme needs a backslash
      at = close + 1;
    } else {
      const semicolon = value.indexOf(";", equals);
      at = semicolon < 0 || semicolon > stop ? stop : semicolon;
      content = value.slice(equals + 1, at);
      if (!isToken(content)) return undefined;
    }
    if (name === "for") element.for = content;
    else if (name === "proto") element.proto = content;
    else if (name === "host") element.host = content;

    if (at === stop) return element;
    if (value.charCodeAt(at) !== SEMICOLON || ++at === stop) return undefined;
    while (value.charCodeAt(at) === SPACE) at++;
  }
  return undefined;
}

function readNode(text: string): IpAddress | "unknown" {
  let start = 0;
  let end = text.length;
  while (text.charCodeAt(start) === SPACE) start++;
  while (end > start && text.charCodeAt(end - 1) === SPACE) end--;
  const address = parseNode(end - start === text.length ? text : text.slice(start, end));
  return address instanceof Unreadable ? "unknown" : address;
}

function readScheme(text: string | undefined): "https" | "http" | "unknown" {
  if (text === "https" || text === "http") return text;
  const lower = text?.toLowerCase(); // schemes have no case (RFC 3986 section 3.1)
  return lower === "https" || lower === "http" ? lower : "unknown";
}

function readHost(text: string | undefined): string | undefined {
  return text === undefined || text === "" || text.includes(",") ? undefined : text;
}

function sendsForwarded(headers: HeaderBlock, configured: string | undefined): boolean {
  return (
    headers["x-forwarded-for"] !== undefined ||
    headers["forwarded"] !== undefined ||
    headers["x-forwarded-proto"] !== undefined ||
    headers["x-forwarded-host"] !== undefined ||
    headers["x-real-ip"] !== undefined ||
    (configured !== undefined && headers[configured] !== undefined)
  );
}

const NOBODY: CidrSet = cidrSet([]);
const UNKNOWN_PEER: Peer = Object.freeze({ address: "unknown", trusted: false });
const ASSUMED_PROXY: Peer = Object.freeze({ address: "unknown", trusted: true });

/** Headers of the same families that hold something else, or an address no reader can tell from its port. */
const NO_ADDRESS: ReadonlySet<string> = new Set([
  "authorization",
  "cloudfront-viewer-address",
  "cookie",
  "host",
  "origin",
  "via",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-proto",
  "x-forwarded-scheme",
  "x-forwarded-ssl",
]);

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const QUOTABLE = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/;
