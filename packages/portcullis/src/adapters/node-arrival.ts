import type { IncomingMessage, ServerResponse } from "node:http";
import type { Arrival, BodyFailure, Known } from "../exchange.ts";
import type { Deadlines } from "../lib/deadlines.ts";

/** What Node's own server knows of a request: everything. */
export class NodeArrival implements Arrival {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly peer: Known<string>;
  readonly scheme: "https" | "http";
  readonly hasBody: boolean;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #expectsContinue: boolean;
  readonly #deadlines: Deadlines;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    isSecure: boolean,
    expectsContinue: boolean,
    deadlines: Deadlines,
    target = req.url ?? "",
  ) {
    this.method = req.method ?? "";
    this.target = target;
    this.headers = req.rawHeaders;
    this.peer = req.socket.remoteAddress ?? "unknown";
    this.scheme = isSecure ? "https" : "http";
    this.hasBody = announcesBody(req.rawHeaders);
    this.#req = req;
    this.#res = res;
    this.#expectsContinue = expectsContinue;
    this.#deadlines = deadlines;
  }

  readBody(maxBytes: number, timeoutMs: number): Promise<Uint8Array | BodyFailure> {
    const req = this.#req;
    // Gone before anybody asked for its body: its close has been announced and will not be again.
    if (req.destroyed) return Promise.resolve("aborted");
    // The client asked whether it may send; only now is the answer yes.
    if (this.#expectsContinue) this.#res.writeContinue();
    return new Promise((resolve) => {
      let first: Buffer | undefined;
      let chunks: Buffer[] | undefined;
      let bytes = 0;
      const onData = (chunk: Buffer): void => {
        bytes += chunk.length;
        if (bytes > maxBytes) finish("too-large");
        else if (first === undefined) first = chunk;
        else (chunks ??= [first]).push(chunk);
      };
      const onEnd = (): void => finish(chunks === undefined ? (first ?? empty) : Buffer.concat(chunks, bytes));
      const onClose = (): void => finish("aborted");
      const deadline = this.#deadlines.add(timeoutMs, () => finish("timeout"));
      const finish = (result: Uint8Array | BodyFailure): void => {
        this.#deadlines.remove(deadline);
        req.removeListener("data", onData);
        req.removeListener("end", onEnd);
        req.removeListener("close", onClose);
        if (typeof result === "string") req.pause();
        resolve(result);
      };
      req.on("data", onData);
      req.on("end", onEnd);
      req.on("close", onClose);
    });
  }

  signal(): AbortSignal {
    const res = this.#res;
    // Gone before anybody asked: its close has been announced and will not be again.
    if (res.destroyed && !res.writableFinished) return AbortSignal.abort();
    const gone = new AbortController();
    res.once("close", () => {
      if (!res.writableFinished) gone.abort();
    });
    return gone.signal;
  }
}

const empty = Buffer.alloc(0);

/** Content-Length or Transfer-Encoding, without building a map of all headers first. */
function announcesBody(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 14 && name.toLowerCase() === "content-length") return true;
    if (name.length === 17 && name.toLowerCase() === "transfer-encoding") return true;
  }
  return false;
}
