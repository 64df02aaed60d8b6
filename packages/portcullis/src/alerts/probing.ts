import { networkOf } from "../lib/network-of.ts";
import type { Rate } from "../limits/rate.ts";
import type { Detector } from "./detector.ts";
import { createKeyedWindow } from "./keyed-window.ts";
import { createRecentRequests } from "./recent-requests.ts";

/**
 * Somebody trying doors: answers 403 and 404 to one caller, or to one address that proved nothing. It shows privilege
 * probing, walking through ids, and scanners.
 */
export function probing(rate: Rate, randomBytes: (count: number) => Uint8Array): Detector {
  const counts = createKeyedWindow(rate, randomBytes(8));
  const recent = createRecentRequests();
  return {
    see(entry, nowMs, tell) {
      if (entry.kind !== "event" || entry.type !== "refused" || (entry.status !== 403 && entry.status !== 404)) return;
      const { account, address = "unknown" } = entry;
      if (account === undefined && address === "unknown") return;
      const kind = account === undefined ? "address" : "account";
      const name = account ?? networkOf(address, 64);
      const key = `${kind} ${name}`;
      recent.note(key, entry.requestId);
      const count = counts.add(key, nowMs, entry.count ?? 1);
      if (count < rate.limit) return;
      tell({
        detector: "probing",
        about: { kind, name },
        count,
        threshold: rate.limit,
        windowMs: rate.windowMs,
        requestIds: recent.of(key),
        says: `at least ${count} answers 403 and 404 to one ${kind} within ${rate.windowMs / 1_000} s`,
      });
    },
  };
}
