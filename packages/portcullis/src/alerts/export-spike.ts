import type { Rate } from "../limits/rate.ts";
import type { Detector } from "./detector.ts";
import { createKeyedWindow } from "./keyed-window.ts";
import { createRecentRequests } from "./recent-requests.ts";

/** Somebody who carries everything away: one account whose reads succeed more often than anybody looks at things. */
export function exportSpike(rate: Rate, randomBytes: (count: number) => Uint8Array): Detector {
  const counts = createKeyedWindow(rate, randomBytes(8));
  const recent = createRecentRequests();
  return {
    see(entry, nowMs, tell) {
      if (entry.kind !== "call" || entry.account === undefined || entry.method !== "GET" || entry.status >= 300) return;
      const { account } = entry;
      const count = counts.add(account, nowMs, 1);
      if (count < rate.limit) return;
      recent.note(account, entry.requestId);
      tell({
        detector: "export-spike",
        about: { kind: "account", name: account },
        count,
        threshold: rate.limit,
        windowMs: rate.windowMs,
        requestIds: recent.of(account),
        says: `${count} successful reads by one account within ${rate.windowMs / 1_000} s`,
      });
    },
  };
}
