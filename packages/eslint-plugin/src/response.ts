import {
  bare,
  calledName,
  type CallExpression,
  everyNode,
  isFunction,
  type NewExpression,
  type Node,
  propertyOf,
  receiverOf,
} from "./ast.ts";
import { type Handler, handlerAround, handlerOf } from "./handlers.ts";
import { originOf, readFrom } from "./origin.ts";
import type { File } from "./rule.ts";

/** Something that is sent to the client. */
export interface Sent {
  readonly value: Node;
  /** The status as far as it is written in the same expression. */
  readonly status: Node | undefined;
  readonly handler: Handler;
}

const senders = new Set(["json", "jsonp", "send", "end"]);
const honoSenders = new Set(["json", "text", "body", "html"]);
const nextServer = new Set(["next/server"]);

/** What a call sends to the client of the handler around it, or undefined where it sends nothing. */
export function sentBy(file: File, call: CallExpression | NewExpression): Sent | undefined {
  const [value] = call.arguments;
  if (value === undefined) return undefined;
  if (call.type === "NewExpression" || isWebJson(file, call)) {
    if (call.type === "NewExpression" && !isResponseClass(file, call.callee)) return undefined;
    const handler = handlerAround(file, call);
    if (handler?.framework !== "next-app" && handler?.framework !== "hono") return undefined;
    return { value, status: propertyOf(call.arguments[1], "status"), handler };
  }
  const name = calledName(call) ?? "";
  const chain = chainOf(call);
  const origin = originOf(file, chain.root);
  if (origin.kind !== "parameter" || origin.path.length > 0) return undefined;
  const handler = handlerOf(file, origin.fn);
  if (handler === undefined || handler.response !== origin.index) return undefined;
  if (handler.framework === "hono") {
    return honoSenders.has(name) ? { value, status: call.arguments[1], handler } : undefined;
  }
  return senders.has(name) ? { value, status: chain.status, handler } : undefined;
}

/**
 * What a value is made of that leaves with it: itself, the members of object and list literals, the sides of `??` and
 * `?:`, and what a name stands for. A function's result is itself and nothing more.
 */
export function partsOf(file: File, value: Node, steps = 8): readonly Node[] {
  const node = bare(value);
  const all = (nodes: readonly Node[]): readonly Node[] => [
    node,
    ...nodes.flatMap((one) => partsOf(file, one, steps - 1)),
  ];
  if (steps === 0) return [node];
  switch (node.type) {
    case "ObjectExpression":
      return all(node.properties.map((one) => (one.type === "Property" ? one.value : one.argument)));
    case "ArrayExpression":
      return all(
        node.elements.filter((one) => one !== null).map((one) => (one.type === "SpreadElement" ? one.argument : one)),
      );
    case "LogicalExpression":
      return all([node.left, node.right]);
    case "ConditionalExpression":
      return all([node.consequent, node.alternate]);
    case "TemplateLiteral":
      return all(node.expressions);
    case "BinaryExpression":
      return node.operator === "+" ? all([node.left, node.right]) : [node];
    case "AwaitExpression":
      return all([node.argument]);
    case "Identifier": {
      const origin = originOf(file, node);
      return "node" in origin && origin.node !== node && origin.path.length === 0 && !isFunction(origin.node)
        ? all([origin.node])
        : [node];
    }
    default:
      return [node];
  }
}

/** The calls below a node, those in functions within it included. */
export function callsIn(root: Node): readonly CallExpression[] {
  return everyNode(root).filter((node) => node.type === "CallExpression");
}

function isWebJson(file: File, call: CallExpression): boolean {
  const receiver = receiverOf(call);
  return calledName(call) === "json" && receiver !== undefined && isResponseClass(file, receiver);
}

function isResponseClass(file: File, node: Node): boolean {
  if (readFrom(file, node, nextServer)?.join(".") === "NextResponse") return true;
  const origin = originOf(file, node);
  return origin.kind === "global" && origin.name === "Response" && origin.path.length === 0;
}

/** Goes down `res.status(404).type("json").json(…)` to `res`, and picks up the status on the way. */
function chainOf(call: CallExpression): { readonly root: Node; readonly status: Node | undefined } {
  let status: Node | undefined;
  let root = receiverOf(call) ?? call;
  while (root.type === "CallExpression") {
    if (["status", "code"].includes(calledName(root) ?? "")) status ??= root.arguments[0];
    const next = receiverOf(root);
    if (next === undefined) break;
    root = next;
  }
  return { root, status };
}
