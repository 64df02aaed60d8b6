import { once } from "node:events";
import { createServer as createPlain, type RequestListener } from "node:http";
import { createServer as createSecure } from "node:https";
import { type AddressInfo, createServer as createNet, type Server } from "node:net";
import type { Switch } from "../mutants.ts";
import { certificate } from "./certificate.ts";

/** A running server: loopback, TLS 1.3, any free port. */
export interface Serving {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves a framework's listener on this machine alone. */
export async function serve(listener: RequestListener, mutant: Switch): Promise<Serving> {
  const { cert, key } = certificate();
  const secure = createSecure(
    { cert, key, minVersion: "TLSv1.3", ALPNProtocols: ["http/1.1"], requestTimeout: 30_000 },
    listener,
  );
  secure.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end(unreadable);
  });
  secure.on("tlsClientError", (_error, socket) => socket.destroy());
  if (!mutant("plain-http")) return await listening(secure, () => secure.closeAllConnections());
  const plain = createPlain(listener);
  const either = createNet((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (first) => {
      socket.pause();
      socket.unshift(first);
      // A TLS record of a handshake begins with 22; TLS reads what was put back by itself.
      const isTls = first[0] === 22;
      (isTls ? secure : plain).emit("connection", socket);
      if (!isTls) process.nextTick(() => socket.resume());
    });
  });
  return await listening(either, () => {
    secure.closeAllConnections();
    plain.closeAllConnections();
  });
}

/** What is sent where no request could be read. */
const unreadable = [
  "HTTP/1.1 400 Bad Request",
  "content-type: application/problem+json",
  "cache-control: no-store",
  "content-security-policy: default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy: same-origin",
  "referrer-policy: no-referrer",
  "strict-transport-security: max-age=31536000; includeSubDomains",
  "vary: Origin",
  "x-content-type-options: nosniff",
  "x-frame-options: DENY",
  "connection: close",
  "content-length: 36",
  "",
  '{"title":"Bad Request","status":400}',
].join("\r\n");

async function listening(server: Server, closeAll: () => void): Promise<Serving> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = addressOf(server.address());
  return {
    port,
    async close() {
      server.close();
      closeAll();
      if (server.listening) await once(server, "close");
    },
  };
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address;
}
