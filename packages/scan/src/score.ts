import { type Priority, protection } from "portcullis/checklist";
import type { ProtectionResult } from "./verdict.ts";
import { severities } from "./severity.ts";

/** How much of one priority was proved. */
export interface Score {
  readonly priority: Priority;
  readonly held: number;
  readonly broken: number;
  readonly inconclusive: number;
  /** 0 .. 100, rounded down, so that 100 means everything; undefined where no protection of this priority applies. */
  readonly percent: number | undefined;
}

/** How a score is made, in words for the reader of a report. */
export const scoreFormula =
  "held ÷ (held + broken + inconclusive), per priority, over the protections that apply. What was not decided counts " +
  "like what is broken, and what somebody accepted is still broken.";

/** One score per priority, the gravest first. @param protections  as a scan folded them */
export function scoresOf(protections: readonly ProtectionResult[]): readonly Score[] {
  return severities.map((priority) => {
    const own = protections.filter((entry) => protection(entry.protection).priority === priority);
    const count = (kind: ProtectionResult["verdict"]) => own.filter((entry) => entry.verdict === kind).length;
    const [held, broken, inconclusive] = [count("held"), count("broken"), count("inconclusive")];
    const all = held + broken + inconclusive;
    return { priority, held, broken, inconclusive, percent: all === 0 ? undefined : Math.floor((held / all) * 100) };
  });
}
