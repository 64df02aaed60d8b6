import { type Baseline, type BaselineEntry, lapseOf } from "./baseline.ts";
import { type Finding, findingsOf, fingerprintOf } from "./finding.ts";
import type { ScanResult } from "./scan.ts";
import { type Score, scoresOf } from "./score.ts";
import { isAtLeast } from "./severity.ts";
import type { Priority } from "portcullis/checklist";

/** A finding and what the team has said about it. */
export interface ReportedFinding extends Finding {
  /** The entry of the baseline that lets it stand; undefined where it is open. */
  readonly accepted?: BaselineEntry;
  /** Why an entry of the baseline does not count. */
  readonly lapsed?: string;
  /** Against an earlier scan, where one is given. */
  readonly since?: "new" | "unchanged";
}

/** A finding of an earlier scan that this one does not show. */
export interface GoneFinding {
  readonly fingerprint: string;
  readonly protection: string;
  readonly check: string;
  readonly operation: string;
  readonly why: string;
}

/** What changed since an earlier scan. */
export interface Difference {
  readonly new: number;
  readonly unchanged: number;
  /** Their checks hold now. */
  readonly fixed: readonly GoneFinding[];
  /** Not shown and not proved closed either: their checks did not run or could not decide. */
  readonly undecided: readonly GoneFinding[];
}

/** A finished scan with everything that is said about it; what reporters write. */
export interface Report {
  readonly result: ScanResult;
  /** The worst first. */
  readonly findings: readonly ReportedFinding[];
  readonly scores: readonly Score[];
  readonly difference?: Difference;
  /** Entries of the baseline whose finding was not seen. */
  readonly unused: readonly BaselineEntry[];
}

/** What a report takes beside the result. */
export interface ReportOptions {
  readonly baseline?: Baseline;
  /** What an earlier scan found broken. */
  readonly before?: readonly GoneFinding[];
  /** Unix milliseconds, for the expiry of the baseline; default: now. */
  readonly now?: number;
}

/** Makes a report of a finished scan. */
export function reportOf(result: ScanResult, options: ReportOptions = {}): Report {
  const now = options.now ?? Date.now();
  const entries = new Map((options.baseline?.entries ?? []).map((entry) => [entry.fingerprint, entry]));
  const before = options.before === undefined ? undefined : new Set(options.before.map((one) => one.fingerprint));
  const findings = findingsOf(result).map((finding): ReportedFinding => {
    const entry = entries.get(finding.fingerprint);
    const lapsed = entry === undefined ? undefined : lapseOf(entry, now);
    return {
      ...finding,
      ...(entry === undefined ? {} : lapsed === undefined ? { accepted: entry } : { lapsed }),
      ...(before === undefined ? {} : { since: before.has(finding.fingerprint) ? "unchanged" : "new" }),
    };
  });
  const seen = new Set(findings.map((finding) => finding.fingerprint));
  return {
    result,
    findings,
    scores: scoresOf(result.protections),
    ...(options.before === undefined ? {} : { difference: differenceOf(result, findings, options.before) }),
    unused: [...entries.values()].filter((entry) => !seen.has(entry.fingerprint)),
  };
}

/** Findings nobody answers for. */
export function openFindings(report: Report): readonly ReportedFinding[] {
  return report.findings.filter((finding) => finding.accepted === undefined);
}

/**
 * How the command ends: 1 where an open finding is at least as bad as `failOn`, else 2 where something is inconclusive,
 * else 0. With `never` it is always 0; a scan that could not be done is 3 and makes no report.
 *
 * @param failOn  default `low`: every open finding counts
 */
export function exitCodeOf(report: Report, failOn: Priority | "never" = "low"): 0 | 1 | 2 {
  if (failOn === "never") return 0;
  if (openFindings(report).some(({ severity }) => isAtLeast(severity, failOn))) return 1;
  return report.result.counts.inconclusive > 0 ? 2 : 0;
}

/**
 * True where this scan proves that a finding is gone: its very check holds, or everything of its protection that was tried
 * on its operation does. A check that was left out or could not decide proves nothing, nor does an operation that the
 * description does not name any more.
 */
export function isClosedBy(
  result: ScanResult,
  finding: Pick<GoneFinding, "fingerprint" | "protection" | "operation">,
): boolean {
  const same = result.verdicts.filter((verdict) => fingerprintOf(verdict) === finding.fingerprint);
  if (same.length > 0)
    return (
      same.every(({ verdict }) => verdict !== "broken" && verdict !== "inconclusive") &&
      same.some(({ verdict, why }) => verdict === "held" || why.includes("410"))
    );
  const whole = result.protections.find((entry) => entry.protection === finding.protection);
  // Some checks have other names once they hold; then only the protection as a whole can say so.
  if (finding.operation === "") return whole?.verdict === "held";
  const here = result.verdicts.filter(
    (verdict) => verdict.protection === finding.protection && verdict.operation === finding.operation,
  );
  if (here.some(({ verdict }) => verdict === "broken" || verdict === "inconclusive")) return false;
  if (here.some(({ verdict }) => verdict === "held")) return true;
  // What is not described any more was not looked at; it may still be served.
  const isOffered = result.ledger.some((cell) => cell.operation === finding.operation);
  return isOffered && whole?.verdict === "held";
}

function differenceOf(
  result: ScanResult,
  findings: readonly ReportedFinding[],
  before: readonly GoneFinding[],
): Difference {
  const now = new Set(findings.map((finding) => finding.fingerprint));
  const gone = before.filter(({ fingerprint }) => !now.has(fingerprint));
  return {
    new: findings.filter(({ since }) => since === "new").length,
    unchanged: findings.filter(({ since }) => since === "unchanged").length,
    fixed: gone.filter((finding) => isClosedBy(result, finding)),
    undecided: gone.filter((finding) => !isClosedBy(result, finding)),
  };
}
