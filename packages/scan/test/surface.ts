import { mkdtempSync, rmSync } from "node:fs";
import http, { type IncomingMessage, type RequestListener } from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { developmentCertificate } from "portcullis/node";
import type { ScanOptions, ScanResult, Verdict } from "../src/scan.ts";
import { type Reactions, scanThings, startThings } from "./things.ts";

/** What is told of a little API's surface: headers of every answer, and how it is reached. */
export interface Surface extends Partial<Reactions> {
  /** Headers of every answer, by the request. */
  readonly headers?: (request: IncomingMessage) => Readonly<Record<string, string>>;
  /** Over https with a certificate of its own; `either` also answers plain http on the same port. */
  readonly tls?: "only" | "either" | ((plain: RequestListener) => RequestListener);
}

const closing: (() => Promise<void> | void)[] = [];

/** To be called after each test. */
export async function closeSurfaces(): Promise<void> {
  for (const close of closing.splice(0)) await close();
}

/** Scans things whose surface is as told, for these protections. */
export async function scanSurface(
  { headers, tls, ...reactions }: Surface,
  only: readonly string[],
  more: Partial<ScanOptions> = {},
): Promise<ScanResult> {
  const { url, server, close } = await startThings(reactions);
  closing.push(close);
  if (headers !== undefined) {
    server.prependListener("request", (request: IncomingMessage, response) => {
      for (const [name, value] of Object.entries(headers(request))) response.setHeader(name, value);
    });
  }
  if (tls === undefined) return await scanThings(url, only, more);
  const api: RequestListener = (request, response) => void server.emit("request", request, response);
  const { ca, port } = await startSecure(api, tls);
  return await scanThings(`https://localhost:${port}`, only, { ca, ...more });
}

/** What is broken, one line each. */
export function brokenIn(result: ScanResult): readonly string[] {
  return result.verdicts.flatMap(({ verdict, protection, check, why }) =>
    verdict === "broken" ? [`${protection}/${check}: ${why}`] : [],
  );
}

/** The verdict on one question. */
export function verdictOn(result: ScanResult, check: string): Verdict | undefined {
  return result.verdicts.find((verdict) => verdict.check === check);
}

async function startSecure(api: RequestListener, tls: Surface["tls"]): Promise<{ ca: string; port: number }> {
  const folder = mkdtempSync(join(tmpdir(), "surface-"));
  const { cert, key, ca } = developmentCertificate({ folder: join(folder, "certificate") });
  rmSync(folder, { recursive: true });
  const secure = https.createServer({ cert, key, ALPNProtocols: ["http/1.1"] }, api);
  secure.on("tlsClientError", (_error, socket) => socket.destroy());
  const plain = tls === "only" || tls === undefined ? undefined : http.createServer(tls === "either" ? api : tls(api));
  const front = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (first) => {
      socket.pause();
      socket.unshift(first);
      // A TLS record of a handshake begins with 22.
      const isTls = first[0] === 22;
      if (isTls) secure.emit("connection", socket);
      else if (plain === undefined) socket.destroy();
      else plain.emit("connection", socket);
      if (!isTls) process.nextTick(() => socket.resume());
    });
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    front.close();
    secure.closeAllConnections();
    plain?.closeAllConnections();
  });
  const address = front.address();
  return { ca, port: typeof address === "object" && address !== null ? address.port : 0 };
}
