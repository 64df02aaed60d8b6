import { setTimeout as wait } from "node:timers/promises";
import type { GoneFinding, Report, ReportedFinding } from "@portcullis/scan/reporters";
import type { Notifier } from "./notify.ts";

/** One scan of many, and how it ended. */
export interface Round {
  readonly exitCode: number;
  /** Undefined where the scan could not be done. */
  readonly report?: Report;
  /** Why it could not be done. */
  readonly failure?: string;
}

/**
 * Scans again and again until told to stop, one scan at a time, and notifies when something changed: what is broken, or
 * whether the scan can be done at all. A failed scan does not end it, and forgets nothing: the next is compared with the
 * last that was done.
 *
 * @param scan  given what the last finished scan found broken, or undefined the first time
 * @returns how the last scan ended
 */
export async function repeatedly(options: {
  readonly everyMs: number;
  readonly signal: AbortSignal;
  readonly notifier: Notifier | undefined;
  readonly scan: (before: readonly GoneFinding[] | undefined) => Promise<Round>;
  readonly say: (line: string) => void;
}): Promise<number> {
  const { everyMs, signal, notifier, scan, say } = options;
  let before: readonly GoneFinding[] | undefined;
  let failed = false;
  for (;;) {
    const started = performance.now();
    const round = await scan(before);
    const event = eventOf(round, before === undefined, failed);
    if (event !== undefined && notifier !== undefined) {
      const failure = await notifier.send(event);
      if (failure !== undefined) say(failure);
    }
    failed = round.report === undefined;
    // What was neither seen nor proved closed is still known: seen again it is not new, and proved closed it is fixed.
    if (round.report !== undefined)
      before = [...round.report.findings.map(asGone), ...(round.report.difference?.undecided ?? [])];
    if (signal.aborted) return round.exitCode;
    try {
      await wait(Math.max(0, everyMs - (performance.now() - started)), undefined, { signal });
    } catch {
      return round.exitCode;
    }
  }
}

/** At most so many findings are named in a notification; the counts are of all. */
const mostNamed = 50;

/** What is worth telling; undefined where nothing changed. The first scan tells only what is broken. */
function eventOf(round: Round, isFirst: boolean, hadFailed: boolean): Readonly<Record<string, unknown>> | undefined {
  const at = new Date().toISOString();
  const { report, failure, exitCode } = round;
  if (report === undefined)
    return hadFailed ? undefined : { type: "portcullis.scan.failed", at, exitCode, why: failure ?? "" };
  const { result, difference } = report;
  const open = report.findings.filter((finding) => finding.accepted === undefined);
  const added = difference === undefined ? open : open.filter(({ since }) => since === "new");
  const fixed = difference?.fixed ?? [];
  if (added.length === 0 && fixed.length === 0 && !hadFailed) return undefined;
  return {
    type: "portcullis.scan.changed",
    at,
    exitCode,
    first: isFirst,
    target: result.target.url,
    counts: result.counts,
    new: { count: added.length, findings: added.slice(0, mostNamed).map(named) },
    fixed: { count: fixed.length, findings: fixed.slice(0, mostNamed) },
  };
}

function named({ fingerprint, severity, protection, check, operation = "", why }: ReportedFinding) {
  return { fingerprint, severity, protection, check, operation, why };
}

function asGone({ fingerprint, protection, check, operation = "", why }: ReportedFinding): GoneFinding {
  return { fingerprint, protection, check, operation, why };
}
