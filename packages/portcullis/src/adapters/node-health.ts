import { createServer } from "node:http";
import type { ListenOptions } from "../listen.ts";

/** Health answers on a port of their own, so that nothing of it is reachable where the API is. */
export interface Health {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `/live`: 200 while the process runs; `/ready`: 200 while it takes requests, 503 while it stops. Bound to loopback
 * unless `healthHost` says otherwise.
 */
export async function openHealth(options: ListenOptions, isReady: () => boolean): Promise<Health> {
  const server = createServer({ maxHeaderSize: 8_192, headersTimeout: 5_000 }, (req, res) => {
    const status =
      req.method !== "GET" ? 405 : req.url === "/live" ? 200 : req.url === "/ready" ? (isReady() ? 200 : 503) : 404;
    res.writeHead(status, { "content-type": "text/plain", "cache-control": "no-store", connection: "close" });
    res.end(status === 200 ? "ok\n" : "no\n");
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.healthPort, options.healthHost ?? "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
