/** A Host header's two halves; the port is "" where none was said. IPv6 keeps its brackets. */
export function splitHost(text: string): { readonly host: string; readonly port: string } {
  const bracket = text.lastIndexOf("]");
  const colon = text.indexOf(":", bracket + 1);
  return colon === -1 ? { host: text, port: "" } : { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

/**
 * Reads the list of hosts an API serves. A name without a port matches the scheme's own port; a loopback name without a
 * port matches any.
 *
 * @returns looks a Host up: the name it stands for, or undefined where it is none of them
 */
export function servedHosts(hosts: readonly string[]): (written: string) => string | undefined {
  const exact = new Map<string, string>();
  const anyPort = new Set<string>();
  for (const name of hosts) {
    const { host: bare, port } = splitHost(name.toLowerCase());
    if (port !== "") known(`${bare}:${port}`);
    else if (isLoopbackHost(bare)) anyPort.add(bare);
    else for (const implied of ["", ":443"]) known(`${bare}${implied}`);
  }

  function known(name: string): void {
    exact.set(name, name);
  }

  return function served(written) {
    const same = exact.get(written);
    if (same !== undefined) return same;
    const sent = written.toLowerCase();
    if (exact.has(sent)) return sent;
    const { host: bare, port } = splitHost(sent);
    return anyPort.has(bare) && anyPortNumber.test(port) ? sent : undefined;
  };
}

/** "localhost:3000, evil.example" is localhost with something behind it that is no port. */
const anyPortNumber = /^\d{0,5}$/;

/** Whether a host name can only mean this machine. @see RFC 6761 section 6.3 (localhost) */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
