import type { ScanResult, VerdictKind } from "@portcullis/scan";
import { checklist } from "portcullis/checklist";
import type { Protection } from "portcullis/checklist";
import { isPlanned } from "../docs.ts";
import type { Colors } from "./colors.ts";
import { wrapped } from "./text.ts";

const marks: Readonly<Record<VerdictKind | "planned", string>> = {
  held: "✓ held",
  broken: "✗ broken",
  inconclusive: "? inconclusive",
  "not-applicable": "· n/a",
  planned: "○ planned",
};

/**
 * The two results beside each other, a row per protection, with what broke the unprotected API (or what could not be
 * decided of the protected one) in one sentence.
 *
 * @param width  columns of the terminal
 */
export function sideBySide(good: ScanResult, bad: ScanResult, colors: Colors, width: number): string {
  const rows = checklist.map((row) => rowOf(row, good, bad));
  const columns = [
    widest(["protection", ...rows.map(({ id }) => id)]),
    widest(["protected", ...rows.map(({ ours }) => marks[ours])]),
    widest(["unprotected", ...rows.map(({ theirs }) => marks[theirs])]),
  ] as const;
  const left = columns[0] + columns[1] + columns[2];
  const room = Math.max(24, Math.min(width, 120) - left);
  const lines = [
    `${"protection".padEnd(columns[0])}${"protected".padEnd(columns[1])}${"unprotected".padEnd(columns[2])}what got through`,
    colors.dim("─".repeat(Math.min(width, 120))),
  ];
  for (const { id, ours, theirs, why } of rows) {
    const [first = "", ...more] = wrapped(why, room);
    const verdicts = `${paint(ours, columns[1], colors)}${paint(theirs, columns[2], colors)}`;
    lines.push(`${id.padEnd(columns[0])}${verdicts}${colors.dim(first)}`.trimEnd());
    for (const line of more) lines.push(`${" ".repeat(left)}${colors.dim(line)}`);
  }
  return lines.join("\n");
}

/** The two counts below each other, one row per API; what a reader looks for first. */
export function summary(good: ScanResult, bad: ScanResult, colors: Colors): string {
  const kinds = ["held", "broken", "inconclusive"] as const;
  const row = (name: string, result: ScanResult): string => {
    const cells = kinds.map((kind) => {
      const text = `${String(result.counts[kind]).padStart(7)} ${kind}`;
      return result.counts[kind] === 0 ? colors.dim(text) : colorOf(kind, colors)(text);
    });
    return `  ${name.padEnd(11)}${cells.join("")}`;
  };
  return [colors.bold("Result"), row("protected", good), row("unprotected", bad)].join("\n");
}

/** `H held, B broken, I inconclusive`. */
export function countsOf(result: ScanResult): string {
  const { held, broken, inconclusive } = result.counts;
  return `${held} held, ${broken} broken, ${inconclusive} inconclusive`;
}

interface Row {
  readonly id: string;
  readonly ours: VerdictKind | "planned";
  readonly theirs: VerdictKind | "planned";
  readonly why: string;
}

function rowOf(row: Protection, good: ScanResult, bad: ScanResult): Row {
  const { id, probe } = row;
  // What does not exist yet claims nothing, and has no reason to give.
  if (probe === "planned" || isPlanned(row)) return { id, ours: "planned", theirs: "planned", why: "" };
  const ours = resultOf(good, id);
  const theirs = resultOf(bad, id);
  const isFine = ours.verdict === "held" || ours.verdict === "not-applicable";
  return { id, ours: ours.verdict, theirs: theirs.verdict, why: isFine ? theirs.why : ours.why };
}

function resultOf(result: ScanResult, id: string): { readonly verdict: VerdictKind; readonly why: string } {
  return result.protections.find((one) => one.protection === id) ?? { verdict: "not-applicable", why: "" };
}

/** Columns the longest text takes, with a gap behind it. */
function widest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length)) + 2;
}

function paint(verdict: VerdictKind | "planned", width: number, colors: Colors): string {
  return colorOf(verdict, colors)(marks[verdict].padEnd(width));
}

function colorOf(verdict: VerdictKind | "planned", colors: Colors): (text: string) => string {
  if (verdict === "held") return colors.green;
  if (verdict === "broken") return colors.red;
  return verdict === "inconclusive" ? colors.yellow : colors.dim;
}
