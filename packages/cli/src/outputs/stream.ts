import { closeSync, openSync, writeSync } from "node:fs";
import { ScanError, type ScanResult, type Verdict } from "@portcullis/scan";
import { endLine, startLine, verdictLine } from "@portcullis/scan/reporters";

/** A file that grows by a line with every verdict. */
export interface Stream {
  add(verdict: Verdict): void;
  end(result: ScanResult): void;
  /** Ends a stream whose scan could not be finished; what was written stays. */
  abandon(): void;
}

/**
 * Opens the file and writes its first line. Every line is handed to the system before the scan goes on, so that a crash
 * loses nothing that was decided.
 *
 * @throws ScanError when the file cannot be written
 */
export function openStream(file: string, url: string): Stream {
  let descriptor: number;
  try {
    descriptor = openSync(file, "w");
  } catch (cause) {
    throw new ScanError(`cannot write ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const written: Verdict[] = [];
  const write = (line: string) => void writeSync(descriptor, line);
  let isOpen = true;
  function close(): void {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  }
  write(startLine(url, new Date().toISOString()));
  return {
    add(verdict) {
      written.push(verdict);
      write(verdictLine(verdict));
    },
    end(result) {
      write(endLine(result, written));
      close();
    },
    abandon: close,
  };
}
