import { cpus } from "node:os";
import { checklist } from "portcullis/checklist";
import { struck } from "./mutants-struck.ts";
import type { Outcome, Score, scoreOf } from "./score.ts";

/** One run of the matrix. */
export interface Run {
  readonly score: ReturnType<typeof scoreOf>;
  readonly outcomes: readonly Outcome[];
  readonly minutes: number;
  /** What one scan could take at most. */
  readonly seconds: number;
}

/** For a terminal: the confusion matrix, what was missed, what was said wrongly, and the score. */
export function textOf({ score, outcomes, minutes }: Run): string {
  const confused = confusion(outcomes).map(([expected, reported]) => {
    const cells = [...reported].map(([id, count]) => `${id} ${count}`);
    return `  ${expected.padEnd(20)} ${cells.join(", ")}`;
  });
  return [
    "",
    "Expected, and what was reported:",
    ...confused,
    ...section(
      "Missed:",
      missed(outcomes).map(
        ({ subject, attempt }) => `  ${subject.id}: ${whyMissed(subject.mutant?.expects ?? [], attempt)}`,
      ),
    ),
    ...section("Said and not so:", wrong(outcomes)),
    "",
    ...scores(score).map(([name, one]) => `${name.padEnd(11)} ${sentence(one)}`),
    `${outcomes.length} scans in ${minutes.toFixed(1)} min, the longest ${longest(outcomes).toFixed(1)} s`,
    "",
  ].join("\n");
}

/** For the repository. */
export function markdownOf({ score, outcomes, minutes, seconds }: Run): string {
  const rows = confusion(outcomes);
  const columns = [...new Set(rows.flatMap(([, reported]) => [...reported.keys()]))].sort(byChecklist);
  return [
    "# The mutant matrix, measured",
    "",
    `Written by \`npm run matrix -- --write\` on ${machine()}. ${outcomes.length} scans, two at a time, at most ${seconds} s each: ${minutes.toFixed(1)} minutes, the longest ${longest(outcomes).toFixed(1)} s.`,
    "",
    "| APIs | mutants | found | said and not so | recall | precision |",
    "|---|---:|---:|---:|---:|---:|",
    ...scores(score).map(
      ([name, one]) =>
        `| ${name} | ${one.mutants} | ${one.detected} | ${one.falseFindings} | ${one.recall} | ${one.precision} |`,
    ),
    "",
    "## Expected and reported",
    "",
    "A row per protection that was broken, a column per protection that was reported; `nothing` is the clean twins' row and the missed mutants' column.",
    "",
    `| expected | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---:|").join("")}`,
    ...rows.map(
      ([expected, reported]) => `| ${expected} | ${columns.map((id) => reported.get(id) ?? "").join(" | ")} |`,
    ),
    "",
    "## Missed",
    "",
    ...missed(outcomes).map(
      ({ subject, attempt }) =>
        `- \`${subject.id}\` (${subject.mutant?.mistake}): ${whyMissed(subject.mutant?.expects ?? [], attempt)}`,
    ),
    "",
    "## Said and not so",
    "",
    ...wrong(outcomes).map((line) => `- ${line.trim()}`),
    "",
    "## Every mutant",
    "",
    "| API | mistake | expected | consequences | found |",
    "|---|---|---|---|---|",
    ...outcomes
      .filter(({ subject }) => subject.mutant !== undefined)
      .map(({ subject: { id, mutant }, isDetected }) => {
        const also = Object.entries(mutant?.also ?? {}).map(([other, why]) => `${other}: ${why}`);
        return `| ${id} | ${mutant?.mistake} | ${mutant?.expects.join(" or ")} | ${also.join("; ")} | ${isDetected ? "yes" : "no"} |`;
      }),
    "",
    "## Struck out before the first run",
    "",
    "| API | mistake | why it is none |",
    "|---|---|---|",
    ...struck.map(({ id, mistake, why }) => `| ${id} | ${mistake} | ${why} |`),
    "",
  ].join("\n");
}

/** For programs. */
export function jsonOf({ score, outcomes, minutes, seconds }: Run): string {
  const results = outcomes.map(({ subject, attempt, isDetected, falseIds }) => ({
    id: subject.id,
    expects: subject.mutant?.expects ?? [],
    isDetected,
    falseIds,
    ...attempt,
  }));
  return `${JSON.stringify({ machine: machine(), seconds, minutes: Math.round(minutes * 10) / 10, ...score.all, by: score.by, results }, null, 2)}\n`;
}

function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model.trim() ?? "a processor"}, ${process.platform} ${process.arch}, Node ${process.versions.node}`;
}

/** Rows in the checklist's order; a mutant whose finding is missing counts as `nothing`. */
function confusion(outcomes: readonly Outcome[]): readonly (readonly [string, ReadonlyMap<string, number>])[] {
  const rows = new Map<string, Map<string, number>>();
  for (const { subject, attempt } of outcomes) {
    const expected = subject.mutant?.expects[0] ?? "nothing";
    const row = rows.get(expected) ?? new Map<string, number>();
    rows.set(expected, row);
    const reported = Object.keys(attempt.broken);
    for (const id of reported.length === 0 ? ["nothing"] : reported) row.set(id, (row.get(id) ?? 0) + 1);
  }
  return [...rows].sort(([left], [right]) => byChecklist(left, right));
}

function byChecklist(left: string, right: string): number {
  const place = (id: string) => checklist.findIndex((row) => row.id === id);
  return place(left) - place(right);
}

function missed(outcomes: readonly Outcome[]): readonly Outcome[] {
  return outcomes.filter(({ subject, isDetected }) => subject.mutant !== undefined && !isDetected);
}

function whyMissed(expects: readonly string[], { failed, inconclusive }: Outcome["attempt"]): string {
  if (failed !== undefined) return failed;
  const reasons = expects.flatMap((id) =>
    inconclusive[id] === undefined ? [] : [`${id} inconclusive: ${inconclusive[id]}`],
  );
  return reasons.length === 0 ? `${expects.join(", ")}: nothing was noticed` : reasons.join("; ");
}

function wrong(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.flatMap(({ subject, attempt, falseIds }) =>
    falseIds.map((id) => `  ${subject.id}: ${id}: ${attempt.broken[id] ?? ""}`),
  );
}

function scores({ all, by }: Run["score"]): readonly (readonly [string, Score])[] {
  return [...Object.entries(by), ["all", all]];
}

function sentence({ mutants, detected, falseFindings, recall, precision }: Score): string {
  return `${detected} of ${mutants} found, ${falseFindings} said and not so: recall ${recall}, precision ${precision}`;
}

function longest(outcomes: readonly Outcome[]): number {
  return Math.max(0, ...outcomes.map(({ attempt }) => attempt.durationMs)) / 1000;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}
