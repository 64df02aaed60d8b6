import { analyze } from "@typescript-eslint/scope-manager";
import { type ParseResult, parseSync, visitorKeys } from "oxc-parser";

/** A node of the tree, as the rules are handed it. */
export interface TreeNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  parent?: TreeNode | null;
}

/** A file, parsed: what a rule needs of it, and its comments. */
export interface Parsed {
  readonly text: string;
  readonly ast: TreeNode;
  /** Every node, each before what is in it. */
  readonly nodes: readonly TreeNode[];
  readonly comments: readonly { readonly value: string; readonly start: number; readonly end: number }[];
  /** The innermost scope around a node. */
  getScope(node: object): unknown;
}

/**
 * Parses JavaScript or TypeScript, with or without JSX, and works out which name means what.
 *
 * @param filename  says the language; a .js file may hold JSX
 * @throws Error where the text cannot be parsed
 */
export function parse(filename: string, text: string): Parsed {
  const { program, comments } = parsedAs(filename, text);
  const nodes: TreeNode[] = [];
  collect(program, null, nodes);
  const scopes = scopesOf(program);
  return {
    text,
    ast: program,
    nodes,
    comments,
    getScope(node) {
      for (let up: object | null | undefined = node; up; up = Reflect.get(up, "parent")) {
        const scope = scopes.get(up);
        if (scope !== undefined) return scope;
      }
      return undefined;
    },
  };
}

/** Read as a module; what only an old script may say, such as `with`, is read as one. */
function parsedAs(filename: string, text: string): ParseResult {
  // Frameworks let JSX stand in .js files, and the tree of TypeScript has what the scopes are worked out by.
  const lang = /\.[cm]?js$/.test(filename) ? ({ lang: "jsx" } as const) : {};
  const options = { ...lang, astType: "ts", range: true, preserveParens: false } as const;
  const parsed = parseSync(filename, text, options);
  const fault = parsed.errors[0];
  if (fault === undefined) return parsed;
  const asScript = parseSync(filename, text, { ...options, sourceType: "commonjs" });
  if (asScript.errors.length > 0) throw new Error(fault.message);
  return asScript;
}

/** The innermost scope of each node that opens one. */
function scopesOf(program: unknown): ReadonlyMap<object, object> {
  if (!isTree(program)) throw new Error("the parser made no program");
  const { scopes } = analyze(program, { sourceType: "module", childVisitorKeys: visitorKeys, lib: [] });
  // A named function expression has a scope for its name and, after it, one for its parameters.
  return new Map(scopes.map((scope) => [scope.block, scope]));
}

/** Both packages keep to the one syntax tree of typescript-eslint; only their type declarations differ. */
function isTree(program: unknown): program is Parameters<typeof analyze>[0] {
  return isNode(program) && program.type === "Program";
}

function collect(node: TreeNode, parent: TreeNode | null, nodes: TreeNode[]): void {
  node.parent = parent;
  nodes.push(node);
  for (const key of visitorKeys[node.type] ?? []) {
    const child: unknown = Reflect.get(node, key);
    if (Array.isArray(child)) {
      for (const one of child) if (isNode(one)) collect(one, node, nodes);
    } else if (isNode(child)) collect(child, node, nodes);
  }
}

function isNode(value: unknown): value is TreeNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
