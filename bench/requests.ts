import { createHmac } from "node:crypto";
import { addressOf, callerCount, host, newProject, projectIdOf, subjectOf, tenantOf, tokenRules } from "./world.ts";

/** What is asked of a server in one stretch. */
export type Kind = "get" | "post";

/** Claims and header of a token, where it departs from the honest one. */
export interface TokenChange {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly secret?: string;
}

/** A token of the n-th caller, honest unless something is changed. */
export function makeToken(n: number, change: TokenChange = {}): string {
  const now = Math.floor(Date.now() / 1_000);
  const head = part({ alg: tokenRules.algorithm, typ: tokenRules.typ, ...change.header });
  const body = part({
    iss: tokenRules.issuer,
    aud: tokenRules.audience,
    sub: subjectOf(n),
    tid: tenantOf(n),
    scope: "projects:read projects:write",
    client_id: "bench",
    jti: `t${serial++}`,
    iat: now - 5,
    nbf: now - 5,
    exp: now + 3_000,
    ...change.claims,
  });
  const signature = createHmac("sha256", change.secret ?? tokenRules.secret)
    .update(`${head}.${body}`)
    .digest();
  return `${head}.${body}.${signature.toString("base64url")}`;
}

/** One request as it stands on the wire, from a proxy that terminates TLS in front. */
export function makeRequest(kind: Kind, n: number, credential: string): Buffer {
  const body = kind === "post" ? JSON.stringify(newProject) : "";
  return writeRequest({
    method: kind === "get" ? "GET" : "POST",
    path: kind === "get" ? `/v1/projects/${projectIdOf(n)}` : "/v1/projects",
    headers: { ...proxied(n), authorization: `Bearer ${credential}` },
    body,
  });
}

/** One request per caller, each with a token of its own. */
export function warmRequests(kind: Kind, tokens: readonly string[]): readonly Buffer[] {
  return Array.from({ length: callerCount }, (_, n) => makeRequest(kind, n, tokens[n] ?? ""));
}

/** What a proxy in front writes for the n-th caller. */
export function proxied(n: number): Readonly<Record<string, string>> {
  return { "x-forwarded-for": addressOf(n), "x-forwarded-proto": "https" };
}

/** Method, path, headers beyond Host, and body of a request. */
export interface WrittenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Writes an HTTP/1.1 request; a body is JSON and gets its length. */
export function writeRequest({ method, path, headers, body = "" }: WrittenRequest): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`];
  const all: Readonly<Record<string, string>> = {
    host,
    "user-agent": "portcullis-bench/1",
    accept: "application/json",
    ...headers,
    ...(body === "" ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
  };
  for (const [name, value] of Object.entries(all)) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

let serial = 0;

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
