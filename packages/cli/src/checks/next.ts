import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { NextFacts, NextQuestion } from "../next-facts.ts";
import { usualExtensions } from "../next-facts.ts";
import { member, namesIn } from "../member.ts";
import { sourceFiles } from "./files.ts";
import type { Checked, Found } from "./found.ts";
import { configMistakes } from "./next-config.ts";
import { type Listed, listedRoutes, listFile } from "./next-listed.ts";
import { type RouteFile, routeFiles } from "./next-routes.ts";

/**
 * Walks a Next.js application that uses Portcullis: every handler is ours or listed with a reason, the API starts, its
 * paths reach it, and next.config does not undo what it sends. Loads the route files of ours as `next build` would.
 */
export async function nextCheck(folder: string): Promise<Checked | undefined> {
  const packages = await packagesOf(folder);
  if (!packages.has("next")) return undefined;
  const list = await listedRoutes(folder, new Date().toISOString().slice(0, 10));
  if (!packages.has("portcullis") && !list.isThere) return undefined;

  const config = configNames.find((name) => existsSync(join(folder, name)));
  const before = await routeFiles(folder, usualExtensions);
  const facts = await askNext({ folder, config, ...questionOf(before) });
  const routes = facts.config === undefined ? before : await routeFiles(folder, facts.config.pageExtensions);
  const ours = routes.filter((one) => one.ours !== undefined);
  const below = ours.flatMap(({ ours }) => ours?.below ?? []);
  const basePath = facts.config?.basePath ?? "";
  const rewrites = facts.config?.hasRewrites === true;

  const found: Found[] = [
    ...(await Promise.all(routes.map((one) => routeFinding(folder, one, list.listed)))).flat(),
    ...(await Promise.all(
      list.mistakes.map((one) => foundIn(folder, listFile, "", { ...one, protection: versioning })),
    )),
    ...list.listed.filter(({ route }) => !routes.some(({ file }) => file === route)).map(listedInVain),
  ];
  if (facts.config !== undefined) {
    for (const { option, ...mistake } of configMistakes(facts.config, below)) {
      found.push(await foundIn(folder, config ?? "package.json", option, mistake));
    }
  }
  const problems = facts.apis.flatMap((api) => api.problems);
  for (const { manifest } of facts.apis) {
    if (!rewrites && manifest !== undefined)
      problems.push(
        ...unreachable(
          manifest,
          below.map((root) => `${basePath}${root}`),
        ),
      );
  }
  const [first] = facts.apis;
  const manifest =
    problems.length > 0 || first?.manifest === undefined ? undefined : withListed(first.manifest, list.listed);
  return {
    found,
    lookedAt: `${count(routes.length, "route file")} (${ours.length} of ours)`,
    unread: facts.failed,
    problems,
    notes: await blindSpots(folder),
    ...(manifest === undefined ? {} : { manifest }),
  };
}

const configNames = ["next.config.ts", "next.config.mts", "next.config.mjs", "next.config.js"];
const versioning = "versioning";

function questionOf(routes: readonly RouteFile[]): Pick<NextQuestion, "routes" | "apis"> {
  const ours = routes.filter((one) => one.ours !== undefined);
  const apis = ours.flatMap(({ file, ours }) => (ours?.api === undefined ? [] : [{ from: file, ...ours.api }]));
  // Two catch-alls may serve one API.
  const distinct = apis.filter(
    (one, index) => apis.findIndex((other) => other.name === one.name && other.specifier === one.specifier) === index,
  );
  return { routes: ours.map(({ file }) => file), apis: distinct };
}

/** Asks in a process of its own, under the variables that `next build` sets. */
function askNext(question: NextQuestion): Promise<NextFacts> {
  const [, command = ""] = process.argv;
  const child = fork(command, ["next-facts", JSON.stringify(question)], {
    cwd: question.folder,
    env: { ...process.env, NODE_ENV: "production", NEXT_PHASE: "phase-production-build" },
    // Whatever a module prints as it loads is not the report.
    stdio: ["ignore", 2, 2, "ipc"],
  });
  return new Promise((resolve, reject) => {
    let facts: NextFacts | undefined;
    child.once("message", (message: NextFacts) => {
      facts = message;
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      if (facts === undefined)
        reject(new Error(`the application's modules ended the process that loaded them (${code ?? "killed"})`));
      else resolve(facts);
    });
  });
}

