import type { Outgoing } from "./outgoing.ts";

/** Names and values as they stand on the wire, one after the other: what the request says, and what HTTP itself needs. */
export function wireHeaders(url: URL, outgoing: Outgoing): string[] {
  const out = ["Host", outgoing.host ?? url.host];
  if (!outgoing.headers.some(([name]) => name === "accept")) out.push("Accept", "application/json");
  for (const [name, value] of outgoing.headers) out.push(name, value);
  if (outgoing.chunked === true) out.push("Transfer-Encoding", "chunked");
  else if (outgoing.body !== undefined) out.push("Content-Length", String(Buffer.byteLength(outgoing.body)));
  else if (outgoing.method !== "GET" && outgoing.method !== "HEAD" && outgoing.method !== "TRACE")
    out.push("Content-Length", "0");
  return out;
}
