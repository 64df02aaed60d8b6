import type { Report } from "../../report.ts";
import { html, type Markup } from "./markup.ts";

/** What the scan does not say: by reason, with the operations it concerns. */
export function unproved(report: Report): Markup {
  const { result } = report;
  const open = Map.groupBy(
    result.verdicts.filter(({ verdict }) => verdict === "inconclusive"),
    ({ protection: id, why, operation }) => `${id}\n${operation === undefined ? why : why.replaceAll(operation, "it")}`,
  );
  const undecided = [...open].map(([key, verdicts]) => {
    const cut = key.indexOf("\n");
    const [id, why] = [key.slice(0, cut), key.slice(cut + 1)];
    const operations = [...new Set(verdicts.flatMap(({ operation }) => operation ?? []))];
    return [id, why, operations] as const;
  });
  const untried = result.protections.flatMap((entry) =>
    entry.untried.map((why) => [entry.protection, why, []] as const),
  );
  const silent = result.protections
    .filter((entry) => entry.verdict === "not-applicable")
    .map((entry) => [entry.protection, entry.why, []] as const);
  return html`${part("Could not be decided", undecided)}${part("Not tried", untried)}${list("Assumed", result.assumptions)}${part("Not attacked here", silent)}${list("Could not be deleted again", result.leftovers)}${baselineNotes(report)}`;
}

type Row = readonly [id: string, why: string, operations: readonly string[]];

function part(title: string, rows: readonly Row[]): Markup | undefined {
  if (rows.length === 0) return undefined;
  return html`<h3>${title}</h3><table class="plain"><thead><tr><th>protection</th><th>why</th></tr></thead><tbody>${rows.map(
    ([id, why, operations]) =>
      html`<tr><td>${id}</td><td>${why}${operations.length === 0 ? undefined : html` <span class="soft">${operations.length > 6 ? `${operations.slice(0, 6).join(", ")} and ${operations.length - 6} more` : operations.join(", ")}</span>`}</td></tr>`,
  )}</tbody></table>`;
}

function list(title: string, lines: readonly string[]): Markup | undefined {
  if (lines.length === 0) return undefined;
  return html`<h3>${title}</h3><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}

function baselineNotes({ unused, difference }: Report): Markup {
  const gone = difference?.undecided ?? [];
  return html`${
    gone.length === 0
      ? undefined
      : part(
          "Found earlier, neither seen nor proved closed now",
          gone.map((one) => [one.protection, one.why, one.operation === "" ? [] : [one.operation]] as const),
        )
  }${list(
    "Entries of the baseline that were not seen",
    unused.map(
      (entry) =>
        `${entry.protection} ${entry.check} ${entry.operation} (${entry.owner || "no owner"}, ${entry.fingerprint})`,
    ),
  )}`;
}
