import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import { type Exported, isApi } from "./exported-api.ts";
import { member, textAt } from "./member.ts";
import { loadEnvironment, resolveLikeABundler } from "./user-modules.ts";

/** What `portcullis check` asks of a Next.js application; paths are relative to its folder. */
export interface NextQuestion {
  readonly folder: string;
  readonly config: string | undefined;
  readonly routes: readonly string[];
  /** Each with the file that imports it. */
  readonly apis: readonly { readonly from: string; readonly specifier: string; readonly name: string }[];
}

/** What is known once its modules have been loaded as `next build` would load them. */
export interface NextFacts {
  readonly config: NextConfigFacts | undefined;
  readonly apis: readonly { readonly problems: readonly unknown[]; readonly manifest: unknown }[];
  readonly failed: readonly { readonly file: string; readonly why: string }[];
}

export interface NextConfigFacts {
  readonly basePath: string;
  readonly pageExtensions: readonly string[];
  readonly poweredByHeader: boolean;
  readonly trailingSlash: boolean;
  readonly output: string;
  readonly hasRewrites: boolean;
  /** The rules of `headers()`; undefined where there are none. */
  readonly headers: readonly unknown[] | undefined;
}

/**
 * The hidden command that loads an application's modules in a process of its own, so that nothing they leave open and
 * nothing they print is the check's.
 */
export function nextFactsCommand(): Command {
  return new Command("next-facts").argument("<question>").action(async (text: string) => {
    const question: NextQuestion = JSON.parse(text);
    const facts = await factsOf(question);
    process.send?.(facts, () => process.exit(0));
  });
}

async function factsOf({ folder, config, routes, apis }: NextQuestion): Promise<NextFacts> {
  loadEnvironment(folder);
  const resolve = resolveLikeABundler(folder);
  const failed: { file: string; why: string }[] = [];
  const found: { problems: readonly unknown[]; manifest: unknown }[] = [];
  // The library looks at problems as it does while Next.js builds, and what it finds is asked for below.
  for (const file of routes) {
    try {
      await load(folder, file);
    } catch (error) {
      if (!(error instanceof Error && error.name === "StartRefused")) failed.push({ file, why: said(error) });
    }
  }
  for (const { from, specifier, name } of apis) {
    try {
      const api = await exportedBy(resolve(join(folder, from), specifier), specifier, name);
      const problems = api.problems();
      found.push({ problems, manifest: problems.length === 0 ? api.manifest() : undefined });
    } catch (error) {
      if (!failed.some(({ file }) => file === from)) failed.push({ file: from, why: said(error) });
    }
  }
  let configFacts: NextConfigFacts | undefined;
  try {
    configFacts = config === undefined ? readConfig({}, undefined) : await configOf(folder, config);
  } catch (error) {
    failed.push({ file: config ?? "", why: said(error) });
  }
  return { config: configFacts, apis: found, failed };
}

async function exportedBy(url: string, specifier: string, name: string): Promise<Exported> {
  const api = member(await import(url), name);
  if (!isApi(api)) throw new Error(`${specifier} exports no API as ${name}: toNext takes what createApi() returned`);
  return api;
}

async function configOf(folder: string, file: string): Promise<NextConfigFacts> {
  let config = member(await load(folder, file), "default");
  if (typeof config === "function") {
    const made: unknown = Reflect.apply(config, undefined, ["phase-production-build", { defaultConfig: {} }]);
    config = await made;
  }
  const headers = member(config, "headers");
  const rules: unknown = typeof headers === "function" ? await Reflect.apply(headers, config, []) : undefined;
  return readConfig(config, Array.isArray(rules) ? rules : undefined);
}

function readConfig(config: unknown, headers: readonly unknown[] | undefined): NextConfigFacts {
  const extensions = member(config, "pageExtensions");
  return {
    basePath: textAt(config, "basePath") ?? "",
    pageExtensions: Array.isArray(extensions) ? extensions.map(String) : usualExtensions,
    poweredByHeader: member(config, "poweredByHeader") !== false,
    trailingSlash: member(config, "trailingSlash") === true && member(config, "skipTrailingSlashRedirect") !== true,
    output: textAt(config, "output") ?? "",
    hasRewrites: typeof member(config, "rewrites") === "function",
    headers,
  };
}

/** What Next.js takes for code where nothing is said. */
export const usualExtensions: readonly string[] = ["tsx", "ts", "jsx", "js"];

function load(folder: string, file: string): Promise<unknown> {
  return import(pathToFileURL(join(folder, file)).href);
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
