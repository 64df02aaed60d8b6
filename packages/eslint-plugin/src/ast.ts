import type {
  ArrowFunctionExpression,
  CallExpression,
  Expression,
  Function as FunctionNode,
  MemberExpression,
  NewExpression,
  Node,
  ObjectExpression,
  Program,
} from "@oxc-project/types";

export type { CallExpression, Expression, MemberExpression, NewExpression, Node, ObjectExpression, Program };

/** Any function with a body or without. */
export type AnyFunction = FunctionNode | ArrowFunctionExpression;

/** The expression without what only types, groups or chains it: `x!`, `x as T`, `x satisfies T`, `(x)`, `x?.y`. */
export function bare(node: Node): Node {
  switch (node.type) {
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "TSSatisfiesExpression":
    case "TSTypeAssertion":
    case "TSInstantiationExpression":
    case "ChainExpression":
    case "ParenthesizedExpression":
      return bare(node.expression);
    default:
      return node;
  }
}

/** As `bare`, and without `await`. */
export function settled(node: Node): Node {
  const inner = bare(node);
  return inner.type === "AwaitExpression" ? settled(inner.argument) : inner;
}

/** The name a member expression reads, or undefined where it is worked out: `a.b` and `a["b"]` are "b". */
export function memberName(node: MemberExpression): string | undefined {
  if (node.computed) return stringIn(node.property);
  return node.property.type === "Identifier" ? node.property.name : undefined;
}

/** The text of a string literal or of a template without values. */
export function stringIn(node: Node | null | undefined): string | undefined {
  if (node === null || node === undefined) return undefined;
  const inner = bare(node);
  if (inner.type === "Literal" && typeof inner.value === "string") return inner.value;
  if (inner.type === "TemplateLiteral" && inner.expressions.length === 0) return inner.quasis[0]?.value.cooked ?? "";
  return undefined;
}

/** The name of a property in an object literal or pattern, or undefined where it is worked out. */
export function keyOf(property: Node): string | undefined {
  if (property.type !== "Property") return undefined;
  if (!property.computed && property.key.type === "Identifier") return property.key.name;
  return stringIn(property.key);
}

/** The value an object literal gives to a name; undefined where it does not, or where a spread may say otherwise. */
export function propertyOf(object: Node | undefined, name: string): Node | undefined {
  if (object === undefined) return undefined;
  const inner = bare(object);
  if (inner.type !== "ObjectExpression") return undefined;
  const property = inner.properties.findLast((one) => keyOf(one) === name);
  return property?.type === "Property" ? property.value : undefined;
}

/** True for an object literal whose names are all written out. */
export function isClosedObject(node: Node): node is ObjectExpression {
  return node.type === "ObjectExpression" && node.properties.every((one) => keyOf(one) !== undefined);
}

/** The name a call goes by last: `a.b.c()` is "c", `f()` is "f". */
export function calledName(call: CallExpression | NewExpression): string | undefined {
  const callee = bare(call.callee);
  if (callee.type === "Identifier") return callee.name;
  return callee.type === "MemberExpression" ? memberName(callee) : undefined;
}

/** What a method is called on, or undefined for a plain call. */
export function receiverOf(call: CallExpression): Node | undefined {
  const callee = bare(call.callee);
  return callee.type === "MemberExpression" ? bare(callee.object) : undefined;
}

/** True for a function that is written here: an arrow, an expression or a declaration. */
export function isFunction(node: Node | null | undefined): node is AnyFunction {
  return (
    node?.type === "ArrowFunctionExpression" ||
    node?.type === "FunctionExpression" ||
    node?.type === "FunctionDeclaration"
  );
}

/** The functions around a node, the nearest first. */
export function functionsAround(node: Node): readonly AnyFunction[] {
  const around: AnyFunction[] = [];
  for (let up = node.parent; up; up = up.parent) if (isFunction(up)) around.push(up);
  return around;
}

/** True where the literal says so; anything that is worked out is not. */
export function isLiteral(node: Node | undefined, value: string | number | boolean): boolean {
  if (node === undefined) return false;
  const inner = bare(node);
  return inner.type === "Literal" && inner.value === value;
}

/** Every node below one, itself included; where `enter` says no, nothing below it is visited. */
export function everyNode(root: Node, enter: (node: Node) => boolean = () => true): readonly Node[] {
  const found: Node[] = [];
  const visit = (node: Node): void => {
    if (!enter(node)) return;
    found.push(node);
    for (const child of childrenOf(node)) visit(child);
  };
  visit(root);
  return found;
}

/** The nodes one node is made of, in the order of its fields. */
function childrenOf(node: Node): readonly Node[] {
  const children: Node[] = [];
  for (const [name, value] of Object.entries(node)) {
    if (name === "parent" || name === "tokens" || name === "comments") continue;
    for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) children.push(one);
  }
  return children;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
