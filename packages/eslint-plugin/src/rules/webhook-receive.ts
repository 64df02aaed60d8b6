import {
  calledName,
  type CallExpression,
  everyNode,
  keyOf,
  type Node,
  propertyOf,
  receiverOf,
  settled,
  isLiteral,
} from "../ast.ts";
import { type Handler, handlerAround, isExpressApp } from "../handlers.ts";
import { originOf, readFrom } from "../origin.ts";
import { isWholeBody } from "../request.ts";
import { callsIn } from "../response.ts";
import { defineRule, type File } from "../rule.ts";

const cryptoModules = new Set(["crypto"]);
const jsonParsers = new Set(["express", "body-parser"]);

/** Webhooks whose signature is checked over something else than what was signed. */
export const webhookReceive = defineRule(
  "webhook-receive",
  {
    parsed: {
      problem: "The signature is checked over parsed JSON: the sender signed bytes, and these are others.",
      fix: "Take the bytes as they came: express.raw({ type: 'application/json' }), or await request.text() in Next.js.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      const handler = handlerAround(file, call);
      const signed = handler === undefined ? undefined : signedBy(file, call);
      if (handler === undefined || signed === undefined) return;
      if (isSerialised(file, signed) || (isWholeBody(file, signed) && isParsed(file, handler, signed)))
        report(call, "parsed");
    },
  }),
);

/** What a call checks a signature over: Stripe's constructEvent, an HMAC, svix' and octokit's verify. */
function signedBy(file: File, call: CallExpression): Node | undefined {
  const name = calledName(call);
  const receiver = receiverOf(call);
  const [first] = call.arguments;
  if (receiver === undefined) return undefined;
  if (name === "constructEvent" || name === "constructEventAsync") return first;
  if (name === "update" && receiver.type === "CallExpression") {
    return readFrom(file, receiver.callee, cryptoModules)?.join(".") === "createHmac" ? first : undefined;
  }
  if (name !== "verify" && name !== "unwrap") return undefined;
  const made = originOf(file, receiver);
  const maker = made.kind === "new" ? originOf(file, made.node.callee) : undefined;
  return maker?.kind === "import" &&
    /^(svix|standardwebhooks|@octokit\/webhooks|@octokit\/webhooks-methods)$/.test(maker.module)
    ? first
    : undefined;
}

/** `JSON.stringify(req.body)`, also by a name. */
function isSerialised(file: File, signed: Node): boolean {
  const origin = originOf(file, signed);
  const call = origin.kind === "call" && origin.path.length === 0 ? origin.node : undefined;
  const template = settled(signed);
  if (template.type === "TemplateLiteral") return template.expressions.some((one) => isSerialised(file, one));
  if (call === undefined || call.arguments[0] === undefined) return false;
  const callee = originOf(file, call.callee);
  return (
    callee.kind === "global" &&
    callee.name === "JSON" &&
    callee.path.join(".") === "stringify" &&
    isWholeBody(file, call.arguments[0])
  );
}

/** True where the body is an object by the time the handler sees it, as far as this file shows. */
function isParsed(file: File, handler: Handler, signed: Node): boolean {
  const origin = originOf(file, signed);
  if (handler.framework === "next-app" || handler.framework === "hono") {
    return origin.kind === "call" && calledName(origin.node) === "json";
  }
  if (handler.framework === "next-pages") return !turnsParserOff(file);
  if (handler.framework !== "express" || handler.registration === undefined) return false;
  const { registration } = handler;
  if (registration.arguments.some((one) => isParser(file, one, "raw"))) return false;
  const mounts = callsIn(file.sourceCode.ast).filter((call) => {
    const receiver = receiverOf(call);
    return (
      calledName(call) === "use" &&
      receiver !== undefined &&
      isExpressApp(file, receiver) &&
      call.end <= registration.start
    );
  });
  const mounted = mounts.flatMap((call) => call.arguments);
  // A `verify` option is how the bytes are kept, and express.raw may be mounted on the path before.
  if (mounted.some((one) => isParser(file, one, "raw"))) return false;
  return mounted.some(
    (one) =>
      isParser(file, one, "json") &&
      one.type === "CallExpression" &&
      propertyOf(one.arguments[0], "verify") === undefined,
  );
}

function isParser(file: File, node: Node, kind: "json" | "raw"): boolean {
  return node.type === "CallExpression" && readFrom(file, node.callee, jsonParsers)?.join(".") === kind;
}

/** `export const config = { api: { bodyParser: false } }`. */
function turnsParserOff(file: File): boolean {
  return everyNode(file.sourceCode.ast).some(
    (node) =>
      node.type === "Property" &&
      keyOf(node) === "bodyParser" &&
      node.value.type === "Literal" &&
      isLiteral(node.value, false),
  );
}
