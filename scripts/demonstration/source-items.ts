import type { ScanResult, VerdictKind } from "@portcullis/scan";
import { checklist } from "portcullis/checklist";
import { coverageItems, sourceLists } from "../coverage-items.ts";
import type { CoverageItem } from "../coverage-items.ts";
import type { Colors } from "./colors.ts";
import { clipped, joined, wrapped } from "./text.ts";

/**
 * The five source checklists, item by item: how the protections that answer an item stood up in the protected and in the
 * unprotected API. What is planned gets no tick, and neither does what could not be decided.
 *
 * @param width  columns of the terminal; two items stand beside each other from 120 on
 */
export function sourceItems(good: ScanResult, bad: ScanResult, colors: Colors, width: number): string {
  const columns = width >= 120 ? 2 : 1;
  const cellWidth = Math.floor(Math.min(width, 160) / columns) - 2;
  const lines = [...explanation(colors, Math.min(width, 120))];
  for (const { list, title } of sourceLists) {
    const items = coverageItems.filter(({ item }) => item.startsWith(`${list}.`));
    const cells = items.map((item) => cellOf(item, good, bad, colors, cellWidth));
    lines.push("", colors.bold(`${list}  ${title}`));
    const rows = Math.ceil(cells.length / columns);
    for (let row = 0; row < rows; row++) {
      const left = cells[row];
      const right = columns === 1 ? undefined : cells[row + rows];
      if (left === undefined) continue;
      const gap = " ".repeat(Math.max(1, cellWidth - left.width + 2));
      lines.push(right === undefined ? left.text : `${left.text}${gap}${right.text}`);
    }
  }
  return lines.join("\n");
}

/** What the two marks before an item are, and what each mark says. */
function explanation(colors: Colors, width: number): readonly string[] {
  const legend = [
    [colors.green("✓"), "held"],
    [colors.red("✗"), "broken"],
    [colors.yellow("?"), "inconclusive"],
    ["·", "not visible from outside"],
    ["≈", "done otherwise"],
    ["◐", "in part"],
    ["○", "planned"],
  ] as const;
  const says =
    "How the protections that answer an item stood up: the protected API left, the unprotected one right. " +
    "docs/coverage.md says which protections, and why.";
  const parts = legend.map(([mark, meaning]) => `${mark} ${colors.dim(meaning)}`);
  const lengths = new Map(parts.map((part, index) => [part, 2 + (legend[index]?.[1].length ?? 0)]));
  return [
    ...wrapped(says, width).map((line) => colors.dim(line)),
    ...joined(parts, "   ", width, (part) => lengths.get(part) ?? part.length),
  ];
}

interface Cell {
  readonly text: string;
  readonly width: number;
}

function cellOf(item: CoverageItem, good: ScanResult, bad: ScanResult, colors: Colors, width: number): Cell {
  const says = clipped(item.says.replaceAll("`", ""), width - 12);
  const number = `${item.item}${item.state === "otherwise" ? " ≈" : ""}`.padEnd(7);
  const isPlanned = item.state === "planned";
  // What is answered in part only is not ticked: a verdict on the part would read as one on the whole.
  const ticks = isPlanned
    ? colors.dim("○  ")
    : item.state === "partly"
      ? colors.dim("◐  ")
      : `${tick(standing(item.item, good), colors)} ${tick(standing(item.item, bad), colors)}`;
  return { text: `${ticks} ${colors.dim(number)}${isPlanned ? colors.dim(says) : says}`, width: 4 + 7 + says.length };
}

/** The worst verdict among the protections that answer an item; what no probe can see counts as built. */
function standing(item: string, result: ScanResult): VerdictKind {
  const answering = checklist.filter((row) => row.sources.includes(item)).map((row) => row.id);
  const verdicts = result.protections.filter((one) => answering.includes(one.protection)).map((one) => one.verdict);
  return (["broken", "inconclusive", "held"] as const).find((kind) => verdicts.includes(kind)) ?? "not-applicable";
}

function tick(verdict: VerdictKind, colors: Colors): string {
  if (verdict === "broken") return colors.red("✗");
  if (verdict === "inconclusive") return colors.yellow("?");
  // A gate that cannot be seen from outside, such as audit, is held by the library's own tests.
  return verdict === "held" ? colors.green("✓") : colors.dim("·");
}
