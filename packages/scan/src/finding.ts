import { createHash } from "node:crypto";
import { checklist, type Priority, type ProtectionId, protection } from "portcullis/checklist";
import { commandOf } from "./command.ts";
import { cweOf } from "./cwe.ts";
import type { Exchange } from "./exchange.ts";
import { severities, severityOf } from "./severity.ts";
import type { ScanResult } from "./scan.ts";
import type { Verdict } from "./verdict.ts";

/** One thing that is broken, with everything a person needs to believe it, to see it again and to mend it. */
export interface Finding {
  /** The same for the same hole in every scan, whatever ids, ports and moments: 32 hexadecimal digits. */
  readonly fingerprint: string;
  readonly protection: ProtectionId;
  /** The protection's title, such as "Object access". */
  readonly title: string;
  readonly check: string;
  /** Undefined where it concerns the API as a whole. */
  readonly operation?: string;
  readonly severity: Priority;
  /** OWASP API Security Top 10 2023, such as `API1`. */
  readonly owasp: readonly string[];
  /** CWE numbers, the most specific first. */
  readonly cwe: readonly number[];
  /** OWASP ASVS 5.0 requirements. */
  readonly asvs: readonly string[];
  /** One sentence: what is wrong. */
  readonly why: string;
  /** One sentence: which answers show it. */
  readonly proof: string;
  /** In how many ways it was shown, such as with how many pairs of callers. */
  readonly times: number;
  readonly evidence: readonly Exchange[];
  /** Shell lines that show it again; credentials are variables. */
  readonly command: string;
  /** The page of the protection, below the repository's root. */
  readonly page: string;
}

/**
 * What a scan found broken: protections by the worst that was found of them, in each the worst first. The same check at the
 * same operation, broken with several pairs of callers, is one finding.
 */
export function findingsOf(result: ScanResult): readonly Finding[] {
  const found = Map.groupBy(
    result.verdicts.filter((verdict) => verdict.verdict === "broken"),
    fingerprintOf,
  );
  const findings = [...found].flatMap(([fingerprint, verdicts]) => {
    const [first] = verdicts;
    return first === undefined ? [] : [findingOf(fingerprint, first, verdicts.length, result)];
  });
  const rank = (severity: Priority) => severities.indexOf(severity);
  const worst = new Map<ProtectionId, number>();
  for (const { protection: id, severity } of findings)
    worst.set(id, Math.min(worst.get(id) ?? severities.length, rank(severity)));
  const order = (id: ProtectionId) => (worst.get(id) ?? 0) * checklist.length + places.indexOf(id);
  return findings.sort(
    (left, right) => order(left.protection) - order(right.protection) || rank(left.severity) - rank(right.severity),
  );
}

const places = checklist.map((row) => row.id);

/**
 * The name of a check at an operation that lasts: made of the protection, the check and the operation with its parameters
 * unnamed, so that neither a renamed parameter nor another wording of the reason is a new finding.
 */
export function fingerprintOf(verdict: {
  readonly protection: string;
  readonly check: string;
  readonly operation?: string | undefined;
}): string {
  const operation = (verdict.operation ?? "").replaceAll(/:\w+|\{[^}]*\}/g, "{}");
  return createHash("sha256")
    .update(`${verdict.protection}\n${verdict.check}\n${operation}`)
    .digest("hex")
    .slice(0, 32);
}

/** Findings of one check that say the same of several operations, as reports show them. */
export interface FindingGroup<F extends Finding = Finding> {
  readonly first: F;
  readonly findings: readonly F[];
  /** Its reason, with the operation left out where there are several. */
  readonly why: string;
  /** Without doubles, in the order they were found. */
  readonly operations: readonly string[];
}

/** Groups findings by check and reason, in their order; the same mistake at thirty operations is one entry. */
export function groupedFindings<F extends Finding>(findings: readonly F[]): readonly FindingGroup<F>[] {
  const groups = Map.groupBy(findings, (one) => [one.protection, one.check, one.severity, wording(one)].join("\n"));
  return [...groups.values()].flatMap((list) => {
    const [first] = list;
    if (first === undefined) return [];
    const operations = [...new Set(list.flatMap(({ operation }) => operation ?? []))];
    return [{ first, findings: list, operations, why: list.length === 1 ? first.why : capital(wording(first)) }];
  });
}

function findingOf(fingerprint: string, verdict: Verdict, times: number, result: ScanResult): Finding {
  const { title, owasp, asvs } = protection(verdict.protection);
  return {
    fingerprint,
    protection: verdict.protection,
    title,
    check: verdict.check,
    ...(verdict.operation === undefined ? {} : { operation: verdict.operation }),
    severity: severityOf(verdict.protection, verdict.check),
    owasp,
    cwe: cweOf(verdict.protection, verdict.check),
    asvs,
    why: verdict.why,
    proof: proofOf(verdict.evidence),
    times,
    evidence: verdict.evidence,
    command: commandOf(verdict, result),
    page: `docs/protections/${verdict.protection}.md`,
  };
}

/** The legs in words: who was answered what. */
function proofOf(evidence: readonly Exchange[]): string {
  const parts = (["positive", "negative", "attack", "reread"] as const).flatMap((leg) => {
    const own = evidence.filter((exchange) => exchange.leg === leg);
    const [first] = own;
    if (first === undefined) return [];
    const answers = [...new Set(own.map(answered))].join(", then ");
    const often = own.length > 1 && new Set(own.map(answered)).size === 1 ? `, ${own.length} times` : "";
    return [`${roles[leg]} (${first.as}) ${answers}${often}`];
  });
  return parts.length === 0 ? "No request was kept." : `${capital(parts.join("; "))}.`;
}

const roles = {
  positive: "the allowed request",
  negative: "a request known to be bad",
  attack: "the attack",
  reread: "what was read afterwards",
} as const;

function answered({ answer }: Exchange): string {
  return "status" in answer ? `was answered ${answer.status}` : `got no answer (${answer.failed})`;
}

function wording({ operation, why }: Finding): string {
  return operation === undefined ? why : why.replaceAll(operation, "it");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
