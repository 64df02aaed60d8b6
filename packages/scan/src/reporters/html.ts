import { createHash } from "node:crypto";
import { checklist, protection } from "portcullis/checklist";
import { describedBy } from "../described-by.ts";
import { groupedFindings } from "../finding.ts";
import { openFindings, type Report } from "../report.ts";
import { scoreFormula } from "../score.ts";
import { anchorOf, findings } from "./html/findings.ts";
import { html, Markup } from "./html/markup.ts";
import { matrix } from "./html/matrix.ts";
import { script } from "./html/script.ts";
import { style } from "./html/style.ts";
import { unproved } from "./html/unproved.ts";
import { severities } from "../severity.ts";
import type { VerdictKind } from "../verdict.ts";
import { counted } from "./text.ts";

/**
 * The report as one HTML file to be read and printed: scores, the ledger, findings with their exchanges, what was not
 * proved and why. It loads nothing, its own script and style are the only ones its policy lets run, and everything the
 * target said is escaped.
 */
export function htmlReport(report: Report): string {
  const { result } = report;
  const policy = `default-src 'none'; script-src '${digest(script)}'; style-src '${digest(style)}'; base-uri 'none'; form-action 'none'`;
  const anchors = anchorsOf(report);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Portcullis: ${result.target.name}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<header>
<p class="eyebrow">Portcullis scan</p>
<h1>${result.target.name}</h1>
<ul class="facts"><li><b>${result.target.url}</b></li><li>${result.startedAt.slice(0, 16).replace("T", " ")} UTC</li><li>${counted(result.target.operations, "operation")}, ${describedBy(result.target.source)}</li><li>as ${result.identities.join(", ") || "nobody"}</li><li>${counted(result.requests, "request")} in ${(result.durationMs / 1000).toFixed(1)} s, seed ${result.seed}</li></ul>
${conclusion(report)}
</header>
<nav aria-label="Parts"><ul><li><a href="#scores">Scores</a></li><li><a href="#ledger">Ledger</a></li><li><a href="#findings">Findings</a></li><li><a href="#unproved">Not proved</a></li></ul></nav>
<main>
<section id="scores"><h2>Scores</h2>${scores(report)}${protections(report)}</section>
<section id="ledger"><h2>Ledger</h2><p class="lead">What was proved of each protection on each operation. Every cell has its reason.</p>${matrix(report, (protection, operation) => anchors.get(`${protection} ${operation ?? ""}`))}</section>
<section id="findings"><h2>Findings</h2><p class="lead">By protection, the worst first. The same mistake at several operations is one entry; its exchanges are those of the first. Credentials are replaced by names.</p><p class="paper lead">On paper the first entry of each protection shows its exchanges, each leg once and cut, and fixes are those of Portcullis and Express; the file holds all of it.</p>${findings(report)}</section>
<section id="unproved"><h2>What was not proved</h2><p class="lead">Silence is no evidence: what could not be decided, what was not tried, what had to be assumed, and what cannot be seen from outside.</p>${unproved(report)}</section>
</main>
<footer><p>Made by Portcullis. Evidence was recorded by the prover and its secrets replaced before it was kept; bodies are cut. The JSON report holds all of it.</p></footer>
<script>${new Markup(script)}</script>
</body>
</html>
`;
  return page.text;
}

function digest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function conclusion(report: Report): Markup {
  const { counts } = report.result;
  const open = openFindings(report);
  const accepted = report.findings.length - open.length;
  const parts = [
    `${counts.held} held`,
    `${counts.broken} broken`,
    `${counts.inconclusive} inconclusive`,
    `${counts["not-applicable"]} not applicable`,
  ].join(" · ");
  const [css, text] =
    open.length > 0
      ? [
          "is-broken",
          `${counted(open.length, "finding")} in ${counted(new Set(open.map((one) => one.protection)).size, "protection")}`,
        ]
      : counts.inconclusive > 0
        ? ["is-open", "Not everything could be decided"]
        : counts.held > 0
          ? [
              "is-held",
              accepted === 0 ? "Everything that was attacked held" : "Nothing is broken that nobody answers for",
            ]
          : ["is-open", "Nothing was proved"];
  const { difference } = report;
  return html`<div class="verdict ${css}"><strong>${text}</strong><span>${parts} of ${checklist.length} protections</span>${accepted === 0 ? undefined : html`<span>${accepted} accepted by the baseline</span>`}${
    difference === undefined
      ? undefined
      : html`<span>since the earlier scan: ${difference.new} new, ${difference.fixed.length} fixed, ${difference.unchanged} unchanged${difference.undecided.length === 0 ? "" : `, ${difference.undecided.length} not decided`}</span>`
  }</div>`;
}

function scores({ scores: all }: Report): Markup {
  return html`<ul class="scores">${all.map(({ priority, percent, held, broken, inconclusive }) =>
    percent === undefined
      ? html`<li class="score"><span class="name ${priority}">${priority}</span><div class="number soft">–</div><small>nothing of it applies here</small></li>`
      : html`<li class="score"><span class="name ${priority}">${priority}</span><div class="number">${percent} %</div><progress max="100" value="${percent}" aria-label="${priority}: ${percent} %"></progress><small>${held} held · ${broken} broken · ${inconclusive} inconclusive</small></li>`,
  )}</ul><p class="soft">Score = ${scoreFormula}</p>`;
}

const words: Readonly<Record<VerdictKind, string>> = {
  broken: "broken",
  held: "held",
  inconclusive: "undecided",
  "not-applicable": "n/a",
};

/** One line per protection, the gravest first. */
function protections({ result, findings: all }: Report): Markup {
  const found = new Set<string>(all.map((finding) => finding.protection));
  const rows = severities.flatMap((priority) =>
    result.protections.filter((entry) => protection(entry.protection).priority === priority),
  );
  return html`<table class="plain overview"><thead><tr><th>protection</th><th>priority</th><th>verdict</th><th>why</th></tr></thead><tbody>${rows.map(
    ({ protection: id, verdict, why, more }) =>
      html`<tr><td>${found.has(id) ? html`<a href="#p-${id}">${id}</a>` : id}</td><td class="${protection(id).priority}">${protection(id).priority}</td><td><span class="kind k-${verdict}">${words[verdict]}</span></td><td>${why}${more === 0 ? "" : ` And ${more} more.`}</td></tr>`,
  )}</tbody></table>`;
}

/** Which entry a broken cell leads to: the first finding of its protection at its operation. */
function anchorsOf(report: Report): ReadonlyMap<string, string> {
  const anchors = new Map<string, string>();
  for (const { first, findings: all } of groupedFindings(report.findings)) {
    for (const { protection, operation = "" } of all) {
      const key = `${protection} ${operation}`;
      if (!anchors.has(key)) anchors.set(key, anchorOf(first));
    }
  }
  return anchors;
}
