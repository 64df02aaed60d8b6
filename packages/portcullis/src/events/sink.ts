import type { CallRecord } from "./record.ts";
import type { SecurityEvent } from "./event.ts";

/** What a sink is given: some entries, in order, and the same as NDJSON if it wants text. */
export interface AuditBatch {
  readonly entries: readonly (CallRecord | SecurityEvent)[];
  /** One line of JSON per entry, each ended by a newline; made once however many sinks ask. */
  text(): string;
}

/**
 * Where records and events go. A sink that throws or rejects is reported to `onError` and loses that batch only; the
 * others still get it. At most 100 ms of entries are lost when the process is killed.
 */
export interface AuditSink {
  readonly name: string;
  write(batch: AuditBatch): void | Promise<void>;
  /** Called once at the end of a graceful stop. */
  close?(): void | Promise<void>;
}

/**
 * A sink made of any function: `sinkTo("siem", (batch) => ship(batch.text()))`.
 *
 * @param name   names the sink where its errors are reported
 * @param write  gets up to 512 entries, at most 100 ms after the first; what it throws or rejects with goes to `onError`
 *   of the API's `audit`, and that batch is lost for this sink
 * @see OWASP A09:2021
 */
export function sinkTo(name: string, write: (batch: AuditBatch) => void | Promise<void>): AuditSink {
  return { name, write };
}

/**
 * Keeps the newest entries in memory, in the order they came; for tests and for showing, since nothing outlives the
 * process. Throws nothing.
 *
 * @param capacity  most entries kept, default 1000; the oldest go first
 * @returns the sink, with the entries it holds: one array, changed in place
 */
export function memorySink(capacity = 1000): AuditSink & { readonly entries: (CallRecord | SecurityEvent)[] } {
  const entries: (CallRecord | SecurityEvent)[] = [];
  return {
    name: "memory",
    entries,
    write(batch) {
      entries.push(...batch.entries);
      if (entries.length > capacity) entries.splice(0, entries.length - capacity);
    },
  };
}
