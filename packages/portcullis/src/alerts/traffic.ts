import type { Alert, DetectorId } from "./alert.ts";
import type { Detector } from "./detector.ts";
import { createMinutes } from "./minutes.ts";

/** From where on traffic is told of. */
export interface TrafficThresholds {
  /** Times the usual minute of the last hour. */
  readonly spikeFactor: number;
  /** Requests a minute below which nothing is a spike. */
  readonly spikeMinimum: number;
  /** Share of answers 500 and above, 0 .. 1. */
  readonly serverErrorShare: number;
  /** Share of answers 400 to 499, 0 .. 1; also has to be twice the usual share. */
  readonly clientErrorShare: number;
  /** Requests a minute below which no share is told. */
  readonly shareMinimum: number;
}

const requests = 0;
const serverErrors = 1;
const clientErrors = 2;

/** Minutes of history before anything counts as usual. */
const historyMinutes = 10;

/**
 * The service as a whole: many more requests than usual, and a large share of errors. Looks at whole minutes, every ten
 * seconds, so a change is told 10 to 70 seconds after it began.
 */
export function traffic(thresholds: TrafficThresholds): Detector {
  const minutes = createMinutes(3);
  const newest: string[] = [];
  let place = 0;

  return {
    see(entry, nowMs, tell) {
      if (entry.kind !== "call") return;
      const closed = minutes.advance(nowMs);
      if (closed) look(tell);
      minutes.count(requests);
      if (entry.status >= 500) minutes.count(serverErrors);
      else if (entry.status >= 400) minutes.count(clientErrors);
      newest[place] = entry.requestId;
      place = (place + 1) % 5;
    },
  };

  /** Compares the minute that has just been closed with the usual one. */
  function look(tell: (alert: Alert) => void): void {
    const [all = 0, server = 0, client = 0] = minutes.lastMinute();
    const usual = minutes.usualMinute();
    const [usualAll = 0, , usualClient = 0] = usual.means;
    const hasHistory = usual.minutes >= historyMinutes;

    const spike = Math.max(thresholds.spikeMinimum, usualAll * thresholds.spikeFactor);
    if (hasHistory && all >= spike) {
      tell(
        about("request-spike", "requests", all, spike, `${all} requests in a minute, ${usualAll.toFixed(0)} are usual`),
      );
    }
    if (all < thresholds.shareMinimum) return;
    const serverThreshold = Math.ceil(all * thresholds.serverErrorShare);
    if (server >= serverThreshold) {
      const says = `${server} of ${all} answers in a minute were 500 or above`;
      tell(about("error-rate", "server errors", server, serverThreshold, says));
    }
    const usualShare = usualAll === 0 ? 0 : usualClient / usualAll;
    const clientThreshold = Math.ceil(all * Math.max(thresholds.clientErrorShare, usualShare * 2));
    if (hasHistory && client >= clientThreshold) {
      const says = `${client} of ${all} answers in a minute were 400 to 499, ${(usualShare * 100).toFixed(0)} % are usual`;
      tell(about("error-rate", "client errors", client, clientThreshold, says));
    }
  }

  function about(detector: DetectorId, name: string, count: number, threshold: number, says: string): Alert {
    const about = { kind: "service", name } as const;
    return { detector, about, count, threshold, windowMs: 60_000, requestIds: [...newest], says };
  }
}
