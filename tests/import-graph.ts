import { globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseSync, Visitor } from "oxc-parser";

/** One import, re-export, `import()` or `import("…")` type, as it stands in a source file. */
export type Import = {
  /** The importing file, relative to the checkout, with forward slashes. */
  readonly from: string;
  /** What the source says; `computed` when an `import()` does not name its target in plain text. */
  readonly specifier: string;
  /** The files it reaches, relative to the checkout; none when it names a package, or nothing that can be read. */
  readonly to: readonly string[];
  /** True when nothing is loaded at run time: `import type`, `export type`, and imports inside a type. */
  readonly isType: boolean;
};

/** An `import()` whose target is not written out. */
export const computed = "(computed)";

/**
 * Every import of the source files below `packages/<name>/src`, `examples/` and `bench/`.
 *
 * @param root  the checkout's folder
 * @throws Error when a file cannot be parsed: what cannot be read proves nothing
 */
export function readImports(root: string): readonly Import[] {
  const switches = new Map(packageFolders(root).map((folder) => [folder, readSwitches(root, folder)]));
  const files = globSync(["packages/*/src/**/*.{ts,tsx}", "examples/**/*.{ts,tsx}", "bench/**/*.{ts,tsx}"], {
    cwd: root,
    exclude: (path) => /(^|\/)(node_modules|dist)(\/|$)/.test(path),
  });
  return files.sort().flatMap((file) => {
    const folder = packageOf(file);
    return importsOf(file, readFileSync(join(root, file), "utf8"), switches.get(folder));
  });
}

/**
 * The imports of one file, in source order.
 *
 * @param from      the file, relative to the checkout
 * @param source    its text
 * @param switches  what its package's own `#name` imports may stand for, as files relative to the checkout
 */
export function importsOf(
  from: string,
  source: string,
  switches: ReadonlyMap<string, readonly string[]> = new Map(),
): readonly Import[] {
  const { program, errors } = parseSync(from, source);
  const fault = errors[0];
  if (fault !== undefined) throw new Error(`${from} cannot be parsed: ${fault.message}`);

  const found: Import[] = [];
  const add = (specifier: string, isType: boolean): void => {
    const to = specifier.startsWith(".")
      ? [posix.normalize(posix.join(posix.dirname(from), specifier))]
      : (switches.get(specifier) ?? []);
    found.push({ from, specifier, to, isType });
  };
  new Visitor({
    ImportDeclaration: ({ source: target, importKind }) => add(target.value, importKind === "type"),
    ExportAllDeclaration: ({ source: target, exportKind }) => add(target.value, exportKind === "type"),
    ExportNamedDeclaration: ({ source: target, exportKind }) => {
      if (target !== null) add(target.value, exportKind === "type");
    },
    ImportExpression: ({ source: target }) => {
      add(target.type === "Literal" && typeof target.value === "string" ? target.value : computed, false);
    },
    TSImportType: ({ source: target }) => add(target.value, true),
    TSImportEqualsDeclaration: ({ moduleReference, importKind }) => {
      if (moduleReference.type === "TSExternalModuleReference") {
        add(moduleReference.expression.value, importKind === "type");
      }
    },
  }).visit(program);
  return found;
}

/** The folder of the package a file belongs to, for example `packages/scan` for `packages/scan/src/plan.ts`. */
export function packageOf(file: string): string {
  const [first = "", second = ""] = file.split("/");
  return first === "bench" ? first : `${first}/${second}`;
}

/** The folders of the workspace that hold a package.json. */
export function packageFolders(root: string): readonly string[] {
  return globSync(["packages/*/package.json", "examples/*/package.json", "bench/package.json"], { cwd: root })
    .map((file) => posix.dirname(file))
    .sort();
}

/**
 * Circles of files that import each other, type imports included: whoever reads one file of a circle has to read
 * them all. Each is listed once, from its alphabetically first file. Every file is walked once, so a tangle of
 * circles shows some of them, never none.
 */
export function findCircles(imports: readonly Import[]): readonly (readonly string[])[] {
  const next = new Map<string, readonly string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), ...to]);

  const circles = new Map<string, readonly string[]>();
  const done = new Set<string>();
  const walk = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start !== -1) {
      const circle = fromFirst(way.slice(start));
      circles.set(circle.join(" "), circle);
      return;
    }
    if (done.has(file)) return;
    for (const target of next.get(file) ?? []) walk(target, [...way, file]);
    done.add(file);
  };
  for (const file of [...next.keys()].sort()) walk(file, []);
  return [...circles.values()];
}

function fromFirst(circle: readonly string[]): readonly string[] {
  const first = circle.indexOf([...circle].sort()[0] ?? "");
  return [...circle.slice(first), ...circle.slice(0, first)];
}

/** The package's `imports` field: each `#name` with every source file it may stand for. */
function readSwitches(root: string, folder: string): ReadonlyMap<string, readonly string[]> {
  const manifest: unknown = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const field = typeof manifest === "object" && manifest !== null && "imports" in manifest ? manifest.imports : {};
  return new Map(
    Object.entries(field ?? {}).map(([name, target]) => {
      const sources = leaves(target).filter((path) => path.startsWith("./src/"));
      return [name, [...new Set(sources.map((path) => posix.join(folder, path)))]];
    }),
  );
}

function leaves(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [];
}
