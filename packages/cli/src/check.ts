import { stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import type { Checked, Found } from "./checks/found.ts";
import { checks } from "./checks.ts";
import { said } from "./exported-api.ts";

/** `portcullis check`: exit 0 nothing found, 1 found something, 3 could not look at everything. */
export function checkCommand(): Command {
  return new Command("check")
    .description(
      "look in source for what the checklist forbids; in a Next.js app, at its routes, its API and its config too",
    )
    .argument("[folder]", "folder of the application", ".")
    .option("--json", "write what was found as JSON to standard output")
    .option("--manifest <file>", "write what the policies add up to, where nothing stops the API from starting")
    .addHelpText(
      "after",
      "\nLeft out: tests, node_modules, dist, what .gitignore names." +
        "\nTo let a finding stand, on the line before it: // portcullis-ignore <id>: reason" +
        "\nIn a Next.js app that uses Portcullis, its API and next.config are loaded as next build would load them;" +
        "\nroute files that are not ours stand in portcullis.json, with a reason. Before every build:" +
        '\n  "build": "portcullis check && next build"' +
        "\n\nExit status: 0 nothing found, 1 something found, 3 the folder or a file could not be read.",
    )
    .action(checkFolder);
}

async function checkFolder(path: string, flags: { readonly json?: true; readonly manifest?: string }): Promise<void> {
  try {
    const folder = resolve(path);
    const there = await stat(folder).catch(() => undefined);
    if (there === undefined) throw new Error(`${path} is not there, or cannot be read`);
    if (!there.isDirectory()) throw new Error(`${path} is not a folder`);
    const all: Checked[] = [];
    for (const check of checks) {
      const checked = await check(folder);
      if (checked !== undefined) all.push(checked);
    }
    if (all.length === 0) throw new Error(`there is nothing to look at in ${path}`);
    const found = all.flatMap((one) => one.found);
    const unread = all.flatMap((one) => one.unread);
    const lookedAt = all.map((one) => one.lookedAt).join(", ");
    const problems = all.flatMap((one) => one.problems ?? []);
    const notes = all.flatMap((one) => one.notes ?? []);
    const whole = {
      found,
      unread,
      lookedAt,
      ...(problems.length > 0 && { problems }),
      ...(notes.length > 0 && { notes }),
    };
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify(whole, null, 2)}\n`
        : `${startReport(problems)}${notes.map((note) => `note: ${note}\n`).join("")}${textReport(found, lookedAt)}`,
    );
    for (const { file, why } of unread) process.stderr.write(`portcullis check: cannot read ${file}: ${why}\n`);
    if (flags.manifest !== undefined) await writeManifest(flags.manifest, all, problems.length > 0);
    if (found.length > 0 || problems.length > 0) process.exitCode = 1;
    else if (unread.length > 0) process.exitCode = 3;
  } catch (error) {
    process.stderr.write(`portcullis check: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 3;
  }
}

async function writeManifest(path: string, all: readonly Checked[], isRefused: boolean): Promise<void> {
  const manifest = all.map((one) => one.manifest).find((one) => one !== undefined);
  if (manifest !== undefined) await writeFile(path, `${JSON.stringify(manifest, null, 2)}\n`);
  else if (!isRefused) throw new Error("there is no API to write a manifest of: no route file hands one to toNext");
}

/** What the library itself says of an API that would not start. */
function startReport(problems: readonly unknown[]): string {
  if (problems.length === 0) return "";
  const many = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}: this API would not start.`;
  return `${[...problems.map(said), many].join("\n")}\n\n`;
}

/** By file: where, which protection, the line, the fix and the page. */
function textReport(found: readonly Found[], lookedAt: string): string {
  const lines = [...Map.groupBy(found, ({ file }) => file)].flatMap(([file, ofFile]) => [
    file,
    ...ofFile.flatMap(({ line, column, protection, problem, text, fix, page }) => {
      const { shown, mark } = frame(text, column);
      return [
        `  ${line}:${column}  ${protection}  ${problem}`,
        `  ${String(line).padStart(5)} | ${shown}`,
        `        | ${" ".repeat(mark)}^`,
        `        fix: ${fix}`,
        `        see: ${page}`,
        "",
      ];
    }),
  ]);
  const protections = new Set(found.map(({ protection }) => protection)).size;
  const sum =
    found.length === 0
      ? "nothing found"
      : `${found.length} ${found.length === 1 ? "finding" : "findings"} of ${protections} ${protections === 1 ? "protection" : "protections"}`;
  return `${[...lines, `${lookedAt}: ${sum}.`].join("\n")}\n`;
}

/** So many characters of a line are shown, around what was found; a minified file is one line. */
const shownLength = 100;

/** The line without its indent, cut to what a screen holds, and the place of the column in it; it moves no cursor. */
function frame(text: string, column: number): { readonly shown: string; readonly mark: number } {
  const start = Math.max(text.length - text.trimStart().length, column - 1 - shownLength / 2);
  const isCut = start > text.length - text.trimStart().length;
  const part = text.slice(start, start + shownLength).trimEnd();
  const rest = start + shownLength < text.trimEnd().length ? "…" : "";
  const shown = `${isCut ? "…" : ""}${part.replaceAll(/\p{Cc}/gu, " ")}${rest}`;
  return { shown, mark: Math.max(0, column - 1 - start) + (isCut ? 1 : 0) };
}
