import {
  type AnyFunction,
  bare,
  calledName,
  isFunction,
  keyOf,
  memberName,
  type NewExpression,
  type CallExpression,
  type Node,
  settled,
  stringIn,
} from "./ast.ts";
import type { File, Variable } from "./rule.ts";

/**
 * Where a value comes from, as far as one file tells, and the names read from it on the way:
 * for `const { email } = req.body` the origin of `email` is the parameter `req` with the path `body`, `email`.
 * A name that is assigned twice, or a value that is worked out, has the kind `other`.
 */
export type Origin =
  | { readonly kind: "import"; readonly module: string; readonly path: readonly string[] }
  | { readonly kind: "parameter"; readonly fn: AnyFunction; readonly index: number; readonly path: readonly string[] }
  | { readonly kind: "call"; readonly node: CallExpression; readonly path: readonly string[] }
  | { readonly kind: "new"; readonly node: NewExpression; readonly path: readonly string[] }
  | { readonly kind: "function"; readonly node: AnyFunction; readonly path: readonly string[] }
  | { readonly kind: "global"; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: "other"; readonly node: Node; readonly path: readonly string[] };

/** The libraries a question is about; a set, or anything that can say whether a name is one of them. */
export interface Modules {
  has(module: string): boolean;
}

/** A step whose name is worked out: `a[i]`. */
export const unknownStep = "*";

/** How many names a value is followed through; more is nothing a reader would follow either. */
const maxSteps = 20;

/** The origin of an expression; `await` is looked through. */
export function originOf(file: File, expression: Node, steps = maxSteps): Origin {
  const node = settled(expression);
  if (steps === 0) return { kind: "other", node, path: [] };
  switch (node.type) {
    case "MemberExpression":
      return below(originOf(file, node.object, steps - 1), [memberName(node) ?? unknownStep]);
    case "Identifier":
      return originOfName(file, node, node.name, steps);
    case "CallExpression": {
      const module = calledName(node) === "require" ? stringIn(node.arguments[0]) : undefined;
      if (module === undefined || variableOf(file, node.callee) !== undefined) return { kind: "call", node, path: [] };
      return { kind: "import", module: moduleName(module), path: [] };
    }
    case "ImportExpression": {
      const module = stringIn(node.source);
      return module === undefined
        ? { kind: "other", node, path: [] }
        : { kind: "import", module: moduleName(module), path: [] };
    }
    case "NewExpression":
      return { kind: "new", node, path: [] };
    case "ArrowFunctionExpression":
    case "FunctionExpression":
      return { kind: "function", node, path: [] };
    default:
      return { kind: "other", node, path: [] };
  }
}

/** The variable an identifier stands for, or undefined for a global name and for anything that is no identifier. */
export function variableOf(file: File, identifier: Node): Variable | undefined {
  const node = bare(identifier);
  if (node.type !== "Identifier") return undefined;
  for (let scope: ReturnType<File["sourceCode"]["getScope"]> | null = file.sourceCode.getScope(node); scope; ) {
    const variable = scope.set.get(node.name);
    if (variable !== undefined) return variable.defs.length === 0 ? undefined : variable;
    scope = scope.upper;
  }
  return undefined;
}

/**
 * What an expression reads of a library, or undefined where it is not that library's: for `import jwt from "jsonwebtoken"`,
 * `jwt.verify` is `["verify"]`. The default export and the module itself are both `[]`.
 */
export function readFrom(file: File, expression: Node, modules: Modules): readonly string[] | undefined {
  const origin = originOf(file, expression);
  if (origin.kind !== "import" || !modules.has(origin.module)) return undefined;
  return withoutDefault(origin.path);
}

/** True where the call is of what the library exports under one of these names; "" is the library itself. */
export function isCallOf(
  file: File,
  call: CallExpression | NewExpression,
  modules: Modules,
  names: ReadonlySet<string>,
): boolean {
  const path = readFrom(file, call.callee, modules);
  return path !== undefined && names.has(path.join("."));
}

/** True where a value was made by the library: by calling it, one of its exports, or a method of what it made. */
export function isMadeBy(file: File, expression: Node, modules: Modules): boolean {
  let origin = originOf(file, expression);
  for (let steps = 0; steps < maxSteps; steps++) {
    if (origin.kind === "import") return modules.has(origin.module);
    if (origin.kind === "parameter") return modules.has(typeOfParameter(file, origin.fn, origin.index)?.module ?? "");
    if (origin.kind !== "call" && origin.kind !== "new") return false;
    origin = originOf(file, origin.node.callee);
  }
  return false;
}

/** The library type a parameter is annotated with. */
export function typeOfParameter(file: File, fn: AnyFunction, index: number): LibraryType | undefined {
  const parameter = fn.params[index];
  if (parameter === undefined || !("typeAnnotation" in parameter)) return undefined;
  return libraryType(file, parameter.typeAnnotation?.typeAnnotation);
}

/** A type that comes from a library. */
export interface LibraryType {
  readonly module: string;
  readonly name: string;
}

