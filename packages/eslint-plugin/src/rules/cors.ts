import {
  calledName,
  type CallExpression,
  everyNode,
  functionsAround,
  isFunction,
  isLiteral,
  keyOf,
  type Node,
  type ObjectExpression,
  propertyOf,
  stringIn,
} from "../ast.ts";
import { functionOf, originOf, readFrom } from "../origin.ts";
import { handlerAround } from "../handlers.ts";
import { pieceOf } from "../request.ts";
import { defineRule, type File } from "../rule.ts";

const corsModules = new Set(["cors", "hono/cors", "@fastify/cors", "@koa/cors"]);
const allowOrigin = "access-control-allow-origin";
const allowCredentials = "access-control-allow-credentials";

/** Answers that any web page may read with its visitor's cookies. */
export const cors = defineRule(
  "cors",
  {
    everyOrigin: {
      problem: "Every web page may call this with its visitor's cookies and read the answer.",
      fix: 'Name the origins: origin: ["https://app.example.com"]; or leave credentials out.',
    },
    reflected: {
      problem: "Whatever Origin asks is allowed, with its visitor's cookies: every web page may read the answer.",
      fix: "Compare the Origin with a list, character by character, and send the header only when it is in it.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      const options = optionsOfCors(file, call);
      if (options !== undefined && isLiteral(propertyOf(options, "credentials"), true) && allowsEvery(file, options)) {
        report(call, "everyOrigin");
      }
      const header = headerSetBy(call);
      if (header?.name !== allowOrigin || handlerAround(file, call) === undefined) return;
      const [fn] = functionsAround(call);
      if (fn === undefined || !setsCredentials(fn)) return;
      if (stringIn(header.value) === "*") report(call, "everyOrigin");
      else if (isOrigin(file, header.value) && !isCompared(file, fn)) report(call, "reflected");
    },
    ObjectExpression(object) {
      const value = valueOfHeader(object, allowOrigin);
      if (value === undefined || stringIn(valueOfHeader(object, allowCredentials)) !== "true") return;
      if (stringIn(value) === "*") report(object, "everyOrigin");
      else if (isOrigin(file, value) && !functionsAround(object).some((fn) => isCompared(file, fn)))
        report(object, "reflected");
    },
  }),
);

/** The options of the CORS middleware; Fastify registers it and hands them over beside it. */
function optionsOfCors(file: File, call: CallExpression): ObjectExpression | undefined {
  const direct = readFrom(file, call.callee, corsModules);
  const isDirect = direct !== undefined && (direct.length === 0 || direct.join(".") === "cors");
  const [first, second] = call.arguments;
  const isRegistered =
    calledName(call) === "register" && first !== undefined && readFrom(file, first, corsModules) !== undefined;
  const options = isDirect ? first : isRegistered ? second : undefined;
  if (options === undefined) return undefined;
  const origin = originOf(file, options);
  return origin.kind === "other" && origin.path.length === 0 && origin.node.type === "ObjectExpression"
    ? origin.node
    : undefined;
}

function allowsEvery(file: File, options: ObjectExpression): boolean {
  if (options.properties.some((one) => keyOf(one) === undefined)) return false;
  const origin = propertyOf(options, "origin");
  // All of these packages allow every origin unless told otherwise.
  if (origin === undefined || isLiteral(origin, true) || stringIn(origin) === "*") return true;
  const decide = functionOf(file, origin);
  if (decide?.body === undefined || decide.body === null) return false;
  const [asked, callback] = decide.params;
  if (asked?.type !== "Identifier") return false;
  // hono: (origin) => origin.
  if (decide.body.type === "Identifier") return decide.body.name === asked.name;
  // cors: (origin, callback) => callback(null, true), and nothing that decides.
  if (callback?.type !== "Identifier" || everyNode(decide.body).some(({ type }) => decides.has(type))) return false;
  return everyNode(decide.body).some((node) => {
    if (node.type !== "CallExpression" || calledName(node) !== callback.name) return false;
    const answer = node.arguments[1];
    return isLiteral(answer, true) || (answer?.type === "Identifier" && answer.name === asked.name);
  });
}

const decides = new Set([
  "IfStatement",
  "ConditionalExpression",
  "LogicalExpression",
  "SwitchStatement",
  "TryStatement",
]);

function headerSetBy(call: CallExpression): { readonly name: string; readonly value: Node } | undefined {
  const [name, value] = call.arguments;
  if (!/^(setHeader|header|set|append)$/.test(calledName(call) ?? "") || value === undefined) return undefined;
  return { name: stringIn(name)?.toLowerCase() ?? "", value };
}

function setsCredentials(fn: Node): boolean {
  return everyNode(fn).some((node) => {
    const header = node.type === "CallExpression" ? headerSetBy(node) : undefined;
    return header?.name === allowCredentials && (stringIn(header.value) === "true" || isLiteral(header.value, true));
  });
}

function isOrigin(file: File, value: Node): boolean {
  const origin = originOf(file, value);
  const node = origin.kind === "other" && origin.node.type === "LogicalExpression" ? origin.node.left : value;
  const piece = pieceOf(file, node);
  return piece?.part === "headers" && piece.path[0] === "origin";
}

/** True where a condition in the function looks at the origin, whatever it does then. */
function isCompared(file: File, fn: Node): boolean {
  return everyNode(fn).some((node) => {
    if (node.type !== "IfStatement" && node.type !== "ConditionalExpression") return false;
    return everyNode(node.test).some(
      (one) =>
        (one.type === "Identifier" || one.type === "MemberExpression" || one.type === "CallExpression") &&
        isOrigin(file, one),
    );
  });
}

function valueOfHeader(object: ObjectExpression, name: string): Node | undefined {
  const property = object.properties.find((one) => keyOf(one)?.toLowerCase() === name);
  return property?.type === "Property" && !isFunction(property.value) ? property.value : undefined;
}
