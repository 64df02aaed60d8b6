import type { Report } from "../report.ts";
import { jsonText } from "./text.ts";

/**
 * The whole report as one JSON document: the result with its evidence and ledger, findings by fingerprint (their exchanges
 * stand in the verdicts), scores, and what changed where an earlier scan was given. Secrets are redacted already.
 */
export function jsonReport(report: Report): string {
  const findings = report.findings.map(({ evidence: _evidence, ...finding }) => finding);
  const { result, scores, difference, unused } = report;
  const document = {
    format: 1,
    ...result,
    findings,
    scores,
    ...(difference === undefined ? {} : { difference }),
    unused,
  };
  return `${jsonText(document, 2)}\n`;
}
