import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parse, type TreeNode } from "./parse.ts";

/** A file that answers requests, and whether Portcullis does it. */
export interface RouteFile {
  /** Relative to the folder, with forward slashes. */
  readonly file: string;
  /** Ours: the methods it leaves to Next.js, and where its API comes from. Else undefined. */
  readonly ours: OurRoute | undefined;
}

export interface OurRoute {
  /** Methods that are not exported: Next.js answers for them itself. */
  readonly left: readonly string[];
  /** The public path it answers from, without `basePath`; undefined where it is no catch-all. */
  readonly below: string | undefined;
  /** What the API is imported as; undefined where it is not imported by name. */
  readonly api: { readonly specifier: string; readonly name: string } | undefined;
}

/** The methods a route.ts may export. */
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/**
 * Every file Next.js hands requests to as they are: each `route.*` below `app` and everything in `pages/api`, also below `src/`. Nothing is
 * left out but what Next.js leaves out, whatever .gitignore says and however a folder is called.
 *
 * @param pageExtensions  as in next.config
 * @throws Error where a file cannot be parsed
 */
export async function routeFiles(folder: string, pageExtensions: readonly string[]): Promise<readonly RouteFile[]> {
  const found: RouteFile[] = [];
  for (const root of ["app", "src/app"]) {
    for (const file of await filesBelow(folder, root)) {
      const name = file.slice(file.lastIndexOf("/") + 1);
      if (/(^|\/)_/.test(file) || !pageExtensions.some((extension) => name === `route.${extension}`)) continue;
      found.push({ file, ours: ourRoute(file, await readFile(join(folder, file), "utf8")) });
    }
  }
  for (const root of ["pages/api", "src/pages/api"]) {
    for (const file of await filesBelow(folder, root)) {
      const isDeclaration = /\.d\.[cm]?ts$/.test(file);
      if (isDeclaration || !pageExtensions.some((extension) => file.endsWith(`.${extension}`))) continue;
      found.push({ file, ours: undefined });
    }
  }
  return found;
}

/** Every file below a folder, links followed; [] where there is no such folder. */
async function filesBelow(folder: string, at: string): Promise<readonly string[]> {
  let names: readonly string[];
  try {
    names = await readdir(join(folder, at));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
  const found: string[] = [];
  for (const name of [...names].sort()) {
    const path = `${at}/${name}`;
    if (name === "node_modules") continue;
    if ((await stat(join(folder, path))).isDirectory()) found.push(...(await filesBelow(folder, path)));
    else found.push(path);
  }
  return found;
}

/**
 * Reads `export const { GET, … } = toNext(api)`. A file that exports a method in any other way is not ours, whatever else
 * it does.
 */
export function ourRoute(file: string, text: string): OurRoute | undefined {
  const { nodes } = parse(file, text);
  const imports = importsIn(nodes);
  const isToNext = (call: unknown): boolean => {
    const from = imports.get(nameOf(at(call, "callee")) ?? "");
    return typeOf(call) === "CallExpression" && from?.specifier === "portcullis/next" && from.name === "toNext";
  };
  const exported: string[] = [];
  let argument: unknown;
  for (const node of nodes) {
    if (node.type !== "ExportNamedDeclaration" && node.type !== "ExportAllDeclaration") continue;
    const declarations = listAt(at(node, "declaration"), "declarations");
    const isOther = node.type === "ExportAllDeclaration" || listAt(node, "specifiers").some(exportsMethod);
    const isFunction = methods.includes(nameOf(at(at(node, "declaration"), "id")) ?? "");
    if (isOther || isFunction) return undefined;
    for (const declaration of declarations) {
      const pattern = at(declaration, "id");
      if (methods.includes(nameOf(pattern) ?? "")) return undefined;
      if (typeOf(pattern) !== "ObjectPattern") continue;
      const properties = listAt(pattern, "properties");
      const given = properties.map((property) => nameOf(at(property, "value")) ?? "");
      if (!given.some((name) => methods.includes(name))) continue;
      const areTheirOwn = properties.every((property) => {
        const name = nameOf(at(property, "key"));
        return name !== undefined && name === nameOf(at(property, "value"));
      });
      const call = at(declaration, "init");
      if (!areTheirOwn || !isToNext(call)) return undefined;
      exported.push(...given);
      [argument] = listAt(call, "arguments");
    }
  }
  if (exported.length === 0) return undefined;
  return {
    left: methods.filter((method) => !exported.includes(method)),
    below: publicFolder(file),
    api: imports.get(nameOf(argument) ?? ""),
  };
}

/** `/api` for `app/(all)/api/[[...path]]/route.ts`; groups and slots are no part of a path. */
function publicFolder(file: string): string | undefined {
  const parts = file
    .replace(/^(?:src\/)?app\//, "")
    .split("/")
    .slice(0, -1);
  const last = parts.pop() ?? "";
  const isCatchAll = /^\[\[?\.\.\..+\]$/.test(last);
  const kept = parts.filter((part) => !/^(?:\(.*\)|@.*)$/.test(part));
  return isCatchAll ? kept.map((part) => `/${part}`).join("") : undefined;
}

function importsIn(nodes: readonly TreeNode[]): ReadonlyMap<string, { specifier: string; name: string }> {
  const found = new Map<string, { specifier: string; name: string }>();
  for (const node of nodes) {
    if (node.type !== "ImportDeclaration") continue;
    const specifier = at(at(node, "source"), "value");
    for (const one of listAt(node, "specifiers")) {
      const local = nameOf(at(one, "local"));
      const name = typeOf(one) === "ImportDefaultSpecifier" ? "default" : nameOf(at(one, "imported"));
      if (local !== undefined && name !== undefined && typeof specifier === "string")
        found.set(local, { specifier, name });
    }
  }
  return found;
}

function exportsMethod(specifier: unknown): boolean {
  const name = at(specifier, "exported");
  const text = nameOf(name) ?? at(name, "value");
  return typeof text === "string" && methods.includes(text);
}

function at(node: unknown, key: string): unknown {
  return typeof node === "object" && node !== null ? Reflect.get(node, key) : undefined;
}

function listAt(node: unknown, key: string): readonly unknown[] {
  const list = at(node, key);
  return Array.isArray(list) ? list : [];
}

function typeOf(node: unknown): unknown {
  return at(node, "type");
}

function nameOf(node: unknown): string | undefined {
  const name = typeOf(node) === "Identifier" ? at(node, "name") : undefined;
  return typeof name === "string" ? name : undefined;
}
