import type { ProtectionId } from "portcullis/checklist";
import type { Exchange } from "../src/exchange.ts";
import { type Report, type ReportOptions, reportOf } from "../src/report.ts";
import type { ScanResult, Verdict } from "../src/scan.ts";
import { countVerdicts, fold } from "../src/verdict.ts";
import { checklist } from "portcullis/checklist";

/** A finished scan made of verdicts, so that a test can say exactly what was found. */
export function resultOf(verdicts: readonly Verdict[], changed: Partial<ScanResult> = {}): ScanResult {
  const protections = checklist.map(({ id }) =>
    fold(
      id,
      verdicts.filter((verdict) => verdict.protection === id),
    ),
  );
  const operations = [...new Set(verdicts.flatMap(({ operation }) => operation ?? []))];
  const counts = countVerdicts(protections);
  return {
    target: { url: "http://localhost:3000", name: "things", source: "openapi", operations: operations.length },
    startedAt: "2026-01-02T03:04:05.678Z",
    durationMs: 1234,
    requests: 56,
    seed: 7,
    identities: ["alice", "bob"],
    assumptions: [],
    protections,
    counts,
    verdicts,
    ledger: checklist.flatMap(({ id }) =>
      operations.map((operation) => {
        const here = verdicts.filter((verdict) => verdict.protection === id && verdict.operation === operation);
        const { verdict, why } = fold(id, here);
        return { operation, protection: id, verdict, why };
      }),
    ),
    leftovers: [],
    exitCode: counts.broken > 0 ? 1 : counts.inconclusive > 0 ? 2 : 0,
    ...changed,
  };
}

/** One verdict; broken unless it is changed. */
export function verdictOf(protection: ProtectionId, check: string, changed: Partial<Verdict> = {}): Verdict {
  return {
    protection,
    check,
    verdict: "broken",
    why: "Something is wrong.",
    evidence: [exchangeWith({})],
    operation: "GET /things/:id",
    ...changed,
  };
}

/** One exchange of an attack. */
export function exchangeWith(changed: Partial<Exchange>): Exchange {
  return {
    leg: "attack",
    as: "bob",
    request: { method: "GET", target: "/things/1", headers: [["authorization", "Bearer <bob>"]] },
    answer: { status: 200, headers: [["content-type", "application/json"]], body: '{"id":1}', ms: 3 },
    ...changed,
  };
}

/** A report of verdicts. */
export function reportWith(verdicts: readonly Verdict[], options: ReportOptions = {}): Report {
  return reportOf(resultOf(verdicts), options);
}
