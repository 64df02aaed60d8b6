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
 * Sends exactly these bytes and reads until the other side closes or nothing comes for `quietMs`. Clients that build
 * requests themselves cannot send what an attacker sends.
 */
export function raw(port: number, bytes: string | readonly string[], quietMs = 300): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    let timer = setTimeout(done, 5_000);
    function done(): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(parse(text, socket.bytesWritten));
    }
    socket.on("connect", () => {
      for (const part of typeof bytes === "string" ? [bytes] : bytes) socket.write(part, "latin1");
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      clearTimeout(timer);
      timer = setTimeout(done, quietMs);
    });
    socket.on("close", done);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
  });
}

function parse(text: string, sent: number): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const head = end === -1 ? text : text.slice(0, end);
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  return {
    status: Number(statusLine.split(" ")[1] ?? 0),
    head,
    headers,
    body: end === -1 ? "" : text.slice(end + 4),
    sent,
  };
}
