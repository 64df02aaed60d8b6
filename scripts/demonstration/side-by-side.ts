import type { ScanResult, VerdictKind } from "@portcullis/scan";
import { checklist } from "portcullis/checklist";
import type { Colors } from "./colors.ts";

const marks: Readonly<Record<VerdictKind, string>> = {
  held: "✓ held",
  broken: "✗ broken",
  inconclusive: "? undecided",
  "not-applicable": "· not probed",
};

/**
 * The two results beside each other, a line per protection, with what broke the unprotected API (or what could not be
 * decided of the protected one) in one sentence.
 *
 * @param width  columns of the terminal
 */
export function sideBySide(good: ScanResult, bad: ScanResult, colors: Colors, width: number): string {
  const nameWidth = Math.max(...checklist.map((row) => row.id.length)) + 2;
  const cell = 14;
  const left = nameWidth + cell * 2;
  const lines = [
    colors.bold(`${"protection".padEnd(nameWidth)}${"protected".padEnd(cell)}${"unprotected".padEnd(cell)}`),
    colors.dim("─".repeat(Math.min(width, 110))),
  ];
  for (const { id } of checklist) {
    const ours = resultOf(good, id);
    const theirs = resultOf(bad, id);
    const why = ours.verdict === "held" || ours.verdict === "not-applicable" ? theirs.why : ours.why;
    const text = `${id.padEnd(nameWidth)}${paint(ours.verdict, cell, colors)}${paint(theirs.verdict, cell, colors)}`;
    lines.push(`${text}${colors.dim(clip(why, width - left))}`);
  }
  return lines.join("\n");
}

/** `H held, B broken, I inconclusive`. */
export function countsOf(result: ScanResult): string {
  const { held, broken, inconclusive } = result.counts;
  return `${held} held, ${broken} broken, ${inconclusive} inconclusive`;
}

function resultOf(result: ScanResult, id: string): { readonly verdict: VerdictKind; readonly why: string } {
  return result.protections.find((one) => one.protection === id) ?? { verdict: "not-applicable", why: "" };
}

function paint(verdict: VerdictKind, width: number, colors: Colors): string {
  const text = marks[verdict].padEnd(width);
  if (verdict === "held") return colors.green(text);
  if (verdict === "broken") return colors.red(text);
  return verdict === "inconclusive" ? colors.yellow(text) : colors.dim(text);
}

function clip(text: string, width: number): string {
  if (width < 12) return "";
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
