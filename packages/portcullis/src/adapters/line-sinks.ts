import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import type { AuditSink } from "../events/sink.ts";

/** Records as lines of JSON on standard output. */
export function standardOutputSink(): AuditSink {
  return lineSink("standard output", process.stdout);
}

/**
 * Records as lines of JSON at the end of a file, which is made if it is not there, readable by its owner only.
 *
 * @param path  of the file; its folder must exist
 */
export function fileSink(path: string): AuditSink {
  const stream = createWriteStream(path, { flags: "a", mode: 0o600 });
  const sink = lineSink(path, stream);
  return {
    ...sink,
    close: () =>
      new Promise((resolve, reject) => {
        stream.once("error", reject);
        stream.end(() => resolve());
      }),
  };
}

/** Most bytes that may wait for a slow stream; what comes after is refused, so that memory stays bounded. */
const maxWaitingBytes = 16 * 1024 * 1024;

function lineSink(name: string, stream: Writable): AuditSink {
  return {
    name,
    write: (batch) =>
      new Promise((resolve, reject) => {
        if (stream.writableLength > maxWaitingBytes) {
          reject(new Error(`${name} is too slow: ${stream.writableLength} bytes are waiting`));
          return;
        }
        stream.write(batch.text(), (error) => (error ? reject(error) : resolve()));
      }),
  };
}
