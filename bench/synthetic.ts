import type { Arrival } from "../packages/portcullis/src/exchange.ts";
import { makeToken, proxied, type Kind } from "./requests.ts";
import { callerCount, host, newProject, projectIdOf } from "./world.ts";

/** Requests without sockets: what the node adapter would hand over, with texts as fresh as a parser makes them. */
export interface Synthetic {
  /** The n-th caller's request, made anew each time. */
  arrival(n: number): Arrival;
}

/** Prepares the requests of all callers for one kind. */
export function synthesise(kind: Kind): Synthetic {
  const body = Buffer.from(JSON.stringify(newProject));
  const written = Array.from({ length: callerCount }, (_, n) => writtenHeaders(kind, n, body.length));
  const targets = written.map((_, n) =>
    Buffer.from(kind === "get" ? `/v1/projects/${projectIdOf(n)}` : "/v1/projects"),
  );
  return {
    arrival(n) {
      const texts: string[] = [];
      for (const bytes of written[n] ?? []) texts.push(bytes.toString("latin1"));
      return {
        method: kind === "get" ? "GET" : "POST",
        target: targets[n]?.toString("latin1") ?? "",
        headers: texts,
        peer: "127.0.0.1",
        scheme: "http",
        hasBody: kind === "post",
        readBody: () => Promise.resolve(body),
        signal: () => new AbortController().signal,
      };
    },
  };
}

function writtenHeaders(kind: Kind, n: number, length: number): readonly Buffer[] {
  const headers: Readonly<Record<string, string>> = {
    host,
    "user-agent": "portcullis-bench/1",
    accept: "application/json",
    ...proxied(n),
    authorization: `Bearer ${makeToken(n)}`,
    ...(kind === "post" ? { "content-type": "application/json", "content-length": String(length) } : {}),
  };
  return Object.entries(headers).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
}
