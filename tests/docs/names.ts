import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync, Visitor } from "oxc-parser";

/** What users write against: the library, and the identity server that runs in it. */
const sources = ["packages/portcullis/src/**/*.ts", "packages/server/src/**/*.ts"];

/**
 * Every name the library's sources give to something a user can write or read: exports, members of interfaces and of
 * object literals, parameters and methods.
 *
 * @param root  the checkout
 */
export function libraryNames(root: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const file of globSync(sources, { cwd: root })) {
    const { program, errors } = parseSync(file, readFileSync(join(root, file), "utf8"));
    if (errors[0] !== undefined) throw new Error(`${file} cannot be parsed: ${errors[0].message}`);
    const take = (node: { readonly type: string; readonly name?: unknown } | null | undefined): void => {
      if (node?.type === "Identifier" && typeof node.name === "string") names.add(node.name);
    };
    new Visitor({
      TSPropertySignature: ({ key }) => take(key),
      TSMethodSignature: ({ key }) => take(key),
      Property: ({ key }) => take(key),
      MethodDefinition: ({ key }) => take(key),
      FunctionDeclaration: ({ id }) => take(id),
      VariableDeclarator: ({ id }) => take(id),
      TSInterfaceDeclaration: ({ id }) => take(id),
      TSTypeAliasDeclaration: ({ id }) => take(id),
      ClassDeclaration: ({ id }) => take(id),
    }).visit(program);
  }
  return names;
}

/** What a package hands out under one of its entries, types included. */
export function exportedNames(root: string, entry: string): ReadonlySet<string> {
  const names = new Set<string>();
  const { program } = parseSync(entry, readFileSync(join(root, entry), "utf8"));
  for (const statement of program.body) {
    if (statement.type !== "ExportNamedDeclaration") continue;
    for (const { exported } of statement.specifiers) if (exported.type === "Identifier") names.add(exported.name);
    if (statement.declaration?.type === "FunctionDeclaration") names.add(statement.declaration.id?.name ?? "");
  }
  return names;
}

/** Every string literal of the library's sources: refusal codes, event types, header names, kinds. */
export function libraryTexts(root: string): ReadonlySet<string> {
  const texts = new Set<string>();
  for (const file of globSync(sources, { cwd: root })) {
    const { program } = parseSync(file, readFileSync(join(root, file), "utf8"));
    new Visitor({
      Literal: ({ value }) => {
        if (typeof value === "string") texts.add(value);
      },
    }).visit(program);
  }
  return texts;
}
