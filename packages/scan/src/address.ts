/** The host to connect to; brackets of an IPv6 address belong to the URL, not to the socket. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** The port to connect to. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

/** True where a host name can only mean this machine (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3). */
export function isLoopbackName(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || name.endsWith(".localhost") || /^127\.\d+\.\d+\.\d+$/.test(name);
}

/**
 * Where to connect for a host: names below `localhost` are this machine's by definition, but resolvers ask others for them,
 * and what was scanned as this machine would be somebody else's (RFC 6761 section 6.3).
 *
 * @returns the name itself for every other host; `localhost` is left to the system, which knows both of its addresses
 */
export function addressFor(host: string): string {
  return host.toLowerCase().endsWith(".localhost") ? "localhost" : host;
}

/** The name a certificate has to be for, where it is not the host that is connected to. */
export function nameOf(url: URL): { readonly servername?: string } {
  const host = hostOf(url);
  return url.protocol === "https:" && addressFor(host) !== host ? { servername: host } : {};
}
