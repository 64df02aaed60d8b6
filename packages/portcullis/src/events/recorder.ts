import { defaults } from "../defaults.ts";
import { isPromise } from "../lib/maybe-promise.ts";
import type { AuditOptions, ErrorContext } from "../api-config.ts";
import type { SecurityEvent } from "./event.ts";
import { lineOf } from "./line.ts";
import type { CallRecord } from "./record.ts";
import type { AuditBatch, AuditSink } from "./sink.ts";

type Entry = CallRecord | SecurityEvent;

/** Collects records and events and hands them to the sinks in batches. No call of it ever throws. */
export interface Recorder {
  record(entry: Entry): void;
  /** Reports something thrown to the developer's own `onError`. */
  failed(error: unknown, context: ErrorContext): void;
  /** Hands out what is waiting, and waits until it is written. */
  flush(): Promise<void>;
  /** Hands out what is waiting and closes the sinks; a sink that does not write is waited for no longer than a drain. */
  stop(): Promise<void>;
}

/**
 * @param sinks     at least one
 * @param listeners  the developer's own; what they throw ends nothing
 * @param schedule  runs work once after a delay, without keeping the process alive
 */
export function createRecorder(
  sinks: readonly AuditSink[],
  { onError, onEvent }: Pick<AuditOptions, "onError" | "onEvent">,
  schedule: (delayMs: number, work: () => void) => void,
): Recorder {
  let waiting: Entry[] = [];
  let isScheduled = false;
  // Writes that have not ended yet, so that a stop can wait for them.
  const underway = new Set<Promise<void>>();

  function failed(error: unknown, context: ErrorContext): void {
    try {
      const told: unknown = onError?.(error, context);
      // An async function fits where nothing is returned, and its rejection would end the process.
      if (isPromise(told)) told.then(undefined, nobodyLeftToTell);
    } catch {
      nobodyLeftToTell();
    }
  }

  function tell(listener: (event: SecurityEvent) => void, event: SecurityEvent): void {
    const context = { requestId: event.requestId, route: event.route, stage: "onEvent" };
    try {
      const told: unknown = listener(event);
      if (isPromise(told)) told.then(undefined, (error: unknown) => failed(error, context));
    } catch (error) {
      failed(error, context);
    }
  }

  function flush(): void {
    isScheduled = false;
    // What the watch finds in a batch is recorded while the batch is handed out, and goes with it: there may be no later.
    for (let round = 0; round < 2 && waiting.length > 0; round++) handOut();
  }

  function handOut(): void {
    const batch = new Batch(waiting);
    waiting = [];
    for (const sink of sinks) {
      const context = { requestId: undefined, route: undefined, stage: `sink ${sink.name}` };
      try {
        const written = sink.write(batch);
        if (written === undefined) continue;
        const settled = ended(written, context);
        underway.add(settled);
        void settled.then(() => underway.delete(settled));
      } catch (error) {
        failed(error, context);
      }
    }
  }

  /** A write that never ends is told once and let go: every flush would wait for it, and memory would grow with them. */
  function ended(written: PromiseLike<void>, context: ErrorContext): Promise<void> {
    return new Promise((resolve) => {
      let isOpen = true;
      const end = (): void => {
        isOpen = false;
        resolve();
      };
      written.then(end, (error: unknown) => {
        failed(error, context);
        end();
      });
      schedule(defaults.recordsGiveUpMs, () => {
        if (!isOpen) return;
        failed(new Error(`nothing was written for ${defaults.recordsGiveUpMs} ms`), context);
        end();
      });
    });
  }

  return {
    record(entry) {
      waiting.push(entry);
      if (onEvent !== undefined && entry.kind === "event") tell(onEvent, entry);
      if (waiting.length >= defaults.recordsBatch) flush();
      else if (!isScheduled) {
        isScheduled = true;
        schedule(defaults.recordsFlushMs, flush);
      }
    },
    failed,
    async flush() {
      flush();
      await Promise.all(underway);
    },
    async stop() {
      flush();
      const givenUp = new Promise<void>((resolve) => schedule(defaults.drainTimeoutMs, resolve));
      await Promise.race([Promise.all(underway), givenUp]);
      for (const sink of sinks) {
        try {
          await sink.close?.();
        } catch (error) {
          failed(error, { requestId: undefined, route: undefined, stage: `sink ${sink.name}` });
        }
      }
    },
  };
}

function nobodyLeftToTell(): void {
  // What reports errors has failed itself.
}

class Batch implements AuditBatch {
  readonly entries: readonly Entry[];
  #text: string | undefined;

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
  }

  text(): string {
    if (this.#text === undefined) {
      let text = "";
      for (const entry of this.entries) text += `${lineOf(entry)}\n`;
      this.#text = text;
    }
    return this.#text;
  }
}
