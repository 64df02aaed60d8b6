import { networkOf } from "../lib/network-of.ts";
import type { Rate } from "../limits/rate.ts";
import type { Detector } from "./detector.ts";
import { createRecentRequests } from "./recent-requests.ts";

/** Routes watched apart; the rest count together. */
const maxRoutes = 256;

/**
 * One attack from many places: different addresses that reach a limit on the same route. Counts addresses, not requests,
 * and an IPv6 site as one, so that one busy client is never it.
 *
 * @param rate  how many different addresses within how long
 */
export function distributedLimitHits(rate: Rate): Detector {
  /** By route: when each address was last seen at its limit; never more than the threshold of them. */
  const seen = new Map<string, Map<string, number>>();
  const recent = createRecentRequests();

  function addressesOf(route: string): Map<string, number> {
    const name = seen.size < maxRoutes || seen.has(route) ? route : "others";
    const known = seen.get(name);
    if (known !== undefined) return known;
    const fresh = new Map<string, number>();
    seen.set(name, fresh);
    return fresh;
  }

  return {
    see(entry, nowMs, tell) {
      if (entry.kind !== "event" || entry.type !== "refused" || entry.status !== 429) return;
      const { address, route = "before any route" } = entry;
      if (address === undefined || address === "unknown") return;
      const addresses = addressesOf(route);
      // In the order they were last seen, so that the first is the oldest.
      const place = networkOf(address, 48);
      addresses.delete(place);
      addresses.set(place, nowMs);
      for (const [one, lastMs] of addresses) {
        if (addresses.size <= rate.limit && nowMs - lastMs < rate.windowMs) break;
        addresses.delete(one);
      }
      recent.note(route, entry.requestId);
      if (addresses.size < rate.limit) return;
      tell({
        detector: "distributed-limit-hits",
        about: { kind: "route", name: route },
        count: addresses.size,
        threshold: rate.limit,
        windowMs: rate.windowMs,
        requestIds: recent.of(route),
        says: `at least ${addresses.size} different addresses reached a limit within ${rate.windowMs / 1_000} s`,
      });
    },
  };
}
