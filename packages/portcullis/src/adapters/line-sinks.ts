import type { WriteStream } from "node:fs";
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import type { AuditSink } from "../events/sink.ts";

/**
 * Records as lines of JSON on standard output; what an API does by default. A batch rejects with the system's error
 * where it cannot be written, and with an Error while more than 16 MiB wait for a slow reader; `onError` of the API's
 * `audit` is told, and the process goes on.
 *
 * @see OWASP A09:2021
 */
export function standardOutputSink(): AuditSink {
  const { stdout } = process;
  // Once, however many APIs write there: whoever reads our output may go away, and that must not end the process.
  if (!stdout.listeners("error").includes(toldAtTheWrite)) stdout.on("error", toldAtTheWrite);
  return { name: "standard output", write: (batch) => writeText(stdout, "standard output", batch.text()) };
}

/**
 * Records as lines of JSON at the end of a file, which is made if it is not there, readable by its owner only. It is
 * opened by the first record, and anew after a failure, so that records go on once there is room again.
 *
 * Throws nothing here: a batch rejects with the system's error (ENOENT, EACCES, ENOSPC) where it cannot be written, and
 * with an Error while more than 16 MiB wait for a slow disk; `onError` of the API's `audit` is told.
 *
 * @param path  of the file, made with mode 0600; its folder must exist
 * @see OWASP A09:2021
 */
export function fileSink(path: string): AuditSink {
  let stream: WriteStream | undefined;

  function open(): WriteStream {
    if (stream === undefined || stream.destroyed) {
      stream = createWriteStream(path, { flags: "a", mode: 0o600 });
      stream.on("error", toldAtTheWrite);
    }
    return stream;
  }

  return {
    name: path,
    write: (batch) => writeText(open(), path, batch.text()),
    close: () =>
      new Promise((resolve) => {
        if (stream === undefined || stream.destroyed) resolve();
        else stream.end(() => resolve());
      }),
  };
}

/** Most bytes that may wait for a slow stream; what comes after is refused, so that memory stays bounded. */
const maxWaitingBytes = 16 * 1024 * 1024;

function writeText(stream: Writable, name: string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.writableLength > maxWaitingBytes) {
      reject(new Error(`${name} is too slow: ${stream.writableLength} bytes are waiting`));
      return;
    }
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

function toldAtTheWrite(): void {
  // The write that failed rejects with it; an error nobody listens for would end the process.
}
