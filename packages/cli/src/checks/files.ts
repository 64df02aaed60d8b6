import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import ignore, { type Ignore } from "ignore";

/** What holds code, by its ending; declarations hold none, and what was minified is not where it is mended. */
const isSource = (name: string): boolean => /\.[cm]?[jt]sx?$/.test(name) && !/\.(d\.[cm]?ts|min\.[cm]?js)$/.test(name);

/** Nobody deploys these: tests send forged tokens and switch checks off for a living. */
const isTest = (name: string): boolean => /[.-](test|spec|bench|stories)\.[cm]?[jt]sx?$/.test(name);
const skippedFolders = new Set([
  "node_modules",
  "dist",
  "build",
  "coverage",
  "test",
  "tests",
  "__tests__",
  "__mocks__",
  "e2e",
  "cypress",
  "fixtures",
]);

/**
 * The source files below a folder, sorted: no dependencies, no tests, nothing that a .gitignore leaves out and nothing in
 * a folder whose name begins with a dot. Links are not followed.
 *
 * @returns paths relative to the folder, with forward slashes
 */
export async function sourceFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  await collect(folder, "", [], found);
  return found.sort();
}

interface Scoped {
  /** Where the .gitignore stands, relative to the folder. */
  readonly at: string;
  readonly rules: Ignore;
}

async function collect(folder: string, at: string, above: readonly Scoped[], found: string[]): Promise<void> {
  const rules = await gitignoreIn(join(folder, at));
  const scopes = rules === undefined ? above : [...above, { at, rules }];
  for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
    const path = at === "" ? entry.name : `${at}/${entry.name}`;
    if (entry.isDirectory()) {
      const isLeftOut = entry.name.startsWith(".") || skippedFolders.has(entry.name) || isIgnored(`${path}/`, scopes);
      if (!isLeftOut) await collect(folder, path, scopes, found);
    } else if (entry.isFile() && isSource(entry.name) && !isTest(entry.name) && !isIgnored(path, scopes)) {
      found.push(path);
    }
  }
}

/** The nearest .gitignore that has an opinion decides. */
function isIgnored(path: string, scopes: readonly Scoped[]): boolean {
  for (const { at, rules } of scopes.toReversed()) {
    const { ignored, unignored } = rules.test(at === "" ? path : path.slice(at.length + 1));
    if (ignored || unignored) return ignored;
  }
  return false;
}

async function gitignoreIn(folder: string): Promise<Ignore | undefined> {
  try {
    return ignore().add(await readFile(join(folder, ".gitignore"), "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
