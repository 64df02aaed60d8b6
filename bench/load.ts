import { connect, type Socket } from "node:net";

/** What a stretch of load came to. */
export interface LoadResult {
  readonly requests: number;
  readonly wallMs: number;
}

/** When a stretch ends: after so many milliseconds, or after so many requests. */
export type LoadEnd = { readonly ms: number } | { readonly requests: number };

/** Keep-alive connections to one server, one request on each at a time. */
export interface Load {
  /**
   * Sends the requests in turn over all connections and waits for every answer.
   *
   * @throws Error at the first answer that is not 2xx, and when the server hangs up
   */
  run(requests: readonly Buffer[], end: LoadEnd): Promise<LoadResult>;
  close(): void;
}

/**
 * Opens connections that cost less than any server they drive: raw sockets, one read buffer each, requests written
 * ahead, of an answer only the status line and the length are read.
 *
 * @param connections  how many requests are under way at once
 */
export async function openLoad(port: number, connections: number): Promise<Load> {
  let queue: readonly Buffer[] = [];
  let next = 0;
  let sent = 0;
  let answered = 0;
  let wanted = Infinity;
  let stopAt = Infinity;
  let done: ((error?: Error) => void) | undefined;

  function send(socket: Socket): void {
    const request = queue[next];
    if (request === undefined) return;
    next = next + 1 === queue.length ? 0 : next + 1;
    sent++;
    socket.write(request);
  }

  function answer(socket: Socket): void {
    answered++;
    if (sent < wanted && (answered % 64 !== 0 || performance.now() < stopAt)) send(socket);
    else {
      wanted = 0;
      if (answered === sent) done?.();
    }
  }

  const fail = (error: Error): void => done?.(error);
  /** Keeps this process from waiting: a sleeping reader is woken by the server's write, and the server pays for it. */
  const keepAwake = (): void => {
    if (done !== undefined) setImmediate(keepAwake);
  };
  const sockets = await Promise.all(Array.from({ length: connections }, () => openOne(port, answer, fail)));

  return {
    async run(requests, end) {
      queue = requests;
      next %= requests.length;
      sent = 0;
      answered = 0;
      wanted = "requests" in end ? end.requests : Infinity;
      const startedAt = performance.now();
      stopAt = "ms" in end ? startedAt + end.ms : Infinity;
      await new Promise<void>((resolve, reject) => {
        done = (error) => (error === undefined ? resolve() : reject(error));
        keepAwake();
        for (const socket of sockets) if (sent < wanted) send(socket);
      });
      done = undefined;
      return { requests: answered, wallMs: performance.now() - startedAt };
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function openOne(port: number, answer: (socket: Socket) => void, fail: (error: Error) => void): Promise<Socket> {
  let head = "";
  /** Body bytes still to come; -1 while the head is being read. */
  let missing = -1;

  function read(bytes: number, buffer: Uint8Array): boolean {
    if (missing < 0) {
      head += shared.toString("latin1", 0, bytes);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return true;
      if (head.charCodeAt(9) !== 0x32) {
        fail(new Error(`the server answered ${head.slice(0, 600)}`));
        return false;
      }
      missing = lengthIn(head) - (head.length - end - 4);
      head = "";
    } else missing -= bytes;
    if (missing > 0) return true;
    if (missing < 0) {
      fail(new Error(`the server sent more than it announced: ${Buffer.from(buffer.subarray(0, bytes)).toString()}`));
      return false;
    }
    missing = -1;
    answer(socket);
    return true;
  }

  const shared = Buffer.allocUnsafe(65_536);
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, onread: { buffer: shared, callback: read } });
  socket.on("error", fail);
  socket.on("end", () => fail(new Error("the server hung up")));
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** What Content-Length says. */
function lengthIn(head: string): number {
  let at = head.indexOf("content-length: ");
  if (at < 0) at = head.indexOf("Content-Length: ");
  if (at < 0) throw new Error(`an answer without a length: ${head}`);
  let length = 0;
  for (let i = at + 16; ; i++) {
    const digit = head.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return length;
    length = length * 10 + digit;
  }
}
