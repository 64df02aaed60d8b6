/** A Host header's two halves; the port is "" where none was said. IPv6 keeps its brackets. */
export function splitHost(text: string): { readonly host: string; readonly port: string } {
  const bracket = text.lastIndexOf("]");
  const colon = text.indexOf(":", bracket + 1);
  return colon === -1 ? { host: text, port: "" } : { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

/** Whether a host name can only mean this machine. @see RFC 6761 section 6.3 (localhost) */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
