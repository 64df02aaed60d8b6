import { type Fix, fixOf, fixTargets } from "../../fixes.ts";
import { type FindingGroup, groupedFindings } from "../../finding.ts";
import type { Exchange } from "../../exchange.ts";
import type { Report, ReportedFinding } from "../../report.ts";
import { severities } from "../../severity.ts";
import { type ProtectionId, protection } from "portcullis/checklist";
import { counted } from "../text.ts";
import { html, type Markup } from "./markup.ts";

/** The findings, each folded: what is wrong, which answers show it, the exchanges, how to see it again, how to mend it. */
export function findings(report: Report): Markup {
  const groups = groupedFindings(report.findings);
  if (groups.length === 0) return html`<p>Nothing was found broken.</p>`;
  const protections = [...new Set(groups.map(({ first }) => first.protection))];
  const used = severities.filter((severity) => groups.some(({ first }) => first.severity === severity));
  const hasSince = report.difference !== undefined;
  const hasAccepted = report.findings.some((finding) => finding.accepted !== undefined);
  return html`<form class="filters" id="filters" hidden>
<fieldset><legend>Severity</legend>${used.map(
    (severity) =>
      html`<label><input type="checkbox" name="severity" value="${severity}" checked><span class="severity ${severity}">${severity}</span></label>`,
  )}</fieldset>
<label>Protection <select name="protection"><option value="">all</option>${protections.map(
    (id) => html`<option>${id}</option>`,
  )}</select></label>
${
  hasSince || hasAccepted
    ? html`<label>Standing <select name="standing"><option value="">all</option>${hasAccepted ? html`<option value="open">open</option><option value="accepted">accepted</option>` : undefined}${hasSince ? html`<option value="new">new</option><option value="unchanged">unchanged</option>` : undefined}</select></label>`
    : undefined
}
<label>Text <input type="search" name="text" placeholder="operation, reason, CWE"></label>
<output id="shown"></output></form>
<p id="none-shown" class="soft" hidden>No finding passes these filters.</p>
${[...Map.groupBy(groups, ({ first }) => first.protection)].map(([id, own]) => section(id, own))}`;
}

/** One protection: what it promises, what of it is broken, and how to mend it, said once. */
function section(id: ProtectionId, groups: readonly FindingGroup<ReportedFinding>[]): Markup {
  const { title, promise, owasp, asvs } = protection(id);
  const count = groups.reduce((sum, group) => sum + group.findings.length, 0);
  const tags = [...owasp.map((entry) => `OWASP ${entry}:2023`), ...asvs.map((entry) => `ASVS 5.0 ${entry}`)];
  return html`<section class="protection" data-protection="${id}" id="p-${id}"><h3>${title} <span class="count">${counted(count, "finding")}</span></h3>
<p class="lead">Promised: ${withCode(promise)}.</p><p>${tags.map((tag) => html`<span class="tag">${tag}</span> `)}</p>
${fixes(fixOf(id))}
${groups.map(entry)}</section>`;
}

/** A sentence of the checklist, whose backticks mean code. */
function withCode(text: string): readonly Markup[] {
  return text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));
}

/** The name of a finding's place in the page. */
export function anchorOf(finding: ReportedFinding): string {
  return `f-${finding.fingerprint}`;
}

