import { checklist, type ProtectionId } from "portcullis/checklist";
import type { ProbeContext } from "./context.ts";
import type { Check, Probe } from "./probe.ts";
import { probes } from "./probes.ts";
import { supabaseChecks } from "./supabase-tables.ts";
import type { Operation, Target } from "./target.ts";
import { whyUnproved } from "./unguarded.ts";
import { fold, leftOut, type Verdict, type VerdictKind, withoutProbe } from "./verdict.ts";

/** A check of the plan and the probe it belongs to. */
export interface PlannedCheck {
  readonly probe: Probe;
  readonly check: Check;
}

/** One cell of the ledger: what was proved of one protection on one operation, or why nothing was. */
export interface LedgerEntry {
  readonly operation: string;
  readonly protection: ProtectionId;
  readonly verdict: VerdictKind;
  readonly why: string;
}

/** Which protections a scan is about. */
export interface Selection {
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  /** Of those protections only what answers these questions, so that one finding can be looked at again; default all. */
  readonly checks?: readonly WantedCheck[];
}

/** One question a scan can be narrowed to, as a verdict names it. */
export interface WantedCheck {
  readonly protection: string;
  readonly check: string;
  readonly operation?: string;
}

/** True where the protection was asked for. */
export function isSelected(id: ProtectionId, selection: Selection): boolean {
  if (selection.skip?.includes(id) === true) return false;
  return selection.only === undefined || selection.only.length === 0 || selection.only.includes(id);
}

/** Everything the scan would do, in the order it is done; probes of limits come last because they use them up. */
export function plan(context: ProbeContext, selection: Selection): readonly PlannedCheck[] {
  const all = probes
    .filter((probe) => isSelected(probe.id, selection))
    .flatMap((probe) => {
      const checks = [...probe.plan(context), ...supabaseChecks(context, probe.id)];
      return checks.map((check) => ({ probe, check }));
    });
  const { checks } = selection;
  if (checks === undefined) return all;
  const wanted = new Set(checks.flatMap((check) => answering(check, all)));
  return all.filter((entry) => wanted.has(entry));
}

/**
 * The planned checks that answer a question. One run may answer several under names of their own; then it is every run of
 * the protection at that operation.
 */
function answering(
  { protection, check, operation }: WantedCheck,
  all: readonly PlannedCheck[],
): readonly PlannedCheck[] {
  const own = all.filter(({ probe }) => probe.id === protection);
  const here = own.filter((entry) => entry.check.operation?.id === operation);
  const exact = here.filter((entry) => entry.check.check === check);
  return exact.length > 0 ? exact : here.length > 0 ? here : own;
}

/**
 * Operations by protections: each cell has a verdict and a reason. A protection proved for the whole API at once shows
 * that in the cells of the operations it was not tried on.
 */
export function ledgerOf(target: Target, verdicts: readonly Verdict[], selection: Selection): readonly LedgerEntry[] {
  const cells: LedgerEntry[] = [];
  for (const { id } of checklist) {
    const own = verdicts.filter((verdict) => verdict.protection === id);
    for (const operation of [...target.operations, ...target.webhooks]) {
      cells.push({ operation: operation.id, protection: id, ...cellOf(id, operation, own, selection) });
    }
    for (const { operation, why } of target.untouched) {
      cells.push({ operation, protection: id, verdict: "not-applicable", why });
    }
    for (const unguarded of target.unguarded) {
      cells.push({
        operation: unguarded.route,
        protection: id,
        verdict: "inconclusive",
        why: whyUnproved(unguarded),
      });
    }
  }
  return cells;
}

function cellOf(
  id: ProtectionId,
  operation: Operation,
  own: readonly Verdict[],
  selection: Selection,
): { verdict: VerdictKind; why: string } {
  const unproved = withoutProbe(id);
  if (unproved !== undefined) return { verdict: "not-applicable", why: unproved };
  if (!isSelected(id, selection)) return { verdict: "not-applicable", why: leftOut };
  const here = own.filter((verdict) => verdict.operation === operation.id);
  if (here.length > 0) {
    const { verdict, why } = fold(id, here);
    return { verdict, why };
  }
  const decided = own.filter((verdict) => verdict.verdict !== "not-applicable");
  const isWhole = decided.some((verdict) => verdict.operation === undefined);
  const elsewhere = isWhole ? "Tried for the API as a whole." : "Tried on other operations, not on this one.";
  return {
    verdict: "not-applicable",
    why: decided.length > 0 ? elsewhere : (own[0]?.why ?? "Nothing to attack here."),
  };
}
