import type { SecurityEvent } from "../events/event.ts";
import type { CallRecord } from "../events/record.ts";
import type { Alert } from "./alert.ts";

/** Looks at everything that is recorded, in order, in memory that does not grow with callers. */
export interface Detector {
  /**
   * @param entry   a call or an event; never an alert
   * @param nowMs   monotonic milliseconds
   * @param tell    told at every entry that stands over the threshold; who hears it tells once
   */
  see(entry: CallRecord | SecurityEvent, nowMs: number, tell: (alert: Alert) => void): void;
}