async function routeFinding(
  folder: string,
  { file, ours }: RouteFile,
  listed: readonly Listed[],
): Promise<readonly Found[]> {
  if (listed.some(({ route }) => route === file)) return [];
  if (ours === undefined) {
    const fix = `Declare it with api.route, or list it with a reason in ${listFile}: "notYet" with a last day, "elsewhere" where another library answers.`;
    return [
      await foundIn(folder, file, "export", {
        protection: "authentication",
        problem: "No policy stands before this handler.",
        fix,
      }),
    ];
  }
  const found: Found[] = [];
  if (ours.left.length > 0) {
    const problem = `Next.js answers ${ours.left.join(", ")} here by itself, past the gates.`;
    const fix = "Export all seven: export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = toNext(api).";
    found.push(await foundIn(folder, file, "toNext(", { protection: versioning, problem, fix }));
  }
  if (ours.below === undefined) {
    const fix = "Move it to a catch-all: app/api/[[...path]]/route.ts.";
    found.push(
      await foundIn(folder, file, "toNext(", {
        protection: versioning,
        problem: "This file gets one path alone; Next.js answers all others by itself.",
        fix,
      }),
    );
  }
  return found;
}

function listedInVain({ route }: Listed): Found {
  return {
    file: listFile,
    line: 1,
    column: 1,
    text: route,
    protection: versioning,
    problem: `${route} is listed and not there.`,
    fix: "Take it off the list.",
    page: `docs/protections/${versioning}.md`,
  };
}

/** A finding at the first line that holds a word; at the first line where none does. */
async function foundIn(
  folder: string,
  file: string,
  word: string,
  { protection, problem, fix }: Pick<Found, "protection" | "problem" | "fix">,
): Promise<Found> {
  const lines = (await readFile(join(folder, file), "utf8")).split(/\r?\n/);
  const index = Math.max(
    0,
    lines.findIndex((line) => line.includes(word)),
  );
  const text = lines[index] ?? "";
  const column = Math.max(0, text.indexOf(word)) + 1;
  return { file, line: index + 1, column, text, protection, problem, fix, page: `docs/protections/${protection}.md` };
}

/** Routes that no request reaches, as problems of the start. */
function unreachable(manifest: unknown, roots: readonly string[]): readonly unknown[] {
  return namesIn(member(manifest, "paths"))
    .filter((path) => !roots.some((root) => path === root || path.startsWith(`${root}/`)))
    .map((path) => ({
      where: path,
      field: "path",
      problem: `Next.js hands over what begins with ${roots.join(" or ")} alone, so nothing reaches this route`,
      fix: `declare it by its public path: ${roots[0] ?? ""}${path}`,
    }));
}

/** The list goes into the manifest, where reviewers and the prover find it. */
function withListed(manifest: unknown, listed: readonly Listed[]): unknown {
  if (listed.length === 0) return manifest;
  const notYet = listed.map(({ route, reason, until }) => ({
    route,
    reason,
    ...(until === undefined ? {} : { until }),
  }));
  return { ...asObject(manifest), "x-portcullis": { ...asObject(member(manifest, "x-portcullis")), notYet } };
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

/** What runs before or beside the API, and what no gate sees of it. */
async function blindSpots(folder: string): Promise<readonly string[]> {
  const notes: string[] = [];
  let actions = 0;
  for (const file of await sourceFiles(folder)) {
    if (/^(?:src\/)?(?:proxy|middleware)\.[cm]?[jt]s$/.test(file)) {
      notes.push(`${file} runs before the API: what it answers or adds to answers, no gate sees.`);
    }
    if (/^\s*["']use server["']/m.test(await readFile(join(folder, file), "utf8"))) actions++;
  }
  if (actions > 0)
    notes.push(
      `${count(actions, "file")} with Server Actions: whoever has the page may call them, and no gate sees it.`,
    );
  return notes;
}

async function packagesOf(folder: string): Promise<ReadonlySet<string>> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Set();
    throw error;
  }
  return new Set(["dependencies", "devDependencies"].flatMap((name) => namesIn(member(content, name))));
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
