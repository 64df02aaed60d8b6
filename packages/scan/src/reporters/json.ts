import type { ScanResult } from "../scan.ts";

/** The whole result as one JSON document, with evidence and ledger; secrets are redacted already. */
export function jsonReport(result: ScanResult): string {
  return `${JSON.stringify({ format: 1, ...result }, null, 2)}\n`;
}
