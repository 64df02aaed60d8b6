import {
  type AnyFunction,
  calledName,
  everyNode,
  isFunction,
  keyOf,
  memberName,
  type Node,
  receiverOf,
  stringIn,
} from "../ast.ts";
import { handlerAround } from "../handlers.ts";
import { isCallOf, originOf } from "../origin.ts";
import { piecesIn } from "../request.ts";
import { defineRule, type File } from "../rule.ts";

const expressRateLimit = new Set(["express-rate-limit"]);
const counts = new Set("get set has add delete incr incrby increment consume hit limit check take penalty".split(" "));
const forwarded = /^(x-forwarded-for|x-real-ip|forwarded)$/;

/** Limits that a client walks around by writing another address into a header. */
export const rateLimit = defineRule(
  "rate-limit",
  {
    key: {
      problem: "The limit is counted by a header that the client writes: another value, another budget.",
      fix: "Count by the caller once it is proved, and before that by the socket's address or that of your own proxy.",
    },
    address: {
      problem: "This takes for an address what the client wrote into a header.",
      fix: 'Use the socket\'s address; behind a proxy name it: app.set("trust proxy", ["10.0.0.0/8"]), then req.ip.',
    },
  },
  (file, report) => ({
    CallExpression(call) {
      if (isCallOf(file, call, expressRateLimit, new Set(["", "rateLimit"]))) {
        const [options] = call.arguments;
        if (options?.type !== "ObjectExpression") return;
        for (const property of options.properties) {
          if (property.type !== "Property" || keyOf(property) !== "keyGenerator") continue;
          if (isFunction(property.value) && readsHeader(property.value)) report(property, "key");
        }
        return;
      }
      const receiver = receiverOf(call);
      if (receiver === undefined || !counts.has(calledName(call) ?? "")) return;
      // Asking the request for the header is no counting yet.
      if (piecesIn(file, call).length > 0 || handlerAround(file, call) === undefined) return;
      if (call.arguments.slice(0, 1).some((key) => isForwarded(file, key))) report(call, "key");
    },
    VariableDeclarator({ id, init }) {
      if (
        id.type !== "Identifier" ||
        init === null ||
        handlerAround(file, init) === undefined ||
        !isForwarded(file, init)
      )
        return;
      if (/^(client|remote|user|caller)?_?(ip|ipaddr(ess)?|addr(ess)?)$/i.test(id.name)) report(init, "address");
    },
  }),
);

/** express-rate-limit hands its key function a request, and asks nothing else of it than a key. */
function readsHeader(fn: AnyFunction): boolean {
  const [request] = fn.params;
  if (request?.type !== "Identifier") return false;
  return everyNode(fn).some((node) => {
    const name = node.type === "MemberExpression" ? memberName(node) : undefined;
    if (name !== undefined && forwarded.test(name.toLowerCase())) return true;
    return node.type === "CallExpression" && forwarded.test(stringIn(node.arguments[0])?.toLowerCase() ?? "");
  });
}

function isForwarded(file: File, value: Node): boolean {
  // Where something decides whether to believe the header, it may be the socket's peer.
  const origin = originOf(file, value);
  if ("node" in origin && origin.node.type === "ConditionalExpression") return false;
  return piecesIn(file, value).some(({ part, path }) => part === "headers" && forwarded.test(path[0] ?? ""));
}
