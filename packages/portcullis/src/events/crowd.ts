import { networkOf } from "../lib/network-of.ts";
import type { SecurityEvent } from "./event.ts";

/** Counts what a flooding address is refused for, instead of writing a line each. */
export interface Crowd {
  /** @param isFlooding the address has spent its failure budget */
  refused(isFlooding: boolean, event: SecurityEvent): void;
  /** Writes what is counted and not written yet. */
  flush(): void;
}

function withoutAccount({ account: _account, ...event }: SecurityEvent): SecurityEvent {
  return event;
}

const everyMs = 1_000;
/** Addresses counted apart in one second; the rest share one event, so that memory stays bounded. */
const maxKeys = 10_000;

/**
 * One event per second per address and code with an exact count, once the address is flooding; one event each before. All
 * addresses of an IPv6 /64 count as the one whose refusal came first: one machine has them all.
 *
 * @param write     hands an event to the sinks
 * @param schedule  runs work once after a delay, without keeping the process alive
 */
export function createCrowd(
  write: (event: SecurityEvent) => void,
  schedule: (delayMs: number, work: () => void) => void,
): Crowd {
  let counted = new Map<string, { event: SecurityEvent; count: number }>();
  let sinceMs = 0;

  function flush(): void {
    const last = counted;
    counted = new Map();
    for (const { event, count } of last.values()) write(count === 1 ? event : { ...event, count });
  }

  return {
    refused(isFlooding, event) {
      if (!isFlooding) {
        write(event);
        return;
      }
      // Some hosts drop the timers of a request with the request: then the next one does what the timer should have.
      if (counted.size > 0 && event.time - sinceMs > everyMs * 2) flush();
      if (counted.size === 0) {
        sinceMs = event.time;
        schedule(everyMs, flush);
      }
      const own = `${networkOf(event.address ?? "", 64)} ${event.code ?? ""}`;
      const key = counted.size < maxKeys || counted.has(own) ? own : `others ${event.code ?? ""}`;
      const before = counted.get(key);
      if (before === undefined) counted.set(key, { event, count: 1 });
      else {
        before.count++;
        // One event for several accounts names none of them, or all would be laid at the first one's door.
        if (before.event.account !== event.account) before.event = withoutAccount(before.event);
      }
    },
    flush,
  };
}
