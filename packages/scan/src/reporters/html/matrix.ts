import { protection, type ProtectionId } from "portcullis/checklist";
import type { Report } from "../../report.ts";
import { severities } from "../../severity.ts";
import type { VerdictKind } from "../../verdict.ts";
import { html, type Markup } from "./markup.ts";

/**
 * The ledger: operations down, protections across, the gravest first; each cell a verdict whose reason is its title. A
 * protection that nothing was decided of anywhere has no column; the list of what was not proved names it.
 *
 * @param anchorOf  the finding a broken cell leads to
 */
export function matrix(
  { result }: Report,
  anchorOf: (protection: string, operation: string | undefined) => string | undefined,
): Markup {
  const columns = result.protections
    .filter((entry) => entry.verdict !== "not-applicable")
    .map((entry) => entry.protection)
    .sort((left, right) => rank(left) - rank(right));
  const rows = Map.groupBy(result.ledger, (cell) => cell.operation);
  const general = (id: ProtectionId): Markup => {
    const own = result.verdicts.filter((verdict) => verdict.protection === id && verdict.operation === undefined);
    const kind = (["broken", "inconclusive", "held"] as const).find((one) => own.some((v) => v.verdict === one));
    const why = own.find((verdict) => verdict.verdict === kind)?.why ?? "Tried on single operations.";
    return cellOf(kind ?? "not-applicable", id, why, anchorOf(id, undefined));
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Ledger of operations and protections"><table class="matrix">
<thead><tr><th scope="col">operation</th>${columns.map(
    (id) => html`<th scope="col" title="${protection(id).promise}"><span>${id}</span></th>`,
  )}</tr></thead>
<tbody><tr><th scope="row"><b>the API as a whole</b></th>${columns.map(general)}</tr>
${[...rows].map(
  ([operation, cells]) => html`<tr><th scope="row" class="mono" title="${operation}">${operation}</th>${columns.map(
    (id) => {
      const cell = cells.find((one) => one.protection === id);
      return cell === undefined ? html`<td></td>` : cellOf(cell.verdict, id, cell.why, anchorOf(id, operation));
    },
  )}</tr>
`,
)}</tbody></table></div>
<ul class="legend"><li><i class="b">✗</i>broken</li><li><i class="i">?</i>could not be decided</li><li><i class="h">✓</i>held</li><li><i>·</i>does not apply here, or tried for the API as a whole; the reason is the cell's title</li></ul>`;
}

const signs: Readonly<Record<VerdictKind, readonly [sign: string, css: string, word: string]>> = {
  broken: ["✗", "b", "broken"],
  held: ["✓", "h", "held"],
  inconclusive: ["?", "i", "could not be decided"],
  "not-applicable": ["·", "n", "does not apply"],
};

function cellOf(kind: VerdictKind, id: string, why: string, anchor: string | undefined): Markup {
  const [sign, css, word] = signs[kind];
  const title = `${id}: ${word}. ${why}`;
  if (kind === "broken" && anchor !== undefined)
    return html`<td class="${css}"><a href="#${anchor}" title="${title}" aria-label="${title}">${sign}</a></td>`;
  return html`<td class="${css}" title="${title}" aria-label="${id}: ${word}">${sign}</td>`;
}

function rank(id: ProtectionId): number {
  return severities.indexOf(protection(id).priority);
}
