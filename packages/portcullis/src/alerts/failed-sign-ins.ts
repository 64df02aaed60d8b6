import type { SecurityEvent } from "../events/event.ts";
import { networkOf } from "../lib/network-of.ts";
import type { Rate } from "../limits/rate.ts";
import type { Alert } from "./alert.ts";
import type { Detector } from "./detector.ts";
import { createKeyedWindow } from "./keyed-window.ts";
import { createRecentRequests } from "./recent-requests.ts";

/**
 * Guessing at passwords: failed sign-ins of one address, and of one account from wherever they come. Sign-ins that a
 * limit refused count as failed: who is stopped after five tries and goes on is the very one to hear of.
 */
export function failedSignIns(rate: Rate, randomBytes: (count: number) => Uint8Array): Detector {
  const counts = createKeyedWindow(rate, randomBytes(8));
  const recent = createRecentRequests();
  /** Routes on which sign-ins were seen; as many as the API has. */
  const signInRoutes = new Set<string>();

  function isFailed(event: SecurityEvent): boolean {
    const { route, code } = event;
    if (event.type === "signed-in" && route !== undefined) signInRoutes.add(route);
    if (event.type !== "refused") return false;
    if (code === "sign-in-failed") {
      if (route !== undefined) signInRoutes.add(route);
      return true;
    }
    return (
      (code === "rate-limited" || code === "failure-budget-spent") && route !== undefined && signInRoutes.has(route)
    );
  }

  return {
    see(entry, nowMs, tell) {
      if (entry.kind !== "event" || !isFailed(entry)) return;
      const subjects = [
        [
          "address",
          entry.address === undefined || entry.address === "unknown" ? undefined : networkOf(entry.address, 64),
        ],
        ["account", entry.account],
      ] as const;
      for (const [kind, name] of subjects) {
        if (name === undefined) continue;
        const key = `${kind} ${name}`;
        recent.note(key, entry.requestId);
        const count = counts.add(key, nowMs, entry.count ?? 1);
        if (count >= rate.limit) tell(alert(kind, name, count, key));
      }
    },
  };

  function alert(kind: "address" | "account", name: string, count: number, key: string): Alert {
    const whose = kind === "address" ? "from one address" : "to one account";
    return {
      detector: "failed-sign-ins",
      about: { kind, name },
      count,
      threshold: rate.limit,
      windowMs: rate.windowMs,
      requestIds: recent.of(key),
      says: `at least ${count} failed sign-ins ${whose} within ${rate.windowMs / 1_000} s`,
    };
  }
}
