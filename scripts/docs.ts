/**
 * Writes what the documents take from code: `docs/coverage.md`, the checklist table in `README.md`, the way of a request
 * and the import rules in `ARCHITECTURE.md`, the events in `docs/identity.md`, and the lines under the title of each
 * protection's page, with the way to its gate, probe, hole and tests. `npm run docs` writes; with `--check` nothing is written, and the exit code is 1 where
 * something is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Cell, checklist, type Priority, type Protection } from "../packages/portcullis/src/checklist.ts";
import { accountEvents } from "../packages/portcullis/src/events/account-event.ts";
import { layeringRules } from "../tests/layering-rules.ts";
import { type CoverageItem, coverageItems, departures, type ItemState, notYet, sourceLists } from "./coverage-items.ts";

const root = join(import.meta.dirname, "..");

if (import.meta.main) {
  const stale = documents(root).filter(({ is, shouldBe }) => is !== shouldBe);
  if (process.argv.includes("--check")) {
    for (const { path } of stale) console.log(`${path} is out of date: npm run docs`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    for (const { path, shouldBe } of stale) writeFileSync(join(root, path), shouldBe);
    console.log(stale.length === 0 ? "Nothing to change." : stale.map(({ path }) => `wrote ${path}`).join("\n"));
  }
}

/** A document as it is and as the code says it should be. */
export interface Document {
  /** Relative to the checkout. */
  readonly path: string;
  /** "" where it is missing. */
  readonly is: string;
  readonly shouldBe: string;
}

/**
 * Every document that takes something from code.
 *
 * @param folder  the checkout
 * @throws Error where a document lacks the markers of its generated part
 */
export function documents(folder: string): readonly Document[] {
  const read = (path: string): string => readIfThere(join(folder, path));
  const readme = read("README.md");
  const architecture = read("ARCHITECTURE.md");
  const identity = read("docs/identity.md");
  const pages = checklist.map((row): Document => {
    const path = `docs/protections/${row.id}.md`;
    const is = read(path);
    return { path, is, shouldBe: between(path, is, "status", statusLine(row, folder)) };
  });
  return [
    { path: "README.md", is: readme, shouldBe: between("README.md", readme, "checklist", checklistTable()) },
    {
      path: "ARCHITECTURE.md",
      is: architecture,
      shouldBe: between(
        "ARCHITECTURE.md",
        between(
          "ARCHITECTURE.md",
          architecture,
          "pipeline",
          wayOfARequest(read("packages/portcullis/src/pipeline.ts")),
        ),
        "layering",
        `\n${layeringRules.map(({ sentence }) => `- ${sentence}`).join("\n")}\n`,
      ),
    },
    {
      path: "docs/identity.md",
      is: identity,
      shouldBe: between("docs/identity.md", identity, "events", eventTable()),
    },
    { path: "docs/coverage.md", is: read("docs/coverage.md"), shouldBe: coverage() },
    ...pages,
  ];
}

/** True where no part of a protection exists yet, so that everything about it is a promise. */
export function isPlanned({ gate, probe, rule }: Protection): boolean {
  return ![gate, probe, rule].some((cell) => cell === "built" || (typeof cell === "object" && "in" in cell));
}

/**
 * True for a protection whose probe has a hole to find, built into the pipeline by a test. Where there is neither gate nor
 * rule it is about a server of its own, and the probe's test brings one.
 */
export function hasHole({ gate, probe, rule }: Protection): boolean {
  const isApart = [gate, rule].every((cell) => typeof cell === "object" && "none" in cell);
  return probe === "built" && gate !== "planned" && !isApart;
}

/** The rows that answer an item. */
export function rowsOf(item: string): readonly Protection[] {
  return checklist.filter(({ sources }) => sources.includes(item));
}

function checklistTable(): string {
  const cell = (what: Cell): string => {
    if (what === "built") return "✓";
    if (what === "planned") return "planned";
    return "in" in what ? `in ${what.in}` : "–";
  };
  const rows = checklist.map((row) => {
    const name = `[${row.id}](docs/protections/${row.id}.md)`;
    const standards = [...row.owasp, ...row.asvs].join(", ");
    return [name, escapeBars(promiseOf(row)), cell(row.gate), cell(row.probe), cell(row.rule), standards];
  });
  const gates = checklist.filter(({ gate }) => gate === "built" || (typeof gate === "object" && "in" in gate)).length;
  const probes = checklist.filter(({ probe }) => probe === "built").length;
  const planned = checklist.filter(isPlanned).length;
  return [
    `${checklist.length} protections: ${gates} enforced by a gate, ${probes} attacked by a probe, ${planned} planned as a whole. ` +
      "✓ exists, – has nothing to build (the page says why).",
    "",
    ...table(["id", "promise", "gate", "probe", "rule", "OWASP API 2023, ASVS 5.0"], rows),
  ].join("\n");
}

/** The numbered list in the comment of `assemblePipeline`. */
function wayOfARequest(source: string): string {
  const lines = source.split("\n").map((line) => /^ \* ( ?\d+ .+|out: .+)$/.exec(line)?.[1] ?? "");
  const list = lines.filter((line) => line !== "");
  if (list.length < 10) throw new Error("pipeline.ts does not say the way of a request in its comment");
  return ["", "```text", ...list, "```", ""].join("\n");
}

