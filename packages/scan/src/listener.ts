import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { isIPv6 } from "node:net";
import { hostOf } from "./address.ts";

/** A request that reached the listener: the target fetched an address that only a probe knows. */
export interface Call {
  readonly method: string;
  /** Path and query as they stood in the request. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What is answered at one path. */
export interface Page {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A server of ours on this machine, for what a target might fetch. It answers nothing but what it was given. */
export interface Listener {
  /** Where it listens, without a path: `http://127.0.0.1:49152`. */
  readonly origin: string;
  /** The same over the other family of addresses, `http://[::1]:49152`; undefined where this machine has only one. */
  readonly other: string | undefined;
  readonly port: number;
  /** Says what is answered below a path; anything else is 404. A path that was not given counts as called all the same. */
  serve(path: string, page: Page): void;
  /** Everything that was asked for below a path. */
  calls(path: string): readonly Call[];
  /** Waits until somebody asks for it, at most that long, milliseconds; what came, if anything. */
  called(path: string, waitMs: number): Promise<Call | undefined>;
  close(): Promise<void>;
}

/** Most bytes read of a call. */
const mostBytes = 64 * 1024;

/**
 * Starts a listener on the loopback address that a target on this machine can reach.
 *
 * @param target  the address of the scan; the listener uses the same family of addresses
 * @returns the listener; it does not keep the process alive
 */
export async function listen(target: URL): Promise<Listener> {
  const address = isIPv6(hostOf(target)) ? "::1" : "127.0.0.1";
  const pages = new Map<string, Page>();
  const got: Call[] = [];
  const server = createServer(take);
  function take(request: IncomingMessage, response: ServerResponse): void {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      if (body.length < mostBytes) body += chunk.toString("latin1");
    });
    request.on("error", () => {});
    const path = request.url ?? "/";
    got.push({
      method: request.method ?? "",
      target: path,
      headers: request.headers,
      get body() {
        return body;
      },
    });
    const page = pages.get(path.split("?")[0] ?? "");
    response.writeHead(page?.status ?? (page === undefined ? 404 : 200), { connection: "close", ...page?.headers });
    response.end(page?.body);
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, address, resolve);
  });
  server.unref();
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const beside = createServer(take);
  const isBeside = await new Promise<boolean>((resolve) => {
    beside.once("error", () => resolve(false));
    beside.listen({ port, host: address === "::1" ? "127.0.0.1" : "::1", ipv6Only: true }, () => resolve(true));
  });
  beside.unref();
  const calls = (path: string) => got.filter((call) => call.target.startsWith(path));
  return {
    origin: `http://${address === "::1" ? "[::1]" : address}:${port}`,
    other: isBeside ? `http://${address === "::1" ? "127.0.0.1" : "[::1]"}:${port}` : undefined,
    port,
    serve(path, page) {
      pages.set(path, page);
    },
    calls,
    async called(path, waitMs) {
      const until = performance.now() + waitMs;
      while (calls(path).length === 0 && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return calls(path)[0];
    },
    close: () =>
      new Promise((resolve) => {
        beside.close(() => server.close(() => resolve()));
        for (const one of [beside, server]) one.closeAllConnections();
      }),
  };
}
