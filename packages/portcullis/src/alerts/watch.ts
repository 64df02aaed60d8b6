import type { SecurityEvent } from "../events/event.ts";
import type { AuditSink } from "../events/sink.ts";
import { isPromise } from "../lib/maybe-promise.ts";
import { parseRate, type Rate, type RateText } from "../limits/rate.ts";
import type { Alert, DetectorId } from "./alert.ts";
import type { Detector } from "./detector.ts";
import { distributedLimitHits } from "./distributed-limit-hits.ts";
import { exportSpike } from "./export-spike.ts";
import { failedSignIns } from "./failed-sign-ins.ts";
import { injectionPatterns } from "./injection-patterns.ts";
import { probing } from "./probing.ts";
import { refreshReuse } from "./refresh-reuse.ts";
import { slowRoute } from "./slow-route.ts";
import { traffic } from "./traffic.ts";

/** From where on somebody is told, and how. Everything left out has its default. */
export interface AlertsOptions {
  /**
   * Is given every alert, once, such as `alertWebhook({ url, secret })`; of one detector at most 20 in 15 minutes, and then
   * one that says so. Default: it stands among the records alone.
   */
  readonly deliver?: (alert: DeliveredAlert) => void | Promise<void>;
  /** Failed sign-ins of one address or to one account. Default 10 in 5 minutes. */
  readonly failedSignIns?: RateText | Rate;
  /** Answers 403 and 404 to one caller. Default 30 in 5 minutes, half the failure budget. */
  readonly probing?: RateText | Rate;
  /** Different addresses at a limit of one route. Default 20 in a minute. */
  readonly distributedLimitHits?: RateText | Rate;
  /** Refused requests of one caller that look like injection. Default 5 in 5 minutes. */
  readonly injectionPatterns?: RateText | Rate;
  /** Successful reads by one account. Default 3000 in 10 minutes, half of what its limit allows. */
  readonly reads?: RateText | Rate;
  /** Slow calls of one route. Default 5 in 5 minutes. */
  readonly slowCalls?: RateText | Rate;
  /** From where on a call is slow, in milliseconds. Default 1000. */
  readonly slowMs?: number;
  /** Times the usual minute of the last hour, above 1. Default 5. */
  readonly spikeFactor?: number;
  /** Requests a minute below which nothing is a spike. Default 300. */
  readonly spikeMinimum?: number;
  /** Share of answers 500 and above, 0 .. 1. Default 0.1. */
  readonly serverErrorShare?: number;
  /** Share of answers 400 to 499, 0 .. 1; also has to be twice the usual one. Default 0.5. */
  readonly clientErrorShare?: number;
}

/** An alert as it is delivered. */
export interface DeliveredAlert extends Alert {
  readonly service: string;
  /** Unix milliseconds. */
  readonly time: number;
}

/** What the watch needs around it. */
export interface WatchSurroundings {
  readonly service: string;
  /** Unix milliseconds. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
  randomBytes(count: number): Uint8Array;
  emit(event: SecurityEvent): void;
  /** Told when a delivery fails. */
  failed(error: unknown): void;
}

/** Who has been told of lately; more at once than anybody could read. */
const maxTold = 4_096;
/** What goes on is told again, but not before. */
const repeatMs = 900_000;
/** Alerts of one detector that are delivered within {@link repeatMs}: who has many addresses could bury the rest. */
const maxDelivered = 20;
/** Below this many requests a minute a share says nothing. */
const shareMinimum = 50;

/**
 * Watches the records: a sink that hands every entry to each detector and tells of each finding once in 15 minutes, as an
 * event `alert` and to `deliver`. Records reach it at most 100 ms after they were made.
 *
 * @throws OptionsError when a rate is misspelt or out of range
 * @see OWASP ASVS 5.0 16.3.3
 */
export function createWatch(options: AlertsOptions, around: WatchSurroundings): AuditSink {
  const { randomBytes } = around;
  const detectors: readonly Detector[] = [
    failedSignIns(parseRate(options.failedSignIns ?? "10/5min"), randomBytes),
    probing(parseRate(options.probing ?? "30/5min"), randomBytes),
    distributedLimitHits(parseRate(options.distributedLimitHits ?? "20/min")),
    injectionPatterns(parseRate(options.injectionPatterns ?? "5/5min"), randomBytes),
    exportSpike(parseRate(options.reads ?? "3000/10min"), randomBytes),
    slowRoute(parseRate(options.slowCalls ?? "5/5min"), options.slowMs ?? 1_000, randomBytes),
    refreshReuse(),
    traffic({
      spikeFactor: options.spikeFactor ?? 5,
      spikeMinimum: options.spikeMinimum ?? 300,
      serverErrorShare: options.serverErrorShare ?? 0.1,
      clientErrorShare: options.clientErrorShare ?? 0.5,
      shareMinimum,
    }),
  ];
  /** When each finding may be told again; the oldest stands first. */
  const told = new Map<string, number>();
  /** Deliveries begun and not waited for by anybody yet. */
  let begun: Promise<void>[] = [];
  /** Deliveries by detector, and since when they are counted. */
  const lately = new Map<DetectorId, { readonly sinceMs: number; count: number }>();

  function tell(alert: Alert): void {
    const key = `${alert.detector} ${alert.about.kind} ${alert.about.name}`;
    const nowMs = around.monotonic();
    const againAt = told.get(key);
    if (againAt !== undefined && nowMs < againAt) return;
    told.delete(key);
    for (const oldest of told.keys()) {
      if (told.size < maxTold) break;
      told.delete(oldest);
    }
    told.set(key, nowMs + Math.max(repeatMs, alert.windowMs));
    const time = around.now();
    around.emit({ kind: "event", type: "alert", time, service: around.service, protection: "alerts", alert });
    const one = deliverable(alert, nowMs);
    if (one !== undefined) deliver({ service: around.service, time, ...one });
  }

  /** The alert while there are few of its kind, one that says that there are more, and then nothing for a while. */
  function deliverable(alert: Alert, nowMs: number): Alert | undefined {
    let counted = lately.get(alert.detector);
    if (counted === undefined || nowMs - counted.sinceMs >= repeatMs) {
      counted = { sinceMs: nowMs, count: 0 };
      lately.set(alert.detector, counted);
    }
    counted.count++;
    if (counted.count <= maxDelivered) return alert;
    if (counted.count > maxDelivered + 1) return undefined;
    const says = `more than ${maxDelivered} alerts of ${alert.detector} within ${repeatMs / 60_000} min; the next ones stand in the records alone`;
    return {
      ...alert,
      about: { kind: "service", name: alert.detector },
      count: counted.count,
      threshold: maxDelivered,
      windowMs: repeatMs,
      says,
    };
  }

  function deliver(alert: DeliveredAlert): void {
    try {
      const delivered: unknown = options.deliver?.(alert);
      if (!isPromise(delivered)) return;
      begun.push(
        delivered.then(
          () => undefined,
          (error: unknown) => around.failed(error),
        ),
      );
    } catch (error) {
      around.failed(error);
    }
  }

  return {
    name: "alerts",
    write({ entries }) {
      const nowMs = around.monotonic();
      for (const entry of entries) {
        if (entry.kind === "event" && entry.type === "alert") continue;
        for (const detector of detectors) detector.see(entry, nowMs, tell);
      }
      if (begun.length === 0) return undefined;
      // Like a record that is being written, so that a process does not stop or freeze before an alert is out.
      const deliveries = Promise.all(begun);
      begun = [];
      return deliveries.then(() => undefined);
    },
  };
}
