import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AnyNode, type Rule, rules } from "eslint-plugin-portcullis";
import { sourceFiles } from "./files.ts";
import type { Checked, Found } from "./found.ts";
import { ignoresIn } from "./ignores.ts";
import { type Parsed, parse } from "./parse.ts";

/** Runs every lint rule over the source files of a folder, without ESLint or any set-up. */
export async function sourceCheck(folder: string): Promise<Checked | undefined> {
  const found: Found[] = [];
  const unread: { file: string; why: string }[] = [];
  const files = await sourceFiles(folder);
  if (files.length === 0) return undefined;
  for (const file of files) {
    const text = await readFile(join(folder, file), "utf8");
    try {
      found.push(...findIn(file, text));
    } catch (error) {
      unread.push({ file, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { found, unread, lookedAt: `${files.length} source ${files.length === 1 ? "file" : "files"}` };
}

/**
 * What the rules find in one file, in the order of its lines.
 *
 * @param file  its path, which tells its language and, in Next.js, its route
 * @throws Error where it cannot be parsed
 */
export function findIn(file: string, text: string): readonly Found[] {
  const parsed = parse(file, text);
  const starts = lineStarts(text);
  const lineAt = (offset: number): number => starts.findLastIndex((start) => start <= offset) + 1;
  const found = Object.entries(rules).flatMap(([protection, rule]) =>
    run(rule, file, parsed).map(({ offset, problem, fix }): Found => {
      const line = lineAt(offset);
      const start = starts[line - 1] ?? 0;
      const end = (starts[line] ?? text.length + 1) - 1;
      const { page } = rule.meta.docs;
      const row = text.slice(start, end).replace(/\r$/, "");
      return { file, line, column: offset - start + 1, text: row, protection, problem, fix, page };
    }),
  );
  return withoutIgnored(found, parsed, lineAt).sort((a, b) => a.line - b.line || a.column - b.column);
}

interface RawFound {
  readonly offset: number;
  readonly problem: string;
  readonly fix: string;
}

function run(rule: Rule, filename: string, parsed: Parsed): readonly RawFound[] {
  const found: RawFound[] = [];
  const { text, ast, nodes, getScope } = parsed;
  const listeners = rule.create({
    filename,
    sourceCode: { text, ast, getScope },
    report({ node, messageId, data = {} }) {
      const finding = rule.meta.docs.findings[messageId];
      if (finding === undefined) throw new Error(`the rule has no finding ${messageId}`);
      found.push({
        offset: startOf(node),
        problem: filledIn(finding.problem, data),
        fix: filledIn(finding.fix, data),
      });
    },
  });
  for (const node of nodes) listeners[node.type]?.(node);
  listeners["Program:exit"]?.(ast);
  return found;
}

/** Leaves out what a comment with a reason lets stand, and says where a comment gives none. */
function withoutIgnored(found: readonly Found[], parsed: Parsed, lineAt: (offset: number) => number): Found[] {
  const ignores = ignoresIn(parsed, lineAt);
  return found.flatMap((one) => {
    const ignored = ignores.find(({ line, protection }) => line === one.line && protection === one.protection);
    if (ignored === undefined) return [one];
    if (ignored.reason !== "") return [];
    return [{ ...one, fix: `${one.fix} To let it stand, say why: // portcullis-ignore ${one.protection}: reason` }];
  });
}

function startOf(node: AnyNode): number {
  const start: unknown = Reflect.get(node, "start");
  return typeof start === "number" ? start : 0;
}

function filledIn(words: string, data: Readonly<Record<string, string>>): string {
  return words.replaceAll(/\{\{ *(\w+) *\}\}/g, (whole, name: string) => data[name] ?? whole);
}

function lineStarts(text: string): readonly number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}
