import { groupedFindings } from "../finding.ts";
import { openFindings, type Report, type ReportedFinding } from "../report.ts";
import { scoreFormula } from "../score.ts";
import type { VerdictKind } from "../verdict.ts";
import { counted, visible } from "./text.ts";

/** How the Markdown is written. */
export interface MarkdownOptions {
  /** Most characters; GitHub takes comments of 65,536. What does not fit is counted at the end. Default 60,000. */
  readonly maxLength?: number;
}

/** The report as Markdown, for a comment on a pull request or a job summary; the worst first. */
export function markdownReport(report: Report, options: MarkdownOptions = {}): string {
  const maxLength = options.maxLength ?? 60_000;
  const parts = [...heading(report), ...scores(report), ...changes(report)];
  const groups = groupedFindings(openFindings(report));
  const tail = [...accepted(report), ...unproved(report)];
  let length = [...parts, ...tail].join("\n").length + 400;
  let shown = 0;
  if (groups.length > 0) parts.push("", "## What is broken");
  for (const group of groups) {
    const text = findingText(group.first, group.why, group.operations);
    if (length + text.length > maxLength) break;
    parts.push(text);
    length += text.length + 1;
    shown += 1;
  }
  if (shown < groups.length) parts.push("", `…and ${groups.length - shown} more, in the HTML and JSON reports.`);
  return `${[...parts, ...tail].join("\n")}\n`;
}

/** Text that Markdown and HTML leave as it is, on one line. */
export function markdownText(text: string): string {
  return (
    visible(text)
      .replaceAll(/[\\`*_{}[\]()#+\-.!|~$:@]/g, (unit) => (/[-.:()!+]/.test(unit) ? unit : `\\${unit}`))
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll(/:\/\//g, ":&#47;&#47;")
      .replaceAll(/\bwww\./gi, (text) => `${text.slice(0, 3)}&#46;`)
      .replace(/^(\s*)([-+])/, "$1\\$2")
      // A backslash before a digit would be shown: it is the dot that makes a list.
      .replace(/^(\s*\d+)([.)])/, "$1\\$2")
  );
}

/** A text as code inside a line, whatever it contains. */
export function markdownCode(text: string): string {
  const clean = visible(text).replaceAll("|", "\\|");
  const ticks = "`".repeat(longestRun(clean) + 1);
  const space = clean.startsWith("`") || clean.endsWith("`") || clean === "" ? " " : "";
  return `${ticks}${space}${clean}${space}${ticks}`;
}

/** A block of code that nothing in it can end. */
export function markdownBlock(text: string, language: string): string {
  const clean = visible(text, "\n");
  const fence = "`".repeat(Math.max(3, longestRun(clean) + 1));
  return `${fence}${language}\n${clean}\n${fence}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
}

const words: Readonly<Record<VerdictKind, string>> = {
  broken: "broken",
  held: "held",
  inconclusive: "inconclusive",
  "not-applicable": "not applicable",
};

function heading({ result, findings }: Report): readonly string[] {
  const { counts, target } = result;
  const open = findings.filter((finding) => finding.accepted === undefined).length;
  const verdict =
    open > 0
      ? `❌ ${counted(open, "finding")}`
      : counts.inconclusive > 0
        ? "⚠️ not everything was decided"
        : "✅ all held";
  const numbers = (["held", "broken", "inconclusive", "not-applicable"] as const).map(
    (kind) => `${counts[kind]} ${words[kind]}`,
  );
  return [
    `# Portcullis: ${verdict}`,
    "",
    `${markdownText(target.name)} at ${markdownCode(target.url)}, ${counted(target.operations, "operation")}, ` +
      `${counted(result.requests, "request")}, ${result.startedAt.slice(0, 16).replace("T", " ")} UTC. ${numbers.join(" · ")}.`,
  ];
}

