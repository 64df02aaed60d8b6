import type { IncomingMessage } from "node:http";
import { isRecord, recordAt } from "../../src/json.ts";
import { manifest, origin } from "./manifest.ts";
import { Refused } from "./refused.ts";

const single = ["host", "authorization", "cookie", "content-type", "content-length", "x-api-key", "origin"];

/** One strict reading of the target and the headers, and a host that is ours. */
export function checkArrival(request: IncomingMessage, has: ReadonlySet<string>): void {
  const target = request.url ?? "";
  const names = request.rawHeaders.filter((_value, index) => index % 2 === 0).map((name) => name.toLowerCase());
  for (const name of single) {
    if (name === "host" && has.has("canonical-request: two Host headers")) continue;
    if (names.filter((other) => other === name).length > 1) throw new Refused(400);
  }
  const sloppy = has.has("canonical-request: sloppy targets");
  if (!sloppy && !/^\/[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*(?:\?[A-Za-z0-9._~%+=&-]*)?$/.test(target))
    throw new Refused(400);
  if (!sloppy && /\/\.{1,2}(?:\/|$)/.test(target)) throw new Refused(400);
  const query = [...new URLSearchParams(target.split("?")[1] ?? "").keys()];
  if (new Set(query).size < query.length) throw new Refused(400);
  checkHost(request, has);
  if (request.method === "TRACE") throw new Refused(501);
  const urlCredentials = ["token", "access_token", "api_key", "apikey", "key", "jwt", "auth"];
  const open = has.has("exposure: token in the URL") || has.has("api-keys: taken from the URL");
  if (!open && query.some((name) => urlCredentials.includes(name))) throw new Refused(400);
}

function checkHost(request: IncomingMessage, has: ReadonlySet<string>): void {
  const host = request.headers.host ?? "";
  if (has.has("host: any")) return;
  if (has.has("transport: any name over plain http") && host === "api.example.com") return;
  if (!/^127\.0\.0\.1(?::\d{1,5})?$/.test(host)) throw new Refused(421);
}

/** CORS headers of every answer. */
export function corsHeaders(request: IncomingMessage, has: ReadonlySet<string>): Readonly<Record<string, string>> {
  const sent = request.headers.origin;
  const vary: Readonly<Record<string, string>> = has.has("cors: no Vary") ? {} : { vary: "origin" };
  const allowed =
    sent === origin ||
    (has.has("cors: reflects") && sent !== undefined) ||
    (has.has("cors: suffix match") && sent?.endsWith(new URL(origin).host) === true);
  if (!allowed || sent === undefined) return vary;
  const preflight =
    request.method === "OPTIONS" ? { "access-control-allow-methods": methodsAt(request.url ?? "") } : {};
  return { ...vary, ...preflight, "access-control-allow-origin": sent, "access-control-allow-credentials": "true" };
}

/** The methods of a path, as promised. */
function methodsAt(path: string): string {
  const item = Object.entries(recordAt(manifest, "paths") ?? {}).find(([template]) =>
    new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(path),
  )?.[1];
  const methods = isRecord(item) ? Object.keys(item).filter((name) => name !== "parameters") : [];
  return methods.map((name) => name.toUpperCase()).join(", ");
}

/** A cookie, and signing in, only count from our own pages (Fetch Metadata, then Origin). */
export function checkCrossSite(request: IncomingMessage, has: ReadonlySet<string>): void {
  if (request.method === "GET" || has.has("csrf: no check")) return;
  if (has.has("csrf: only JSON is checked") && request.headers["content-type"] !== "application/json") return;
  const sent = request.headers.origin;
  const own = sent === origin || sent === `http://${request.headers.host}`;
  const site = request.headers["sec-fetch-site"];
  if (site === undefined ? sent !== undefined && !own : site !== "same-origin" && site !== "none" && sent !== origin)
    throw new Refused(403);
}
