import { connect } from "node:net";

/** What came back over a bare socket. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Bytes the server took before it stopped reading. */
  readonly sent: number;
}

/**
 * Sends exactly these bytes and reads one answer to its end. Clients that build requests themselves cannot send what
 * an attacker sends.
 *
 * @param quietMs  read whatever comes, until the other side closes or nothing has come for so long; left out: until the
 *   first answer is complete, or, where its end cannot be told, for 300 ms without anything
 */
export function raw(port: number, bytes: string | readonly string[], quietMs?: number): Promise<RawAnswer> {
  const parts = typeof bytes === "string" ? [bytes] : bytes;
  const isHead = parts[0]?.startsWith("HEAD ") === true;
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    let timer = setTimeout(done, 5_000);
    function done(): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(parse(received, socket.bytesWritten));
    }
    socket.on("connect", () => {
      for (const part of parts) socket.write(part, "latin1");
    });
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      clearTimeout(timer);
      if (quietMs === undefined && isComplete(received, isHead)) done();
      else timer = setTimeout(done, quietMs ?? 300);
    });
    socket.on("close", done);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
  });
}

/** Whether the first answer is there to its last byte; never true for what has no countable end. */
function isComplete(received: Buffer, isHead: boolean): boolean {
  const end = received.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const { status, headers } = parse(received, 0);
  if (status < 200) return false;
  if (isHead || status === 204 || status === 304) return true;
  const length = headers.get("content-length");
  return length !== undefined && received.length >= end + 4 + Number(length);
}

function parse(received: Buffer, sent: number): RawAnswer {
  const end = received.indexOf("\r\n\r\n");
  const head = received.toString("latin1", 0, end === -1 ? received.length : end);
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  return {
    status: Number(statusLine.split(" ")[1] ?? 0),
    head,
    headers,
    body: end === -1 ? "" : received.toString("utf8", end + 4),
    sent,
  };
}
