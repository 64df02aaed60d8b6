import type { Attempt } from "./attempt.ts";
import { type Variant, variants } from "./mutant.ts";
import type { Subject } from "./mutants.ts";

/** One API, what the scan said of it, and how that compares with what is true. */
export interface Outcome {
  readonly subject: Subject;
  readonly attempt: Attempt;
  /** One of the expected protections was reported. Of a clean twin: false. */
  readonly isDetected: boolean;
  /** Reported, and neither expected nor a necessary consequence. */
  readonly falseIds: readonly string[];
}

/** How many were found, and how much was said that is not so. */
export interface Score {
  readonly mutants: number;
  readonly detected: number;
  readonly falseFindings: number;
  /** Detected of all, 0 .. 1; 1 where there is none. */
  readonly recall: number;
  /** Detected of detected and false ones, 0 .. 1; 1 where nothing was said. */
  readonly precision: number;
}

/** Compares what was reported with what is true. A finding with another protection than the expected one is false. */
export function outcomeOf(subject: Subject, attempt: Attempt): Outcome {
  const { mutant } = subject;
  const reported = Object.keys(attempt.broken);
  const expected: readonly string[] = mutant?.expects ?? [];
  const excused = Object.keys(mutant?.also ?? {});
  return {
    subject,
    attempt,
    isDetected: reported.some((id) => expected.includes(id)),
    falseIds: reported.filter((id) => !expected.includes(id) && !excused.includes(id)),
  };
}

/** The score of all, and of each variant. False findings on the clean twins count as those on mutants do. */
export function scoreOf(outcomes: readonly Outcome[]): { all: Score; by: Partial<Record<Variant, Score>> } {
  const by: Partial<Record<Variant, Score>> = {};
  for (const variant of variants) {
    const own = outcomes.filter(({ subject }) => subject.variant === variant);
    if (own.length > 0) by[variant] = scoreOfSome(own);
  }
  return { all: scoreOfSome(outcomes), by };
}

function scoreOfSome(outcomes: readonly Outcome[]): Score {
  const mutants = outcomes.filter(({ subject }) => subject.mutant !== undefined).length;
  const detected = outcomes.filter(({ isDetected }) => isDetected).length;
  const falseFindings = outcomes.reduce((sum, { falseIds }) => sum + falseIds.length, 0);
  return {
    mutants,
    detected,
    falseFindings,
    recall: mutants === 0 ? 1 : round(detected / mutants),
    precision: detected + falseFindings === 0 ? 1 : round(detected / (detected + falseFindings)),
  };
}

function round(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}