function scores({ scores: all }: Report): readonly string[] {
  const rows = all
    .filter((score) => score.percent !== undefined)
    .map(
      (score) => `| ${score.priority} | ${score.percent} % | ${score.held} | ${score.broken} | ${score.inconclusive} |`,
    );
  if (rows.length === 0) return [];
  return [
    "",
    "| priority | score | held | broken | inconclusive |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
    `<sub>Score: ${scoreFormula}</sub>`,
  ];
}

function changes({ difference }: Report): readonly string[] {
  if (difference === undefined) return [];
  const { fixed, undecided } = difference;
  const list = (found: typeof fixed) =>
    found.slice(0, 20).map((one) => `- ${one.protection}: ${markdownText(one.why)}`);
  return [
    "",
    `**Since the earlier scan:** ${difference.new} new, ${fixed.length} fixed, ${difference.unchanged} unchanged` +
      (undecided.length === 0 ? "." : `, ${undecided.length} neither seen nor proved closed.`),
    ...(fixed.length === 0 ? [] : ["", "Fixed:", "", ...list(fixed)]),
    ...(undecided.length === 0 ? [] : ["", "Neither seen nor proved closed:", "", ...list(undecided)]),
  ];
}

function findingText(finding: ReportedFinding, why: string, operations: readonly string[]): string {
  const ids = [...finding.owasp.map((id) => `OWASP ${id}:2023`), ...finding.cwe.map((id) => `CWE-${id}`)];
  const where = operations.slice(0, 5).map(markdownCode).join(", ");
  const more = operations.length > 5 ? ` and ${operations.length - 5} more` : "";
  return [
    "",
    `### ${finding.severity}: ${markdownText(why)}`,
    "",
    `${finding.protection} / ${markdownText(finding.check)} · ${ids.join(" · ")}${finding.since === "new" ? " · **new**" : ""}`,
    ...(where === "" ? [] : ["", `At ${where}${more}.`]),
    ...(finding.lapsed === undefined ? [] : ["", `It counts: ${markdownText(finding.lapsed)}.`]),
    "",
    markdownText(finding.proof),
    "",
    "<details><summary>See it again</summary>",
    "",
    markdownBlock(finding.command, "sh"),
    "",
    "</details>",
  ].join("\n");
}

function accepted({ findings, unused }: Report): readonly string[] {
  const standing = findings.filter((finding) => finding.accepted !== undefined);
  const lines = standing
    .slice(0, 50)
    .map(({ protection, check, operation = "the API as a whole", accepted: entry }) => {
      const cells = [protection, check, operation, entry?.reason ?? "", entry?.owner ?? "", entry?.expires ?? ""];
      return `| ${cells.map(markdownText).join(" | ")} |`;
    });
  if (lines.length === 0 && unused.length === 0) return [];
  return [
    ...(lines.length === 0
      ? []
      : [
          "",
          `## What somebody answers for (${standing.length})`,
          "",
          "| protection | check | operation | reason | owner | until |",
          "| --- | --- | --- | --- | --- | --- |",
          ...lines,
          ...(standing.length > 50 ? ["", `…and ${standing.length - 50} more.`] : []),
        ]),
    ...(unused.length === 0
      ? []
      : ["", `${counted(unused.length, "entry", "entries")} of the baseline were not seen.`]),
  ];
}

function unproved({ result }: Report): readonly string[] {
  const open = result.verdicts.filter(({ verdict }) => verdict === "inconclusive");
  const reasons = new Map<string, number>();
  for (const { protection, why } of open) {
    const line = `${protection}: ${why}`;
    reasons.set(line, (reasons.get(line) ?? 0) + 1);
  }
  for (const { protection, untried } of result.protections)
    for (const why of untried) reasons.set(`${protection}: not tried: ${why}`, 1);
  if (reasons.size === 0) return [];
  const lines = [...reasons]
    .slice(0, 30)
    .map(([why, times]) => `- ${markdownText(why)}${times > 1 ? ` (${times} times)` : ""}`);
  return [
    "",
    "## What was not proved",
    "",
    ...lines,
    ...(reasons.size > 30 ? [`- …and ${reasons.size - 30} more reasons`] : []),
  ];
}
