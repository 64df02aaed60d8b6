import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { defaults } from "../defaults.ts";
import type { Answer } from "../exchange.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { Handled } from "../listen.ts";

/** What sending needs. */
interface NodeAnswerOptions {
  readonly deadlines: Deadlines;
  /** Milliseconds a client has to read an answer that does not fit into the system's buffers. */
  readonly sendTimeoutMs: number;
}

/**
 * Makes the function that writes an answer to one of Node's responses, whoever owns the server. What cannot be sent is
 * replaced by the bland 500, a body nobody reads is let run out a little before the connection closes, and a client that
 * does not read its answer loses the connection.
 *
 * @returns `closes`: whether the connection ends with this answer, whatever the answer itself says
 */
export function createNodeAnswer({ deadlines, sendTimeoutMs }: NodeAnswerOptions) {
  return function sendAnswer(req: IncomingMessage, res: ServerResponse, handled: Handled, closes: boolean): void {
    const { socket } = req;
    const answer = begin(res, handled, closes);
    const body = handled.isHead ? undefined : answer.body;
    if (!answer.close) {
      if (body === undefined) res.end();
      else res.end(body, encodingOf(body));
      boundSending(res, socket);
      return;
    }
    // The client is still sending a body nobody reads. Its answer goes out now; the connection closes after a little
    // of the rest has been read, because closing on unread bytes would reset the connection and lose the answer.
    if (body === undefined) res.flushHeaders();
    else res.write(body);
    boundSending(res, socket);
    linger(req, () => res.end());
  };

  /** A client that does not read keeps its connection no longer than it may; where the system took all, nothing waits. */
  function boundSending(res: ServerResponse, socket: Socket): void {
    if (socket.writableLength === 0) return;
    const deadline = deadlines.add(sendTimeoutMs, () => socket.destroy());
    res.once("close", () => deadlines.remove(deadline));
  }

  function linger(req: IncomingMessage, done: () => void): void {
    // Read to its end by somebody else already; nothing more will be announced.
    if (req.readableEnded || req.destroyed) return done();
    let read = 0;
    let isDone = false;
    const end = (): void => {
      if (isDone) return;
      isDone = true;
      deadlines.remove(deadline);
      req.removeListener("data", count);
      req.pause();
      done();
    };
    const count = (chunk: Buffer): void => {
      read += chunk.length;
      if (read > defaults.lingerMaxBytes) end();
    };
    const deadline = deadlines.add(lingerMs, end);
    req.on("data", count);
    req.once("end", end);
    req.once("close", end);
    req.resume();
  }
}

/** Milliseconds for which a connection that has been answered may still send. */
export const lingerMs = 1_000;

/** Writes the head of an answer; throws where it holds something no header can carry. */
export function writeHead(res: ServerResponse, answer: Answer, closes: boolean): void {
  const { body, headers } = answer;
  const length = body === undefined ? 0 : Buffer.byteLength(body);
  const hasLength = body !== undefined || answer.status !== 204;
  const framed = hasLength ? headers.concat("content-length", String(length)) : [...headers];
  if (answer.close || closes) framed.push("connection", "close");
  res.writeHead(answer.status, framed);
}

/** Writes the head of the answer, or of what goes out instead: thrown here, an error would end the process. */
function begin(res: ServerResponse, handled: Handled, closes: boolean): Answer {
  try {
    writeHead(res, handled.answer, closes);
    return handled.answer;
  } catch (error) {
    const instead = handled.unsendable(error);
    writeHead(res, instead, true);
    return instead;
  }
}

/** ASCII is the same bytes in both, and Node writes Latin-1 without looking at each character. */
function encodingOf(body: string): "latin1" | "utf8" {
  return Buffer.byteLength(body) === body.length ? "latin1" : "utf8";
}
