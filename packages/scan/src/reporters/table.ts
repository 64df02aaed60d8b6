import { createColors } from "picocolors";
import { checklist, type Priority } from "portcullis/checklist";
import { describedBy } from "../described-by.ts";
import type { Exchange } from "../exchange.ts";
import { groupedFindings } from "../finding.ts";
import { fixOf } from "../fixes.ts";
import { openFindings, type Report } from "../report.ts";
import type { ProtectionResult, ScanResult, VerdictKind } from "../scan.ts";
import { leftOut } from "../verdict.ts";
import { counted, fitted, wrapped } from "./text.ts";

/** How the table is drawn. */
export interface TableOptions {
  /** Columns, 60 .. 160; default 80. */
  readonly width?: number;
  /** Colours; default false, so that a file stays readable. */
  readonly color?: boolean;
}

/**
 * The result for people: protections grouped by priority with one line each, then what was found with its proof, then
 * what is inconclusive, what was not tried and what was left behind.
 */
export function tableReport(report: Report, options: TableOptions = {}): string {
  const { result } = report;
  const width = Math.min(160, Math.max(60, options.width ?? 80));
  const paint = createColors(options.color ?? false);
  const lines = [...heading(result, width, paint), ...groups(result, width, paint)];
  lines.push(
    ...findings(report, width, paint),
    ...standing(report, width, paint),
    ...openQuestions(result, width, paint),
  );
  lines.push(...untried(result, width, paint), ...notes(result, width, paint));
  lines.push("", ...totals(result, paint), "");
  return lines.join("\n");
}

type Paint = ReturnType<typeof createColors>;

const marks: Readonly<Record<VerdictKind, string>> = {
  broken: "✗",
  held: "✓",
  inconclusive: "?",
  "not-applicable": "-",
};

const words: Readonly<Record<VerdictKind, string>> = {
  broken: "BROKEN",
  held: "held",
  inconclusive: "inconclusive",
  "not-applicable": "n/a",
};

function painted(kind: VerdictKind, text: string, paint: Paint): string {
  if (kind === "broken") return paint.bold(paint.red(text));
  if (kind === "held") return paint.green(text);
  return kind === "inconclusive" ? paint.yellow(text) : paint.dim(text);
}

function heading(result: ScanResult, width: number, paint: Paint): readonly string[] {
  const { target } = result;
  const how = describedBy(target.source);
  const who = result.identities.length === 0 ? "as nobody" : `as ${result.identities.join(", ")}`;
  const line = fitted(`${target.name}, ${counted(target.operations, "operation")}, ${how}, ${who}`, width);
  return [paint.bold(target.url), line];
}

const priorities: readonly Priority[] = ["critical", "high", "medium", "low"];

function groups(result: ScanResult, width: number, paint: Paint): readonly string[] {
  const name = Math.max(...checklist.map((row) => row.id.length)) + 2;
  const verdict = 14;
  const lines: string[] = [];
  for (const priority of priorities) {
    const rows = checklist.filter((row) => row.priority === priority);
    const own = rows
      .flatMap((row) => result.protections.find((entry) => entry.protection === row.id) ?? [])
      .filter((entry) => entry.why !== leftOut);
    if (own.length === 0) continue;
    lines.push("", paint.bold(priority));
    for (const entry of own) {
      const room = width - 4 - name - verdict;
      const more = entry.more === 0 ? "" : ` (+${entry.more})`;
      const why = `${fitted(entry.why, room - more.length)}${more}`;
      const reason = entry.verdict === "broken" ? why : paint.dim(why);
      lines.push(
        `  ${painted(entry.verdict, marks[entry.verdict], paint)} ${entry.protection.padEnd(name)}${painted(entry.verdict, words[entry.verdict].padEnd(verdict), paint)}${reason}`,
      );
    }
  }
  return lines;
}

/** What is said of one protection, at however many operations. */
interface Reason {
  readonly why: string;
  readonly operations: readonly string[];
}

