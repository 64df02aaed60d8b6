import { checklist, type ProtectionId } from "portcullis/checklist";
import type { Exchange } from "./exchange.ts";

/**
 * How a protection stood up. `inconclusive` and `not-applicable` always say why; neither counts as held.
 */
export type VerdictKind = "broken" | "held" | "inconclusive" | "not-applicable";

/** What one check of one protection found. */
export interface Verdict {
  readonly protection: ProtectionId;
  /** Stable name of what was tried, such as `alg-none`. */
  readonly check: string;
  /** The operation it was tried on; undefined where it concerns the API as a whole. */
  readonly operation?: string;
  readonly verdict: VerdictKind;
  /** One sentence that a person can act on. */
  readonly why: string;
  /** The requests that prove it, in the order they were sent. */
  readonly evidence: readonly Exchange[];
  /** True where it was not tried because the scan was not given what it takes; `why` says what that is. */
  readonly untried?: true;
}

/** All verdicts of one protection, folded. */
export interface ProtectionResult {
  readonly protection: ProtectionId;
  readonly verdict: VerdictKind;
  /** The first reason; see `more`. */
  readonly why: string;
  /** How many other findings there are where it is broken, as reports count them; else how many other reasons. */
  readonly more: number;
  /** What was not tried because the scan was not given what it takes, one sentence each. */
  readonly untried: readonly string[];
  readonly counts: Readonly<Record<VerdictKind, number>>;
}

/**
 * Folds verdicts: one broken check breaks the protection, one inconclusive check leaves it inconclusive, and what is left is
 * held if anything was proved at all.
 */
export function fold(protection: ProtectionId, verdicts: readonly Verdict[]): ProtectionResult {
  const counts = countVerdicts(verdicts);
  const verdict = (["broken", "inconclusive", "held"] as const).find((kind) => counts[kind] > 0) ?? "not-applicable";
  const untried = [...new Set(verdicts.filter((entry) => entry.untried === true).map((entry) => entry.why))];
  return { protection, verdict, ...summary(verdict, verdicts, untried), untried, counts };
}

/** How many of each kind. */
export function countVerdicts(verdicts: readonly { readonly verdict: VerdictKind }[]): Record<VerdictKind, number> {
  const counts = { broken: 0, held: 0, inconclusive: 0, "not-applicable": 0 };
  for (const { verdict } of verdicts) counts[verdict] += 1;
  return counts;
}

function summary(
  kind: VerdictKind,
  verdicts: readonly Verdict[],
  untried: readonly string[],
): { why: string; more: number } {
  const same = verdicts.filter((entry) => entry.verdict === kind);
  const first = same[0];
  if (first === undefined) return { why: "Nothing of it can be seen from outside here.", more: 0 };
  if (kind === "held") {
    const hold = same.length === 1 ? "1 check holds" : `${same.length} checks hold`;
    const [gap] = untried;
    return {
      why: gap === undefined ? `${hold}.` : `${hold}; not tried: ${uncapital(gap)}`,
      more: Math.max(0, untried.length - 1),
    };
  }
  // The same check at the same operation is one finding, with however many pairs of callers it was shown.
  const told = same.map((entry) => (kind === "broken" ? `${entry.check}\n${entry.operation ?? ""}` : entry.why));
  return { why: first.why, more: new Set(told).size - 1 };
}

/** What is said of protections that were not asked for. */
export const leftOut = "Left out by --only or --skip.";

/** Why a row of the checklist has no probe; undefined where it has one. */
export function withoutProbe(id: ProtectionId): string | undefined {
  const row = checklist.find((entry) => entry.id === id);
  if (row === undefined || row.probe === "built") return undefined;
  if (row.probe === "planned") return "Its probe is planned; nothing is claimed.";
  return "none" in row.probe ? row.probe.none : `Proved with ${row.probe.in}.`;
}

/** A sentence as it goes on after a colon; `GET …` stays what it is. */
function uncapital(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
