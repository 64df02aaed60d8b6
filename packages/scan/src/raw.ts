import net from "node:net";
import tls from "node:tls";
import { addressFor, hostOf, portOf } from "./address.ts";
import { type Answer, answerOf } from "./answer.ts";

/** Bytes to write to a connection of their own. */
export interface Wire {
  readonly url: URL;
  readonly ca?: string;
  /** Written in order; a generator may go on for ever or take its time, writing stops when the peer answers or closes. */
  readonly parts: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
  /** Speak without TLS even though the URL is https; default false. */
  readonly plain?: boolean;
  /** Longest wait for an answer after the last byte; default 3,000. */
  readonly timeoutMs?: number;
  /** How long to wait for another answer on the same connection; default 60. */
  readonly lingerMs?: number;
}

/** What happened on the connection. */
export interface Conversation {
  /** Every complete answer, in order. */
  readonly answers: readonly Answer[];
  /** True where the peer closed the connection. */
  readonly closed: boolean;
  /** Bytes written before the first answer or the close. */
  readonly written: number;
  /** Why no connection was made, where none was. */
  readonly failure: string | undefined;
}

/** An answer is read no further than this, bytes; what was read by then is the answer. */
const mostBytes = 1024 * 1024;

/** So long after the first answer others are waited for, milliseconds, even where they keep coming. */
const mostAnsweringMs = 2000;

/** A request as bytes, exactly as given: nothing is added, checked or escaped. Header lines may be anything. */
export function wireText(line: string, headers: readonly string[], body = ""): string {
  return [line, ...headers, "", body].join("\r\n");
}

/** Opens a connection, writes the parts and reads answers until the peer closes, goes quiet or time runs out. */
export function converse(wire: Wire): Promise<Conversation> {
  return new Promise((resolve) => {
    const started = performance.now();
    const socket = open(wire);
    let received = Buffer.alloc(0);
    let answers: readonly Answer[] = [];
    let written = 0;
    let closed = false;
    let settled = false;
    let proceed = (): void => {};
    let answeredAt: number | undefined;
    let timer = setTimeout(() => finish("no answer in time"), (wire.timeoutMs ?? 3000) + 2000);

    function finish(failure?: string): void {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      proceed();
      resolve({ answers, closed, written, failure: answers.length > 0 ? undefined : failure });
    }

    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length > mostBytes) {
        answers = answersIn(received, true, performance.now() - started);
        return finish("its answer does not end");
      }
      answers = answersIn(received, closed, performance.now() - started);
      if (answers.length === 0) return;
      proceed();
      clearTimeout(timer);
      answeredAt ??= performance.now();
      // Who sends one answer after the other has said enough.
      if (performance.now() - answeredAt > mostAnsweringMs) return finish();
      timer = setTimeout(finish, wire.lingerMs ?? 60);
    });
    socket.on("drain", () => proceed());
    socket.on("close", () => {
      closed = true;
      answers = answersIn(received, true, performance.now() - started);
      finish("the connection was closed");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      closed = true;
      // A reset may overtake an answer that is already here.
      answers = answersIn(received, true, performance.now() - started);
      finish(error.code ?? error.message);
    });
    socket.once(wire.url.protocol === "https:" && wire.plain !== true ? "secureConnect" : "connect", () => {
      void write();
    });

    async function write(): Promise<void> {
      for await (const part of wire.parts) {
        if (settled || closed || answers.length > 0) return;
        const more = socket.write(part);
        written += typeof part === "string" ? Buffer.byteLength(part) : part.length;
        if (!more) {
          // The listeners below end a wait that would otherwise never end, such as when the peer closes.
          await new Promise<void>((done) => {
            proceed = done;
          });
        } else if (written > 64 * 1024) {
          // Lets an early answer be seen before more is written.
          await new Promise((done) => setImmediate(done));
        }
      }
      if (settled || answers.length > 0) return;
      clearTimeout(timer);
      timer = setTimeout(() => finish("no answer in time"), wire.timeoutMs ?? 3000);
    }
  });
}

function open(wire: Wire): net.Socket {
  const host = hostOf(wire.url);
  const secure = wire.url.protocol === "https:";
  const port = portOf(wire.url);
  if (!secure || wire.plain === true) return net.connect({ host: addressFor(host), port });
  return tls.connect({
    host: addressFor(host),
    port,
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(wire.ca === undefined ? {} : { ca: wire.ca }),
    ALPNProtocols: ["http/1.1"],
  });
}

/** Every complete HTTP/1.1 answer in the bytes (RFC 9112 section 6.3 for where a body ends). */
function answersIn(bytes: Buffer, closed: boolean, ms: number): readonly Answer[] {
  const out: Answer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf("\r\n\r\n", at);
    if (end < 0) break;
    const lines = bytes.toString("latin1", at, end).split("\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(lines[0] ?? "")?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) break;
    const rawHeaders = lines.slice(1).flatMap((line) => {
      const colon = line.indexOf(":");
      return colon < 1 ? [] : [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    const body = bodyAfter(bytes, end + 4, status, rawHeaders, closed);
    if (body === undefined) break;
    at = body.end;
    if (status >= 200) out.push(answerOf({ status, rawHeaders, body: body.bytes, ms }));
  }
  return out;
}

function bodyAfter(
  bytes: Buffer,
  start: number,
  status: number,
  rawHeaders: readonly string[],
  closed: boolean,
): { bytes: Buffer; end: number } | undefined {
  const header = (name: string) => {
    const at = rawHeaders.findIndex((field, index) => index % 2 === 0 && field.toLowerCase() === name);
    return at < 0 ? undefined : rawHeaders[at + 1];
  };
  if (status < 200 || status === 204 || status === 304) return { bytes: Buffer.alloc(0), end: start };
  if (header("transfer-encoding")?.toLowerCase() === "chunked")
    return chunkedBody(bytes, start, bytes.length > mostBytes);
  const length = header("content-length") ?? "";
  // What is no length says nothing: read as a number, it could lead back to where the answer begins.
  if (/^\d{1,15}$/.test(length)) {
    const end = start + Number(length);
    if (end > bytes.length && !closed) return undefined;
    return { bytes: bytes.subarray(start, end), end: Math.min(end, bytes.length) };
  }
  return closed ? { bytes: bytes.subarray(start), end: bytes.length } : undefined;
}

function chunkedBody(bytes: Buffer, start: number, cut: boolean): { bytes: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  const incomplete = () => (cut ? { bytes: Buffer.concat(chunks), end: bytes.length } : undefined);
  let at = start;
  for (;;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return incomplete();
    const [digits] = /^[\da-f]{1,8}/i.exec(bytes.toString("latin1", at, Math.min(line, at + 8))) ?? [];
    const size = Number.parseInt(digits ?? "", 16);
    if (Number.isNaN(size) || line + 2 + size + 2 > bytes.length) return incomplete();
    if (size === 0) return { bytes: Buffer.concat(chunks), end: line + 4 };
    chunks.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