function foundBy(result: ScanResult, entry: ProtectionResult, kind: VerdictKind): readonly Reason[] {
  const found = new Map<string, { operations: string[] }>();
  for (const verdict of result.verdicts) {
    if (verdict.protection !== entry.protection || verdict.verdict !== kind) continue;
    // The same finding at many operations is one line, wherever its sentence names the operation.
    const why = verdict.operation === undefined ? verdict.why : verdict.why.replaceAll(verdict.operation, "it");
    const known = found.get(why) ?? { operations: [] };
    if (verdict.operation !== undefined) known.operations.push(verdict.operation);
    found.set(why, known);
  }
  return [...found].map(([why, { operations }]) => ({
    why: capital(why),
    operations: [...new Set(operations)],
  }));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const mostFindings = 3;

/** What nobody answers for, by protection, the worst first; with the fix once per protection. */
function findings(report: Report, width: number, paint: Paint): readonly string[] {
  const bad = Map.groupBy(openFindings(report), (finding) => finding.protection);
  if (bad.size === 0) return [];
  const lines = ["", paint.bold("What is broken")];
  for (const [id, own] of bad) {
    const groups = groupedFindings(own);
    lines.push("", painted("broken", `✗ ${id}`, paint));
    for (const { why, operations, first } of groups.slice(0, mostFindings)) {
      const isNew = first.since === "new" ? ", new" : "";
      lines.push(...bullet(`${why} (${first.severity}${isNew})`, width));
      const where = operations.slice(0, 3).join(", ");
      const more = operations.length > 3 ? ` and ${operations.length - 3} more` : "";
      if (where !== "") lines.push(paint.dim(fitted(`      at ${where}${more}`, width)));
      const proof = proofOf(first.evidence, width - 6);
      if (proof !== undefined) lines.push(paint.dim(`      ${proof}`));
      if (first.lapsed !== undefined) lines.push(...bullet(`it counts: ${first.lapsed}`, width));
    }
    const rest = groups.slice(mostFindings).reduce((sum, group) => sum + group.findings.length, 0);
    if (rest > 0) lines.push(paint.dim(`    and ${counted(rest, "more finding")} in the HTML and JSON reports`));
    const fix = fixOf(id);
    if (fix !== undefined) {
      const [head = "", ...rest] = wrapped(`fix: ${fix.summary}`, width - 6);
      lines.push(`    ${paint.green("+")} ${head}`, ...rest.map((line) => `      ${line}`));
    }
  }
  return lines;
}

/** What somebody answers for, and what changed since an earlier scan. */
function standing(report: Report, width: number, paint: Paint): readonly string[] {
  const lines: string[] = [];
  const accepted = report.findings.filter((finding) => finding.accepted !== undefined);
  if (accepted.length > 0) {
    lines.push("", paint.bold("What somebody answers for"));
    const by = Map.groupBy(
      accepted,
      ({ accepted: entry }) => `${entry?.reason}, ${entry?.owner} until ${entry?.expires}`,
    );
    for (const [said, own] of by) {
      const ids = [...new Set(own.map((finding) => finding.protection))].join(", ");
      lines.push(...bullet(`${counted(own.length, "finding")} (${said}): ${ids}`, width));
    }
  }
  const { difference, unused } = report;
  if (unused.length > 0)
    lines.push("", ...wrapped(`${counted(unused.length, "entry", "entries")} of the baseline not seen.`, width));
  if (difference === undefined) return lines;
  lines.push("", paint.bold("Since the earlier scan"));
  lines.push(`    ${difference.new} new, ${difference.fixed.length} fixed, ${difference.unchanged} unchanged`);
  for (const gone of difference.fixed.slice(0, 10))
    lines.push(...bullet(`fixed: ${gone.protection}: ${gone.why}`, width));
  for (const gone of difference.undecided.slice(0, 10))
    lines.push(...bullet(`neither seen nor proved closed: ${gone.protection}: ${gone.why}`, width));
  const more = Math.max(0, difference.fixed.length - 10) + Math.max(0, difference.undecided.length - 10);
  return more === 0 ? lines : [...lines, `    and ${more} more in the JSON report`];
}

function bullet(text: string, width: number): readonly string[] {
  return wrapped(text, width - 6).map((line, index) => `${index === 0 ? "    - " : "      "}${line}`);
}

/** The request that got through, in one line; what it came to is never cut off. */
function proofOf(evidence: readonly Exchange[], width: number): string | undefined {
  const attack = evidence.find((exchange) => exchange.leg === "attack") ?? evidence.at(-1);
  if (attack === undefined) return undefined;
  const { method, target } = attack.request;
  const came = "status" in attack.answer ? String(attack.answer.status) : attack.answer.failed;
  const outcome = fitted(` -> ${came}`, Math.floor(width / 2));
  return `${fitted(`${attack.as}: ${method} ${target}`, width - outcome.length)}${outcome}`;
}

function openQuestions(result: ScanResult, width: number, paint: Paint): readonly string[] {
  const open = inOrder(result).filter((entry) => entry.counts.inconclusive > 0);
  if (open.length === 0) return [];
  const lines = ["", paint.bold("What is inconclusive")];
  for (const entry of open) {
    const list = foundBy(result, entry, "inconclusive");
    for (const finding of list.slice(0, 3)) {
      const where =
        finding.operations.length === 0
          ? ""
          : ` (${finding.operations.slice(0, 2).join(", ")}${finding.operations.length > 2 ? ", …" : ""})`;
      lines.push(...bullet(`${entry.protection}: ${finding.why}${where}`, width));
    }
    if (list.length > 3)
      lines.push(paint.dim(`    and ${list.length - 3} more of ${entry.protection} in the JSON report`));
  }
  return lines;
}

function untried(result: ScanResult, width: number, paint: Paint): readonly string[] {
  const lacking = inOrder(result).filter((entry) => entry.untried.length > 0);
  if (lacking.length === 0) return [];
  const lines = ["", paint.bold("What was not tried")];
  for (const entry of lacking) {
    for (const why of entry.untried.slice(0, 3)) lines.push(...bullet(`${entry.protection}: ${why}`, width));
    if (entry.untried.length > 3)
      lines.push(paint.dim(`    and ${entry.untried.length - 3} more of ${entry.protection} in the JSON report`));
  }
  return lines;
}

function inOrder(result: ScanResult): readonly ProtectionResult[] {
  const rank = (entry: ProtectionResult) => {
    const priority = checklist.find((row) => row.id === entry.protection)?.priority ?? "low";
    return priorities.indexOf(priority);
  };
  return [...result.protections].sort((left, right) => rank(left) - rank(right));
}

function notes(result: ScanResult, width: number, paint: Paint): readonly string[] {
  const lines: string[] = [];
  if (result.assumptions.length > 0) {
    lines.push(
      "",
      paint.bold(result.target.source === "manifest" ? "What else there is to know" : "What had to be assumed"),
      ...result.assumptions.flatMap((entry) => bullet(entry, width)),
    );
  }
  if (result.leftovers.length > 0) {
    lines.push("", paint.bold("What the scan could not delete again"));
    lines.push(...result.leftovers.slice(0, 10).flatMap((entry) => bullet(entry, width)));
    if (result.leftovers.length > 10) lines.push(`    and ${result.leftovers.length - 10} more in the JSON report`);
  }
  return lines;
}

function totals(result: ScanResult, paint: Paint): readonly string[] {
  const { counts } = result;
  const part = (kind: VerdictKind, word: string) => {
    const text = `${counts[kind]} ${word}`;
    return counts[kind] === 0 ? paint.dim(text) : painted(kind, text, paint);
  };
  const seconds = (result.durationMs / 1000).toFixed(1);
  const checks = result.verdicts.filter((verdict) => verdict.verdict !== "not-applicable").length;
  return [
    [
      part("held", "held"),
      part("broken", "broken"),
      part("inconclusive", "inconclusive"),
      part("not-applicable", "not applicable"),
    ].join(" · "),
    paint.dim(`${counted(checks, "check")}, ${counted(result.requests, "request")}, ${seconds} s, seed ${result.seed}`),
  ];
}
