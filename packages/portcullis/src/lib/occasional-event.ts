import type { Environment } from "../environment.ts";
import type { EventType, SecurityEvent } from "../events/event.ts";

/**
 * Emits one kind of event at most once per interval, with the number of times it happened since: what a stranger can
 * cause at will must not fill the log.
 *
 * @param protection  the row of the checklist it belongs to
 * @param intervalMs  shortest time between two events, monotonic milliseconds
 */
export function occasionalEvent(
  { clock, emit }: Pick<Environment, "clock" | "emit">,
  type: EventType,
  protection: NonNullable<SecurityEvent["protection"]>,
  intervalMs: number,
): (reason: string) => void {
  let nextAt = Number.NEGATIVE_INFINITY;
  let count = 0;
  return function emitNowAndThen(reason) {
    count++;
    const now = clock.monotonic();
    if (now < nextAt) return;
    nextAt = now + intervalMs;
    // The service's name belongs to the API, which fills it in for every event.
    emit({ kind: "event", type, time: clock.now(), service: "", protection, reason, count });
    count = 0;
  };
}
