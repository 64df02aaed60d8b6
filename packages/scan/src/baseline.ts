import type { Finding } from "./finding.ts";
import { isRecord, parseJson, textAt } from "./json.ts";
import { ScanError } from "./scan-error.ts";

/** Why somebody lets a finding stand. */
export const baselineReasons = ["false-positive", "accepted", "mitigated", "not-applicable"] as const;

/** One finding somebody answers for, for a time. */
export interface BaselineEntry {
  readonly fingerprint: string;
  /** For whoever reads the file; the fingerprint alone decides. */
  readonly protection: string;
  readonly check: string;
  readonly operation: string;
  /** Who answers for it: a person or a team. Nobody: the entry counts for nothing. */
  readonly owner: string;
  /** One of `baselineReasons`; anything else: the entry counts for nothing. */
  readonly reason: string;
  /** Last day it counts, `YYYY-MM-DD` in UTC. None: the entry counts for nothing. */
  readonly expires: string;
  readonly note: string;
}

/** The findings a team knows about and answers for. */
export interface Baseline {
  readonly format: 1;
  readonly entries: readonly BaselineEntry[];
}

/**
 * Reads a baseline. What an entry lacks is kept as an empty text and makes it count for nothing, which reports say: a
 * half-written entry must not hide a finding, and must not stop a scan either.
 *
 * @throws ScanError when it is no baseline at all, or two entries are of one finding
 */
export function readBaseline(text: string): Baseline {
  const file = parseJson(text);
  if (!isRecord(file) || file["format"] !== 1 || !Array.isArray(file["entries"]))
    throw new ScanError('the baseline is not one: it is {"format": 1, "entries": […]}, as --update-baseline writes it');
  const list: readonly unknown[] = file["entries"];
  const entries = list.map((entry, index) => {
    const member = (name: string) => (isRecord(entry) ? (textAt(entry, name) ?? "") : "").trim();
    const fingerprint = member("fingerprint");
    if (!/^[0-9a-f]{32}$/.test(fingerprint))
      throw new ScanError(`entry ${index + 1} of the baseline has no fingerprint of 32 hexadecimal digits`);
    return {
      fingerprint,
      protection: member("protection"),
      check: member("check"),
      operation: member("operation"),
      owner: member("owner"),
      reason: member("reason"),
      expires: member("expires"),
      note: member("note"),
    };
  });
  const prints = entries.map((entry) => entry.fingerprint);
  const double = prints.find((print, index) => prints.indexOf(print) !== index);
  if (double !== undefined) throw new ScanError(`two entries of the baseline are of the finding ${double}`);
  return { format: 1, entries };
}

/**
 * Why an entry counts for nothing; undefined where it counts.
 *
 * @param now  Unix milliseconds
 */
export function lapseOf(entry: BaselineEntry, now: number): string | undefined {
  if (entry.owner === "") return "its baseline entry has no owner";
  if (!isReason(entry.reason))
    return `its baseline entry has no reason (${baselineReasons.join(", ")}), ${entry.owner} owns it`;
  const end = lastMoment(entry.expires);
  if (end === undefined) return `its baseline entry has no day it expires (YYYY-MM-DD), ${entry.owner} owns it`;
  return now > end ? `its baseline entry expired on ${entry.expires}, ${entry.owner} owns it` : undefined;
}

/** What `--update-baseline` puts into new entries. Without an owner they count for nothing until somebody signs. */
export interface BaselineDefaults {
  readonly owner?: string;
  readonly reason?: string;
  readonly expires?: string;
  readonly note?: string;
}

/**
 * The baseline after a scan: an entry for every finding, those that were there unchanged, and those whose hole is proved
 * closed taken out. An entry is never renewed by itself.
 *
 * @param isClosed  true where the scan proved that the finding of this fingerprint is gone
 */
export function updatedBaseline(
  old: Baseline | undefined,
  findings: readonly Finding[],
  isClosed: (entry: BaselineEntry) => boolean,
  defaults: BaselineDefaults = {},
): Baseline {
  const kept = (old?.entries ?? []).filter(
    (entry) => findings.some(({ fingerprint }) => fingerprint === entry.fingerprint) || !isClosed(entry),
  );
  const known = new Set(kept.map((entry) => entry.fingerprint));
  const added = findings
    .filter(({ fingerprint }) => !known.has(fingerprint))
    .map(({ fingerprint, protection, check, operation = "" }) => ({
      fingerprint,
      protection,
      check,
      operation,
      owner: defaults.owner ?? "",
      reason: defaults.reason ?? "",
      expires: defaults.expires ?? "",
      note: defaults.note ?? "",
    }));
  return { format: 1, entries: [...kept, ...added] };
}

/** The last millisecond of a day; undefined where there is no such day. */
function lastMoment(day: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return undefined;
  const start = Date.parse(`${day}T00:00:00.000Z`);
  // 2026-02-31 is read as March by some parsers and refused by others: neither is the day that was written.
  const isDay = Number.isFinite(start) && new Date(start).toISOString().startsWith(day);
  return isDay ? start + 86_399_999 : undefined;
}

function isReason(text: string): boolean {
  return baselineReasons.some((reason) => reason === text);
}
