import type { Rate } from "../limits/rate.ts";
import type { Detector } from "./detector.ts";
import { createKeyedWindow } from "./keyed-window.ts";
import { createRecentRequests } from "./recent-requests.ts";

/** Routes counted apart. */
const maxRoutes = 256;
/** Of a route's calls; a busy one always has a few that waited for something. */
const leastShare = 0.05;

/**
 * A route that has become slow: an outage in the making, or somebody who found what is expensive. Answers that the
 * client did not wait for count as well.
 *
 * @param rate    how many slow calls within how long
 * @param slowMs  from where on a call is slow, in milliseconds
 */
export function slowRoute(rate: Rate, slowMs: number, randomBytes: (count: number) => Uint8Array): Detector {
  const uncapped = { limit: 1_000_000_000, windowMs: rate.windowMs };
  const slow = createKeyedWindow(uncapped, randomBytes(8), maxRoutes);
  const all = createKeyedWindow(uncapped, randomBytes(8), maxRoutes);
  const recent = createRecentRequests();
  return {
    see(entry, nowMs, tell) {
      if (entry.kind !== "call" || entry.route === undefined) return;
      const { route } = entry;
      const calls = all.add(route, nowMs, 1);
      if (entry.durationMs < slowMs) return;
      recent.note(route, entry.requestId);
      const count = slow.add(route, nowMs, 1);
      if (count < rate.limit || count < calls * leastShare) return;
      tell({
        detector: "slow-route",
        about: { kind: "route", name: route },
        count,
        threshold: rate.limit,
        windowMs: rate.windowMs,
        requestIds: recent.of(route),
        says: `${count} of ${calls} calls took ${slowMs} ms or longer within ${rate.windowMs / 1_000} s`,
      });
    },
  };
}