/** The library and the name of a type such as `Request` or `express.Request`; its type arguments do not matter. */
export function libraryType(file: File, type: Node | null | undefined): LibraryType | undefined {
  if (type?.type !== "TSTypeReference") return undefined;
  const names: string[] = [];
  let first: Node = type.typeName;
  while (first.type === "TSQualifiedName") {
    names.unshift(first.right.name);
    first = first.left;
  }
  const origin = originOf(file, first);
  if (origin.kind !== "import") return undefined;
  const path = withoutDefault([...origin.path, ...names]);
  return { module: origin.module, name: path.at(-1) ?? "" };
}

/** The functions a variable's value, or an expression, can be in this file: written in place, or by name. */
export function functionOf(file: File, expression: Node): AnyFunction | undefined {
  const origin = originOf(file, expression);
  return origin.kind === "function" && origin.path.length === 0 ? origin.node : undefined;
}

/** The parameter a variable is, with the names a pattern reads from it. */
export function parameterOf(fn: AnyFunction, name: Node): { index: number; path: readonly string[] } | undefined {
  for (const [index, parameter] of fn.params.entries()) {
    const path = pathTo(parameter, name);
    if (path !== undefined) return { index, path };
  }
  return undefined;
}

/** The single value a variable has for its whole life, with the names a pattern reads from it. */
export function soleValueOf(variable: Variable): { value: Node; path: readonly string[] } | undefined {
  const [definition, ...others] = variable.defs;
  if (definition?.type !== "Variable" || others.length > 0 || isAssignedAgain(variable)) return undefined;
  const { node: declarator, name } = definition;
  if (declarator.type !== "VariableDeclarator" || declarator.init === null) return undefined;
  const path = pathTo(declarator.id, name);
  return path === undefined ? undefined : { value: declarator.init, path };
}

function originOfName(file: File, node: Node, name: string, steps: number): Origin {
  const variable = variableOf(file, node);
  if (variable === undefined) return { kind: "global", name, path: [] };
  const [definition, ...others] = variable.defs;
  const other: Origin = { kind: "other", node, path: [] };
  // An import of a type and a value under one name is one definition; two definitions are an overload or a merge.
  if (definition === undefined || others.some((one) => one.type !== definition.type)) return other;
  switch (definition.type) {
    case "ImportBinding":
      return importOf(definition.node, definition.parent) ?? other;
    case "Parameter": {
      const fn = definition.node;
      const place = isFunction(fn) ? parameterOf(fn, definition.name) : undefined;
      if (!isFunction(fn) || place === undefined || isAssignedAgain(variable)) return other;
      return { kind: "parameter", fn, ...place };
    }
    case "Variable": {
      const value = soleValueOf(variable);
      return value === undefined ? other : below(originOf(file, value.value, steps - 1), value.path);
    }
    case "FunctionName":
      return isFunction(definition.node) ? { kind: "function", node: definition.node, path: [] } : other;
    default:
      return other;
  }
}

function importOf(specifier: Node, declaration: Node | null | undefined): Origin | undefined {
  if (declaration?.type === "TSImportEqualsDeclaration" || specifier.type === "TSImportEqualsDeclaration") {
    const whole = specifier.type === "TSImportEqualsDeclaration" ? specifier : declaration;
    if (whole?.type !== "TSImportEqualsDeclaration" || whole.moduleReference.type !== "TSExternalModuleReference") {
      return undefined;
    }
    return { kind: "import", module: moduleName(whole.moduleReference.expression.value), path: [] };
  }
  if (declaration?.type !== "ImportDeclaration") return undefined;
  const module = moduleName(declaration.source.value);
  switch (specifier.type) {
    case "ImportNamespaceSpecifier":
      return { kind: "import", module, path: [] };
    case "ImportDefaultSpecifier":
      return { kind: "import", module, path: ["default"] };
    case "ImportSpecifier": {
      const { imported } = specifier;
      return { kind: "import", module, path: [imported.type === "Literal" ? imported.value : imported.name] };
    }
    default:
      return undefined;
  }
}

/** The names that lead through a pattern to one of its identifiers; undefined where it is not there, or is a rest. */
function pathTo(pattern: Node | null, name: Node): readonly string[] | undefined {
  if (pattern === name) return [];
  switch (pattern?.type) {
    case "AssignmentPattern":
      return pathTo(pattern.left, name);
    case "TSParameterProperty":
      return pathTo(pattern.parameter, name);
    case "ObjectPattern":
      for (const property of pattern.properties) {
        if (property.type === "RestElement") {
          // What is left of an object has the same names as the object.
          if (property.argument === name) return [];
          continue;
        }
        const path = pathTo(property.value, name);
        if (path !== undefined) return [keyOf(property) ?? unknownStep, ...path];
      }
      return undefined;
    case "ArrayPattern":
      for (const [index, element] of pattern.elements.entries()) {
        const path = pathTo(element, name);
        if (path !== undefined) return [String(index), ...path];
      }
      return undefined;
    default:
      return undefined;
  }
}

/** True where more than its declaration, or a parameter's default, gives it a value. */
function isAssignedAgain(variable: Variable): boolean {
  return variable.references.some((reference) => reference.isWrite() && reference.init !== true);
}

function below(origin: Origin, path: readonly string[]): Origin {
  return path.length === 0 ? origin : { ...origin, path: [...origin.path, ...path] };
}

function withoutDefault(path: readonly string[]): readonly string[] {
  return path[0] === "default" ? path.slice(1) : path;
}

function moduleName(specifier: string): string {
  return specifier.replace(/^node:/, "");
}
