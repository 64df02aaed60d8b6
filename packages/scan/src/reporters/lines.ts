import type { ScanResult } from "../scan.ts";
import type { Verdict } from "../verdict.ts";
import { jsonText } from "./text.ts";

/**
 * One verdict as a line of JSON, for a file that grows while the scan runs: what was written before a crash is not lost.
 * Secrets are redacted already.
 */
export function verdictLine(verdict: Verdict): string {
  return `${jsonText({ type: "verdict", ...verdict })}\n`;
}

/** The first line: what is scanned, when it began. A file without a line of type `end` is of a scan that did not end. */
export function startLine(url: string, startedAt: string): string {
  return `${jsonText({ type: "start", format: 1, url, startedAt })}\n`;
}

/**
 * The last line: what all verdicts add up to. Verdicts that were taken back at the end, because the identity that proved
 * them had died, stand here again as they count.
 *
 * @param streamed  the verdicts that were written, in any order
 */
export function endLine(result: ScanResult, streamed: readonly Verdict[]): string {
  const written = new Set(streamed);
  const revised = result.verdicts.filter((verdict) => !written.has(verdict));
  const { verdicts: _verdicts, ledger: _ledger, ...summary } = result;
  return `${jsonText({ type: "end", ...summary, revised })}\n`;
}