/** The promise, with what of it is planned marked so. */
function promiseOf(row: Protection): string {
  if (isPlanned(row)) return `*planned:* ${row.promise}`;
  const missing = notYet.get(row.id);
  return missing === undefined ? row.promise : `${row.promise} (*planned:* ${missing})`;
}

/** The promise, then where everything of a protection is. */
function statusLine(row: Protection, folder: string): string {
  const link = (kind: string, cell: Cell, pathOf: (id: string) => string): string => {
    if (cell === "built") return `[${kind}](../../${pathOf(row.id)})`;
    if (cell === "planned") return `${kind} planned`;
    if ("none" in cell) return `no ${kind}: ${lowerFirst(cell.none)}`;
    return `[${kind}](../../${pathOf(cell.in)}) in [${cell.in}](${cell.in}.md)`;
  };
  const parts = [
    link("gate", row.gate, (id) => `packages/portcullis/src/gates/${id}.ts`),
    link("probe", row.probe, (id) => `packages/scan/src/probes/${id}.ts`),
    ...(hasHole(row) ? [`[hole](../../tests/holes/${row.id}.ts)`] : []),
    ...testsOf(row.id, folder).map((path) => `[test](../../${path})`),
    link("rule", row.rule, (id) => `packages/eslint-plugin/src/rules/${id}.ts`),
  ].map((part) => part.replace(/\.$/, ""));
  return `> ${promiseOf(row)}.\n>\n> ${parts.join(" · ")} · priority ${row.priority}`;
}

/** The tests of a protection's own; those of its parts carry its id too, and `./test -t <id>` runs them all. */
function testsOf(id: string, folder: string): readonly string[] {
  const places = [`packages/portcullis/test/gates/${id}.test.ts`, `packages/scan/test/${id}.test.ts`];
  return places.filter((path) => existsSync(join(folder, path)));
}

function coverage(): string {
  const priorities: readonly Priority[] = ["critical", "high", "medium", "low"];
  const count = (state: ItemState): number => coverageItems.filter((item) => item.state === state).length;
  const lists = sourceLists.flatMap(({ list, title }) => [
    `## ${list}: ${title}`,
    "",
    ...table(
      ["item", "asks for", "answered by", "how, or why otherwise", ""],
      coverageItems.filter(({ item }) => item.startsWith(`${list}.`)).map(coverageRow),
    ),
    "",
  ]);
  return `${[
    "# Coverage",
    "",
    "<!-- Generated by npm run docs from packages/portcullis/src/checklist.ts and scripts/coverage-items.ts. -->",
    "",
    "Five checklists that people paste together before they ship an API, item by item: which protection answers it, how, or " +
      "why we do something else. *(g)* is enforced by a gate, *(p)* is attacked by a probe.",
    "",
    `Of ${coverageItems.length} items ${count("built")} are built, ${count("partly")} partly, ${count("otherwise")} done otherwise ` +
      `for a reason, and ${count("planned")} planned.`,
    "",
    ...lists,
    "## Where we depart, and what stays possible",
    "",
    ...table(
      ["items", "the list says", "we", "the literal way"],
      departures.map(({ items, topic, ours, literal }) => [items.join(", "), topic, ours, literal]),
    ),
    "",
    "## By priority",
    "",
    "How soon a hole is somebody's bad day, to tick before launch.",
    "",
    ...table(
      ["priority", "protection", "items"],
      priorities.flatMap((priority) =>
        checklist
          .filter((row) => row.priority === priority)
          .map((row) => [
            priority,
            `[${row.id}](protections/${row.id}.md)${isPlanned(row) ? " (planned)" : ""}`,
            row.sources.join(", "),
          ]),
      ),
    ),
  ].join("\n")}\n`;
}

function coverageRow({ item, says, state, answer }: CoverageItem): readonly string[] {
  const answeredBy = rowsOf(item).map((row) => {
    const marks = [
      row.gate === "built" || (typeof row.gate === "object" && "in" in row.gate) ? "g" : "",
      row.probe === "built" ? "p" : "",
    ].join("");
    // An item that is not there yet is proved by nothing, whatever else its protection has.
    const shown = state === "planned" || marks === "" ? "" : ` *(${marks})*`;
    return `[${row.id}](protections/${row.id}.md)${shown}`;
  });
  const fallback = state === "planned" ? "–" : "the project as a whole";
  return [item, says, answeredBy.length === 0 ? fallback : answeredBy.join(", "), answer, state];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

/** The text with the part between the markers of `name` replaced. */
function between(path: string, text: string, name: string, content: string): string {
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error(`${path} has no ${start} … ${end}`);
  return `${text.slice(0, from + start.length)}\n${content.replace(/^\n/, "")}\n${text.slice(to)}`;
}

function eventTable(): string {
  const rows = Object.entries(accountEvents).map(([type, { means }]) => `| \`${type}\` | ${escapeBars(means)} |`);
  return ["| event | means |", "|---|---|", ...rows].join("\n");
}

function escapeBars(text: string): string {
  return text.replaceAll("|", "\\|");
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
