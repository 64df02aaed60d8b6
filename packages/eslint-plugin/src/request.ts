import { bare, calledName, type CallExpression, type Node, receiverOf, settled, stringIn } from "./ast.ts";
import { type Framework, handlerOf } from "./handlers.ts";
import { type Origin, originOf } from "./origin.ts";
import type { File } from "./rule.ts";

/** A piece of a request: which part, and the names that lead to it; headers are in lower case. */
export interface Piece {
  readonly part: "body" | "query" | "params" | "headers" | "cookies" | "url" | "host";
  readonly path: readonly string[];
}

const parts: Readonly<Record<string, Piece["part"]>> = {
  body: "body",
  query: "query",
  params: "params",
  headers: "headers",
  cookies: "cookies",
  signedCookies: "cookies",
  url: "url",
  originalUrl: "url",
  host: "host",
  hostname: "host",
};

/** How a request is asked for its parts, by framework: the names that lead to the method. */
const expressReaders: Readonly<Record<string, Piece["part"]>> = { get: "headers", header: "headers", param: "query" };
const webReaders: Readonly<Record<string, Piece["part"]>> = {
  json: "body",
  text: "body",
  formData: "body",
  "headers.get": "headers",
  "cookies.get": "cookies",
  "nextUrl.searchParams.get": "query",
};
const honoReaders: Readonly<Record<string, Piece["part"]>> = {
  "req.json": "body",
  "req.text": "body",
  "req.parseBody": "body",
  "req.query": "query",
  "req.param": "params",
  "req.header": "headers",
};

const readers: Partial<Record<Framework, Readonly<Record<string, Piece["part"]>>>> = {
  express: expressReaders,
  hono: honoReaders,
  "next-app": webReaders,
};

/** Calls that hand on the text they were given, or part of it. Anything else may have checked or replaced it. */
const handsOn = new Set(
  "toString trim trimStart trimEnd replace replaceAll slice substring toLowerCase toUpperCase split join at concat pop shift normalize".split(
    " ",
  ),
);
const handsOnArgument = new Set(["String", "decodeURIComponent", "decodeURI"]);

/** The pieces of a request that are in a value as the client sent them; numbers made of them are not. */
export function piecesIn(file: File, expression: Node, steps = 12): readonly Piece[] {
  const node = settled(expression);
  if (steps === 0) return [];
  const inAll = (nodes: readonly Node[]): readonly Piece[] => nodes.flatMap((one) => piecesIn(file, one, steps - 1));
  switch (node.type) {
    case "LogicalExpression":
      return inAll([node.left, node.right]);
    case "ConditionalExpression":
      return inAll([node.consequent, node.alternate]);
    case "TemplateLiteral":
      return inAll(node.expressions);
    case "BinaryExpression":
      return node.operator === "+" ? inAll([node.left, node.right]) : [];
    case "CallExpression":
    case "Identifier":
    case "MemberExpression": {
      const origin = originOf(file, node);
      const piece = pieceAt(file, origin);
      if (piece !== undefined) return [piece];
      if (origin.kind === "call") return handedOn(file, origin.node).flatMap((one) => piecesIn(file, one, steps - 1));
      return origin.kind === "other" && origin.node !== node ? inAll([origin.node]) : [];
    }
    default:
      return [];
  }
}

/** The one piece of a request that a value is, unchanged; undefined where it is anything else. */
export function pieceOf(file: File, expression: Node): Piece | undefined {
  return pieceAt(file, originOf(file, expression));
}

/** True where a value is the whole body of a request. */
export function isWholeBody(file: File, expression: Node): boolean {
  const piece = pieceOf(file, expression);
  return piece?.part === "body" && piece.path.length === 0;
}

function pieceAt(file: File, origin: Origin): Piece | undefined {
  if (origin.kind === "parameter") {
    const handler = handlerOf(file, origin.fn);
    if (handler === undefined) return undefined;
    const [first = "", ...rest] = origin.path;
    if (handler.framework === "next-app" && origin.index === 1 && first === "params") {
      return { part: "params", path: rest };
    }
    if (origin.index !== handler.request || handler.framework === "hono") return undefined;
    if (handler.framework === "next-app" && first !== "url") return undefined;
    return piece(parts[first], rest);
  }
  if (origin.kind !== "call") return undefined;
  const read = readBy(file, origin.node);
  return read === undefined ? undefined : { part: read.part, path: [...read.path, ...origin.path] };
}

/** What a call reads of a request: `req.get("x")`, `request.headers.get("x")`, `await request.json()`, `c.req.query("x")`. */
function readBy(file: File, call: CallExpression): Piece | undefined {
  const asked = originOf(file, call.callee);
  const name = stringIn(call.arguments[0]);
  const named = name === undefined ? [] : [name];
  if (asked.kind === "parameter") {
    const handler = handlerOf(file, asked.fn);
    if (handler === undefined || asked.index !== handler.request) return undefined;
    return piece(readers[handler.framework]?.[asked.path.join(".")], named);
  }
  const reads = asked.path.join(".");
  if (asked.kind === "call") {
    const inner = originOf(file, asked.node.callee);
    // Next.js' own headers() and cookies().
    if (inner.kind === "import" && inner.module === "next/headers" && reads === "get") {
      return piece(parts[inner.path[0] ?? ""], named);
    }
    // A form or a URL that was read from the request, asked for one of its fields.
    const whole = readBy(file, asked.node);
    return whole?.part === "body" && reads === "get" ? { part: "body", path: named } : undefined;
  }
  if (asked.kind === "new" && reads === "searchParams.get") {
    const [url] = asked.node.arguments;
    const isOfRequest = url !== undefined && piecesIn(file, url).some(({ part }) => part === "url");
    return isOfRequest ? { part: "query", path: named } : undefined;
  }
  return undefined;
}

function piece(part: Piece["part"] | undefined, path: readonly string[]): Piece | undefined {
  if (part === undefined) return undefined;
  if (part !== "headers") return { part, path };
  const [name, ...rest] = path;
  return { part, path: name === undefined ? [] : [name.toLowerCase(), ...rest] };
}

function handedOn(file: File, call: CallExpression): readonly Node[] {
  const name = calledName(call) ?? "";
  const receiver = receiverOf(call);
  if (receiver !== undefined) return handsOn.has(name) ? [receiver] : [];
  const callee = originOf(file, bare(call.callee));
  return callee.kind === "global" && handsOnArgument.has(name) ? call.arguments : [];
}
