import { networkOf } from "../lib/network-of.ts";
import type { Rate } from "../limits/rate.ts";
import type { Detector } from "./detector.ts";
import { createKeyedWindow } from "./keyed-window.ts";
import { createRecentRequests } from "./recent-requests.ts";

/** Somebody trying to get queries, commands or markup run: refused input of one caller that looks like it, again and again. */
export function injectionPatterns(rate: Rate, randomBytes: (count: number) => Uint8Array): Detector {
  const counts = createKeyedWindow(rate, randomBytes(8));
  const recent = createRecentRequests();
  return {
    see(entry, nowMs, tell) {
      if (entry.kind !== "event" || entry.pattern === undefined) return;
      const { account, address = "unknown", pattern } = entry;
      if (account === undefined && address === "unknown") return;
      const kind = account === undefined ? "address" : "account";
      const name = account ?? networkOf(address, 64);
      const key = `${kind} ${name}`;
      recent.note(key, entry.requestId);
      const count = counts.add(key, nowMs, 1);
      if (count < rate.limit) return;
      tell({
        detector: "injection-patterns",
        about: { kind, name },
        count,
        threshold: rate.limit,
        windowMs: rate.windowMs,
        requestIds: recent.of(key),
        says: `at least ${count} refused requests of one ${kind} looked like injection (${pattern}) within ${rate.windowMs / 1_000} s`,
      });
    },
  };
}
