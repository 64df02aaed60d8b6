import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { computed, findCircles, importsOf, packageFolders, packageOf, readImports } from "./import-graph.ts";
import { layeringRules, packageNameOf } from "./layering-rules.ts";

const root = join(import.meta.dirname, "..");
const runtimeSwitch = new Map([
  ["#runtime", ["packages/portcullis/src/web-runtime.ts", "packages/portcullis/src/adapters/node-runtime.ts"]],
]);
const imports = readImports(root);

describe("who may import whom", () => {
  for (const { sentence, forbids } of layeringRules) {
    it(sentence, () => {
      const breaches = imports.filter(forbids).map(({ from, specifier }) => `${from} imports ${specifier}`);
      expect(breaches).toEqual([]);
    });
  }

  it("no file imports itself by way of others", () => {
    expect(findCircles(imports).map((circle) => circle.join(" -> "))).toEqual([]);
  });

  it.each(packageFolders(root))("%s imports only packages its package.json names", (folder) => {
    const declared = declaredPackages(folder);
    const undeclared = imports
      .filter(({ from, to }) => packageOf(from) === folder && to.length === 0)
      .map(({ specifier }) => specifier)
      .filter(
        (specifier) => specifier !== computed && !isBuiltin(specifier) && !declared.has(packageNameOf(specifier)),
      );
    expect([...new Set(undeclared)]).toEqual([]);
  });
});

describe("the checker", () => {
  for (const { sentence, forbids, breach, fine } of layeringRules) {
    it(`can fail: ${sentence}`, () => {
      expect(importsOf(breach.file, breach.source, runtimeSwitch).filter(forbids)).toHaveLength(1);
    });

    it(`is not too strict: ${sentence}`, () => {
      const judged = importsOf(fine.file, fine.source, runtimeSwitch);
      expect(judged).toHaveLength(1);
      expect(judged.filter(forbids)).toEqual([]);
    });
  }

  it("reads the source files of every package, not an empty folder", () => {
    expect(imports.filter(({ from }) => from.startsWith("packages/portcullis/src/")).length).toBeGreaterThan(20);
  });

  it("sees every way to import, and which of them load nothing", () => {
    const source = `
      import "./bare.ts";
      import value from "./value.ts";
      import { type Inline } from "./inline.ts";
      import type { Shape } from "./shape.ts";
      export { again } from "./again.ts";
      export type { Kind } from "./kind.ts";
      export * from "./all.ts";
      export type * from "./all-types.ts";
      const later = await import("./later.ts");
      const unknown = await import(value);
      type Deep = import("./deep.ts").Deep;
      import old = require("./old.ts");
    `;
    expect(importsOf("a/b.ts", source).map(({ specifier, isType }) => [specifier, isType])).toEqual([
      ["./bare.ts", false],
      ["./value.ts", false],
      ["./inline.ts", false],
      ["./shape.ts", true],
      ["./again.ts", false],
      ["./kind.ts", true],
      ["./all.ts", false],
      ["./all-types.ts", true],
      ["./later.ts", false],
      [computed, false],
      ["./deep.ts", true],
      ["./old.ts", false],
    ]);
  });

  it("follows a relative path, and a switch to each file it may stand for", () => {
    const source = 'import { a } from "../lib/a.ts"; import { b } from "#runtime"; import { c } from "jose";';
    expect(importsOf("packages/portcullis/src/gates/jwt.ts", source, runtimeSwitch).map(({ to }) => to)).toEqual([
      ["packages/portcullis/src/lib/a.ts"],
      ["packages/portcullis/src/web-runtime.ts", "packages/portcullis/src/adapters/node-runtime.ts"],
      [],
    ]);
  });

  it("refuses to judge a file it cannot parse", () => {
    expect(() => importsOf("broken.ts", "import { from")).toThrow("broken.ts cannot be parsed");
  });

  it("finds each circle once, also two that share a file and one file that imports itself", () => {
    const graph = [
      ...importsOf("p/a.ts", 'import "./b.ts"; import "./c.ts";'),
      ...importsOf("p/b.ts", 'import type { A } from "./a.ts";'),
      ...importsOf("p/c.ts", 'import "./d.ts";'),
      ...importsOf("p/d.ts", 'import "./a.ts"; import "./leaf.ts";'),
      ...importsOf("p/self.ts", 'import "./self.ts";'),
    ];
    expect(findCircles(graph)).toEqual([["p/a.ts", "p/b.ts"], ["p/a.ts", "p/c.ts", "p/d.ts"], ["p/self.ts"]]);
  });

  it("finds no circle where two ways lead to the same file", () => {
    const graph = [
      ...importsOf("p/a.ts", 'import "./b.ts"; import "./c.ts";'),
      ...importsOf("p/b.ts", 'import "./d.ts";'),
      ...importsOf("p/c.ts", 'import "./d.ts";'),
    ];
    expect(findCircles(graph)).toEqual([]);
  });
});

/** What the package's own package.json lists, for run time, peers and development alike. */
function declaredPackages(folder: string): ReadonlySet<string> {
  const manifest: Record<string, Record<string, string>> = JSON.parse(
    readFileSync(join(root, folder, "package.json"), "utf8"),
  );
  const lists = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
  return new Set(lists.flatMap((list) => Object.keys(manifest[list] ?? {})));
}
