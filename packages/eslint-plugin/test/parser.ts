import { analyze } from "@typescript-eslint/scope-manager";
import { parseSync, visitorKeys } from "oxc-parser";

/**
 * A parser for ESLint that reads TypeScript: typescript-eslint's own does not run beside TypeScript 7, and the tree and
 * the scopes are the same.
 */
export function parseForESLint(text: string, { filePath }: { readonly filePath: string }): object {
  const { program, errors } = parseSync(filePath, text, { astType: "ts", range: true, preserveParens: false });
  const fault = errors[0];
  if (fault !== undefined) throw new SyntaxError(fault.message);
  const tree: unknown = program;
  if (!isTree(tree)) throw new Error("the parser made no program");
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const position = (offset: number): { line: number; column: number } => {
    const line = starts.findLastIndex((start) => start <= offset) + 1;
    return { line, column: offset - (starts[line - 1] ?? 0) };
  };
  locate(tree, position);
  const scopeManager = analyze(tree, { sourceType: "module", childVisitorKeys: visitorKeys, lib: [] });
  return { ast: Object.assign(tree, { tokens: [], comments: [] }), scopeManager, visitorKeys };
}

function isTree(program: unknown): program is Parameters<typeof analyze>[0] {
  return typeof program === "object" && program !== null && "type" in program && program.type === "Program";
}

/** ESLint asks every node for its lines. */
function locate(node: object, position: (offset: number) => object): void {
  const [start, end]: readonly unknown[] = "range" in node && Array.isArray(node.range) ? node.range : [];
  if (typeof start === "number" && typeof end === "number") {
    Object.assign(node, { loc: { start: position(start), end: position(end) } });
  }
  for (const [name, value] of Object.entries(node)) {
    if (name === "loc" || name === "range" || name === "parent") continue;
    const children: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const one of children) if (typeof one === "object" && one !== null && "type" in one) locate(one, position);
  }
}