function entry({ first, why, findings: all, operations }: FindingGroup<ReportedFinding>): Markup {
  const standing = [
    ...new Set(all.flatMap((one) => [one.accepted === undefined ? "open" : "accepted", one.since ?? ""])),
  ].join(" ");
  const isAccepted = all.every((one) => one.accepted !== undefined);
  const isNew = all.some((one) => one.since === "new");
  const where = operations.length === 0 ? "the API as a whole" : operations.slice(0, 3).join(", ");
  const more = operations.length > 3 ? ` and ${operations.length - 3} more` : "";
  const count =
    operations.length > 1 ? counted(operations.length, "operation") : first.times > 1 ? `${first.times} ways` : "";
  return html`<details class="finding" id="${anchorOf(first)}" data-severity="${first.severity}" data-protection="${first.protection}" data-standing="${standing}">
<summary><span class="severity ${first.severity}">${first.severity}</span><span class="why">${why} ${isNew ? html`<span class="tag is-new">new</span>` : undefined}${isAccepted ? html`<span class="tag is-accepted">accepted</span>` : undefined}</span><span class="count">${count}</span><span class="where">${where}${more}</span></summary>
<div class="body">
<p class="proof">${first.proof}${first.times > 1 ? ` Shown in ${first.times} ways; this is the first.` : ""}</p>
${all.map((one) => standingOf(one, all.length > 1))}
<p class="cwe">${first.cwe.map((id) => html`<span class="tag">CWE-${id}</span> `)}</p>
${
  operations.length > 1
    ? html`<h4 class="all-where">Where</h4><ul class="operations${operations.length > 3 ? "" : " is-short"}">${operations.map((operation) => html`<li><code>${operation}</code></li>`)}</ul>`
    : undefined
}
<div class="more"><h4>${first.evidence.length === 1 ? "The exchange" : "The exchanges"}${operations.length > 1 ? ` at ${operations[0] ?? ""}` : ""}</h4>
<div class="exchanges">${first.evidence.map((one, index) => exchange(one, isRepeated(first.evidence, index)))}</div>
<h4>See it again</h4><pre>${first.command}</pre></div>
<p class="soft ids">Fingerprint <code>${first.fingerprint}</code>, check <code>${first.check}</code><span class="page">, page <code>${first.page}</code></span></p>
</div></details>
`;
}

function standingOf(finding: ReportedFinding, isOneOfMany: boolean): Markup | undefined {
  const where = isOneOfMany && finding.operation !== undefined ? `${finding.operation}: ` : "";
  if (finding.lapsed !== undefined) return html`<p><b>It counts:</b> ${where}${finding.lapsed}.</p>`;
  if (finding.accepted === undefined) return undefined;
  const { owner, reason, expires, note } = finding.accepted;
  return html`<p><b>Accepted:</b> ${where}${reason}, ${owner} answers for it until ${expires}.${note === "" ? "" : ` ${note}`}</p>`;
}

const legs: Readonly<Record<Exchange["leg"], string>> = {
  positive: "Allowed",
  negative: "Known to be bad",
  attack: "The attack",
  reread: "Read afterwards",
};

/** True where an exchange of the same leg stands before it: paper does without. */
function isRepeated(all: readonly Exchange[], index: number): boolean {
  return all.findIndex(({ leg }) => leg === all[index]?.leg) < index;
}

function exchange({ leg, as, request, answer }: Exchange, isAgain: boolean): Markup {
  const sent = [
    `${request.method} ${short(request.target, 300)}`,
    ...request.headers.map(([name, value]) => `${name}: ${short(value, 160)}`),
    ...(request.body === undefined ? [] : ["", short(request.body, 700)]),
  ].join("\n");
  const came =
    "status" in answer
      ? [
          `${answer.status}`,
          ...answer.headers.filter(([name]) => !dull.has(name)).map(([name, value]) => `${name}: ${short(value, 160)}`),
          ...(answer.body === "" ? [] : ["", short(answer.body, 700)]),
        ].join("\n")
      : `(${answer.failed})`;
  const outcome = "status" in answer ? `answered ${answer.status} in ${answer.ms} ms` : "no answer";
  return html`<div class="exchange is-${leg}${isAgain ? " is-again" : ""}"><p><b>${legs[leg]}</b> as ${as}, ${outcome}</p><div class="pair"><pre>${sent}</pre><pre>${came}</pre></div></div>`;
}

/** Header fields of answers that prove nothing and fill pages. */
const dull = new Set(["date", "connection", "keep-alive", "etag", "content-length", "transfer-encoding"]);

function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function fixes(fix: Fix | undefined): Markup | undefined {
  if (fix === undefined) return undefined;
  return html`<details class="fix"><summary><b>The smallest fix.</b> ${fix.summary}</summary><div class="codes">${fixTargets.map(
    ([key, name]) => html`<div class="code is-${key}"><h4>${name}</h4><pre>${fix[key]}</pre></div>`,
  )}</div></details>`;
}
