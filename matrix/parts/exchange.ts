import type { IncomingMessage } from "node:http";

/** A request before its body, as every framework here can tell it. */
export interface Incoming {
  /** Upper case. */
  readonly method: string;
  /** As sent. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly address: string;
}

/** What is answered; `text` is sent as it stands, `body` as JSON. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: unknown;
  readonly text?: string;
}

/** Reads what came in from Node's own request, which stands below all three frameworks. */
export function incomingOf(req: IncomingMessage): Incoming {
  const target = req.url ?? "/";
  const cut = target.indexOf("?");
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(req.headers))
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return {
    method: req.method ?? "GET",
    target,
    path: cut < 0 ? target : target.slice(0, cut),
    query: new URLSearchParams(cut < 0 ? "" : target.slice(cut + 1)),
    headers,
    rawHeaders: req.rawHeaders,
    address: req.socket.remoteAddress ?? "unknown",
  };
}

/** A refusal, in the one shape all have (RFC 9457). */
export function problem(status: number, headers: Reply["headers"] = {}, title = titles[status] ?? "Refused"): Reply {
  return { status, headers: { ...headers, "content-type": "application/problem+json" }, body: { title, status } };
}

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
};
