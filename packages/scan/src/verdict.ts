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
}

/** All verdicts of one protection, folded. */
export interface ProtectionResult {
  readonly protection: ProtectionId;
  readonly verdict: VerdictKind;
  readonly why: string;
  readonly counts: Readonly<Record<VerdictKind, number>>;
}

/**
 * Folds verdicts: one broken check breaks the protection, one undecided check leaves it undecided, and what is left is
 * held if anything was proved at all.
 */
export function fold(protection: ProtectionId, verdicts: readonly Verdict[]): ProtectionResult {
  const counts = countVerdicts(verdicts);
  const verdict = (["broken", "inconclusive", "held"] as const).find((kind) => counts[kind] > 0) ?? "not-applicable";
  return { protection, verdict, why: summary(verdict, verdicts), counts };
}

/** How many of each kind. */
export function countVerdicts(verdicts: readonly { readonly verdict: VerdictKind }[]): Record<VerdictKind, number> {
  const counts = { broken: 0, held: 0, inconclusive: 0, "not-applicable": 0 };
  for (const { verdict } of verdicts) counts[verdict] += 1;
  return counts;
}

function summary(kind: VerdictKind, verdicts: readonly Verdict[]): string {
  const same = verdicts.filter((entry) => entry.verdict === kind);
  const first = same[0];
  if (first === undefined) return "Nothing of it can be seen from outside here.";
  if (kind === "held") return `${same.length} ${same.length === 1 ? "attack" : "attacks"} refused.`;
  const reasons = new Set(same.map((entry) => entry.why)).size;
  return reasons > 1 ? `${first.why} (and ${reasons - 1} more)` : first.why;
}

/** Why a row of the checklist has no probe; undefined where it has one. */
export function withoutProbe(id: ProtectionId): string | undefined {
  const row = checklist.find((entry) => entry.id === id);
  if (row === undefined || row.probe === "built") return undefined;
  if (row.probe === "planned") return "Its probe is planned; nothing is claimed.";
  return "none" in row.probe ? row.probe.none : `Proved with ${row.probe.in}.`;
}
