import type { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { defaults } from "../defaults.ts";
import type { BodyFailure } from "../exchange.ts";
import { createDeadlines, type Deadlines } from "../lib/deadlines.ts";
import type { Handled, Served } from "../listen.ts";
import type { ExpressMiddleware, Next } from "./express-shape.ts";
import { createNodeAnswer, writeHead } from "./node-answer.ts";
import { NodeArrival } from "./node-arrival.ts";

/** What nobody can see or decide from inside a server somebody else made; for the manifest. */
export const unknownToExpress = [
  "parse errors: what never became a request is answered by Node itself, without our headers and our record",
  "upgrades and tunnels",
  "expectations: Node has said 100 Continue already",
  "pipelined requests",
  "how long headers take, and how many connections there are",
  "the TLS version",
] as const;

/**
 * Hands Node's own requests to an API, wherever an Express application met them. Facts come from the socket and from
 * `originalUrl`, never from `req.ip`, `req.protocol` or `req.hostname`, which believe headers; what others have put on
 * the response is taken off again.
 */
export function createExpressGate(api: Served): ExpressMiddleware {
  const deadlines = createDeadlines(
    () => performance.now(),
    (delayMs, work) => void setTimeout(work, delayMs).unref(),
  );
  const sendAnswer = createNodeAnswer({ deadlines, sendTimeoutMs: defaults.sendTimeoutMs });

  return function portcullis(req, res, next) {
    // An answer whose client has gone is no error of ours.
    res.on("error", ignore);
    req.on("error", ignore);
    let handled: Handled | Promise<Handled>;
    try {
      handled = api.handle(new ExpressArrival(req, res, deadlines));
    } catch {
      // The pipeline does not throw; should it ever, the caller learns nothing and the process lives.
      return fail(req, res, "the pipeline threw");
    }
    if (!(handled instanceof Promise)) return conclude(req, res, handled, next);
    handled.then(
      (late) => conclude(req, res, late, next),
      () => fail(req, res, "the pipeline rejected"),
    );
  };

  function conclude(req: IncomingMessage, res: ServerResponse, handled: Handled, next: Next): void {
    res.on("close", () => handled.finished(!res.writableFinished, handled.passes ? res.statusCode : undefined));
    if (handled.passes) {
      next();
      // Gone while a gate waited: its close has been announced and will not be again.
      if (res.destroyed) handled.finished(!res.writableFinished, res.statusCode);
      return;
    }
    // Somebody in front has answered and handed the request on all the same, or the client has gone.
    if (res.destroyed || res.headersSent) {
      handled.finished(true);
      return;
    }
    reclaim(res);
    sendAnswer(req, res, handled, false);
  }

  function fail(req: IncomingMessage, res: ServerResponse, reason: string): void {
    if (res.destroyed || res.headersSent) return;
    const scheme = req.socket instanceof TLSSocket ? "https" : "http";
    const answer = api.refuse("internal", reason, req.socket.remoteAddress ?? "unknown", scheme);
    reclaim(res);
    writeHead(res, answer, true);
    res.end(answer.body);
  }
}

/** What Express's request shows of Node's. */
class ExpressArrival extends NodeArrival {
  readonly #req: IncomingMessage;

  constructor(req: IncomingMessage, res: ServerResponse, deadlines: Deadlines) {
    super(req, res, req.socket instanceof TLSSocket, false, deadlines, targetOf(req));
    this.#req = req;
  }

  override readBody(maxBytes: number, timeoutMs: number): Promise<Uint8Array | BodyFailure> {
    if (this.#req.readableDidRead) {
      return Promise.reject(
        new Error(
          "the body was read before the gates could count it: mount toExpress(api), or adopt, in front of express.json() and every other body parser",
        ),
      );
    }
    return super.readBody(maxBytes, timeoutMs);
  }
}

/** Below a mount Express shortens `url`; `originalUrl` is what was sent. */
function targetOf(req: IncomingMessage): string {
  const original: unknown = Reflect.get(req, "originalUrl");
  return typeof original === "string" ? original : (req.url ?? "");
}

/** Takes off what others have put on a response: X-Powered-By, headers, and functions around Node's own. */
function reclaim(res: ServerResponse): void {
  for (const name of patched) if (Object.hasOwn(res, name)) Reflect.deleteProperty(res, name);
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res.statusMessage = "";
}

/** What compression and session middleware wrap, so that it changes an answer on its way out. */
const patched = ["writeHead", "write", "end", "flushHeaders", "setHeader", "removeHeader", "getHeaderNames"] as const;

function ignore(): void {
  // The other end has gone; the record says aborted.
}
