import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer, STATUS_CODES } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, DropArgument, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { defaults } from "../defaults.ts";
import { createDeadlines } from "../lib/deadlines.ts";
import type { Handled, ListenOptions, Listening, Served } from "../listen.ts";
import type { RefusalCode } from "../refusal.ts";
import { createConnectionCounts } from "./connection-counts.ts";
import { createNodeAnswer, lingerMs, writeHead } from "./node-answer.ts";
import { NodeArrival } from "./node-arrival.ts";
import { openHealth } from "./node-health.ts";
import { checkListenOptions } from "./node-options.ts";

export { developmentCertificate } from "./development-certificate.ts";
export { embeddedClaimStore } from "./embedded-claim-store.ts";
export { embeddedKeyStore } from "./embedded-key-store.ts";
export { embeddedSessionStore } from "./embedded-session-store.ts";
export { fileSink, standardOutputSink } from "./line-sinks.ts";

/**
 * Serves an API on a socket of our own, over TLS 1.3 where a certificate is given. Every answer is ours, also those to
 * what never became a request: parse errors, tunnels, upgrades, expectations, floods. No request can end the process.
 *
 * @throws StartRefused before anything listens, with every problem at once
 * @throws OptionsError when an option is out of range
 */
export async function listen(api: Served, options: ListenOptions): Promise<Listening> {
  checkListenOptions(options);
  const host = options.host ?? (options.tls === undefined ? "127.0.0.1" : "::");
  const minTls = options.minTls ?? "1.3";
  api.start({
    adapter: "node",
    tls: options.tls === undefined ? "none" : minTls,
    loopbackOnly: isLoopbackBind(host),
    unknown: [],
  });

  const scheme = options.tls === undefined ? "http" : "https";
  const headersTimeout = options.headersTimeoutMs ?? defaults.headersTimeoutMs;
  const sendTimeoutMs = options.sendTimeoutMs ?? defaults.sendTimeoutMs;
  const serverOptions = {
    // Our own reader bounds the block; Node's bound only keeps a client from sending without end.
    maxHeaderSize: defaults.headersMaxBytes * 2,
    headersTimeout,
    // The body has its own time, which a route's reading of it keeps; Node's one bound for both would cut a longer one.
    requestTimeout: 0,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000,
    insecureHTTPParser: false,
    // Node would answer a missing Host itself, without our headers; the host gate refuses it.
    requireHostHeader: false,
    noDelay: true,
  };
  const server: Server =
    options.tls === undefined
      ? createServer(serverOptions)
      : createSecureServer({
          ...serverOptions,
          ...options.tls,
          minVersion: `TLSv${minTls}`,
          ALPNProtocols: ["http/1.1"],
          handshakeTimeout: headersTimeout,
        });

  const maxConnections = options.maxConnections ?? defaults.maxConnections;
  // Beyond the number that is answered with 503, as many again are closed at once.
  server.maxConnections = maxConnections * 2;
  // A bound here would make Node answer 503 by itself, without our headers and our record (its event dropRequest).
  server.maxRequestsPerSocket = 0;
  const countConnection = createConnectionCounts({
    max: options.maxConnectionsPerAddress ?? defaults.maxConnectionsPerAddress,
    isProxy: (address) => api.isProxy(address),
  });
  let connections = 0;
  let isStopping = false;
  let arrived: Arrived[] = [];
  let inTurn = 0;
  let inLastTurn = 0;
  const lineOfSocket = new WeakMap<Duplex, Line>();
  const deadlines = createDeadlines(
    () => performance.now(),
    (delayMs, work) => void setTimeout(work, delayMs).unref(),
  );
  const sendAnswer = createNodeAnswer({ deadlines, sendTimeoutMs });

  function onRequest(req: IncomingMessage, res: ServerResponse, expects: Expects): void {
    const { socket } = req;
    // An answer whose client has gone is no error of ours.
    res.on("error", ignore);
    req.on("error", ignore);
    const line = lineOf(socket);
    const { last } = line;
    line.last = res;
    if (last === undefined) return arrive({ req, res, expects, line });
    // Sent before the last one was answered. It waits, because that answer may close the connection, and what stands
    // behind a request whose end two servers see in different places is not to be run.
    if (line.waiting === maxWaiting) {
      socket.destroy();
      return;
    }
    line.waiting++;
    last.once("close", () => {
      line.waiting--;
      if (!socket.destroyed && !socket.writableEnded) arrive({ req, res, expects, line });
    });
  }

  function lineOf(socket: Duplex): Line {
    const known = lineOfSocket.get(socket);
    if (known !== undefined) return known;
    const line: Line = { last: undefined, waiting: 0 };
    lineOfSocket.set(socket, line);
    return line;
  }

  /**
   * While several requests come in one turn of the event loop, those of the next turn are taken together, once all of
   * them have been parsed. Parsing, gates and sending then each run for all of them in a row, and the processor fetches
   * the code of each once instead of once per request: under load that is a third of what a request costs. A request
   * that comes alone is taken at once.
   */
  function arrive(one: Arrived): void {
    if (inTurn === 0) setImmediate(endTurn);
    inTurn++;
    if (inLastTurn < fewInTurn) take(one);
    else arrived.push(one);
  }

  function endTurn(): void {
    inLastTurn = inTurn;
    inTurn = 0;
    if (arrived.length === 0) return;
    const together = arrived;
    arrived = [];
    for (const one of together) {
      try {
        take(one);
      } catch {
        // It does not throw; should it ever, the others have their turn and the process lives.
        one.req.socket.destroy();
      }
    }
  }

  function take({ req, res, expects, line }: Arrived): void {
    const { socket } = req;
    if (isStopping) return sendRefusal(res, "stopping", "the process is stopping");
    if (connections > maxConnections) return sendRefusal(res, "overloaded", `${connections} connections`);
    if (expects === "unknown") return sendRefusal(res, "expectation-failed", "an expectation we do not know");
    const arrival = new NodeArrival(req, res, socket instanceof TLSSocket, expects === "continue", deadlines);
    let handled: Handled | Promise<Handled>;
    try {
      handled = api.handle(arrival);
    } catch {
      // The pipeline does not throw; should it ever, the caller learns nothing and the process lives.
      return sendRefusal(res, "internal", "the pipeline threw");
    }
    if (!(handled instanceof Promise)) return send(req, res, handled, line);
    handled.then(
      (late) => send(req, res, late, line),
      () => sendRefusal(res, "internal", "the pipeline rejected"),
    );
  }

  function send(req: IncomingMessage, res: ServerResponse, handled: Handled, line: Line): void {
    res.on("close", () => {
      if (line.last === res) line.last = undefined;
      handled.finished(!res.writableFinished);
    });
    if (res.destroyed) {
      handled.finished(true);
      return;
    }
    sendAnswer(req, res, handled, isStopping);
  }

  function sendRefusal(res: ServerResponse, code: RefusalCode, reason: string): void {
    const answer = api.refuse(code, reason, res.socket?.remoteAddress ?? "unknown", scheme);
    writeHead(res, answer, true);
    res.end(answer.body);
  }

  /** Answers on a bare socket what never became a request, and closes it. */
  function sendRaw(socket: Duplex, code: RefusalCode, reason: string): void {
    socket.on("error", ignore);
    const last = lineOfSocket.get(socket)?.last;
    if (socket.writable && last !== undefined && last.req.complete && !last.writableFinished) {
      // What cannot be read stands behind a request that can: that one gets its answer, and then it is over.
      last.once("close", () => {
        socket.end();
        setTimeout(() => socket.destroy(), lingerMs).unref();
      });
      return;
    }
    if (!socket.writable || last !== undefined) {
      socket.destroy();
      return;
    }
    const peer =
      "remoteAddress" in socket && typeof socket.remoteAddress === "string" ? socket.remoteAddress : "unknown";
    const answer = api.refuse(code, reason, peer, scheme);
    const body = Buffer.from(answer.body ?? "");
    const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}`];
    for (let i = 0; i < answer.headers.length; i += 2) lines.push(`${answer.headers[i]}: ${answer.headers[i + 1]}`);
    lines.push(`content-length: ${body.length}`, "connection: close", "", "");
    socket.end(Buffer.concat([Buffer.from(lines.join("\r\n"), "latin1"), body]));
    // A client that keeps sending must not keep the socket.
    setTimeout(() => socket.destroy(), lingerMs).unref();
  }

  server.on("request", (req, res) => onRequest(req, res, "nothing"));
  server.on("checkContinue", (req, res) => onRequest(req, res, "continue"));
  server.on("checkExpectation", (req, res) => onRequest(req, res, "unknown"));
  server.on("connect", (_req, socket) => sendRaw(socket, "method-refused", "CONNECT"));
  server.on("upgrade", (_req, socket) => sendRaw(socket, "upgrade-refused", "Upgrade"));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET") socket.destroy();
    else sendRaw(socket, clientErrorCode(error.code), error.code ?? "unreadable");
  });
  server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
  server.on("drop", (dropped?: DropArgument) =>
    api.turnedAway(dropped?.remoteAddress ?? "unknown", "the process has no room for more"),
  );
  server.on("connection", (socket: Socket) => {
    socket.on("error", ignore);
    if (!countConnection(socket)) {
      api.turnedAway(socket.remoteAddress ?? "unknown", "the address has as many as it may");
      socket.destroy();
      return;
    }
    connections++;
    socket.once("close", () => connections--);
  });

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  const { port } = addressOf(server);
  const health = options.healthPort === undefined ? undefined : await openHealthOrClose();

  /** Whoever is told that listening failed has nothing to close: the API must not go on serving. */
  async function openHealthOrClose(): Promise<Awaited<ReturnType<typeof openHealth>>> {
    try {
      return await openHealth(options, () => !isStopping);
    } catch (error) {
      server.close();
      server.closeAllConnections();
      await api.stop();
      throw error;
    }
  }

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= stop());
  async function stop(): Promise<void> {
    isStopping = true;
    for (const signal of signals) process.removeListener(signal, onSignal);
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    server.closeIdleConnections();
    const drain = setTimeout(() => server.closeAllConnections(), options.drainTimeoutMs ?? defaults.drainTimeoutMs);
    await closed;
    clearTimeout(drain);
    await health?.close();
    await api.stop();
  }
  const onSignal = (): void => void close();
  if (options.handleSignals !== false) for (const signal of signals) process.once(signal, onSignal);

  const bare = host === "::" || isLoopbackBind(host) ? "localhost" : host;
  // RFC 3986 section 3.2.2: an IPv6 address stands in brackets, or its last part would be the port.
  const name = bare.includes(":") ? `[${bare}]` : bare;
  return {
    port,
    host,
    url: `${scheme}://${name}:${port}`,
    healthPort: health?.port,
    close,
  };
}

/** The requests of one socket, made once: its last one that is not answered yet, and how many wait for one before them. */
interface Line {
  last: ServerResponse | undefined;
  waiting: number;
}

/** Requests in a turn of the event loop from which on those of the next turn are taken together. */
const fewInTurn = 3;

/** A request that has been parsed and not been looked at yet. */
interface Arrived {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly expects: Expects;
  readonly line: Line;
}

/** What a client waits for before it sends its body. @see RFC 9110 section 10.1.1 */
type Expects = "nothing" | "continue" | "unknown";

const signals = ["SIGTERM", "SIGINT"] as const;
/** Requests of one connection that may wait for answers before them; clients send one at a time. */
const maxWaiting = 8;

function clientErrorCode(code: string | undefined): RefusalCode {
  if (code === "HPE_HEADER_OVERFLOW") return "headers-too-large";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "headers-timeout";
  return "bad-message";
}

function isLoopbackBind(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return address;
}

function ignore(): void {
  // The other end has gone; the record says aborted.
}
