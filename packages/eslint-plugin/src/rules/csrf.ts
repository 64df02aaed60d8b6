import { bare, calledName, type CallExpression, type Node, propertyOf, receiverOf, stringIn } from "../ast.ts";
import { isExpressApp } from "../handlers.ts";
import { isCallOf } from "../origin.ts";
import { defineRule, type File } from "../rule.ts";

const parsers = new Set(["express", "body-parser"]);

/** Bodies that a page anywhere can make its visitor's browser send without asking first. */
export const csrf = defineRule(
  "csrf",
  {
    simple: {
      problem: "Text is read as JSON on every route: a page anywhere can send it with its visitor's cookies, unasked.",
      fix: "Read application/json and nothing else, which a browser asks about first; one route that needs it gets its own parser.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      if (!isCallOf(file, call, parsers, new Set(["json"])) || !isMountedEverywhere(file, call)) return;
      const type = propertyOf(call.arguments[0], "type");
      if (type !== undefined && typesIn(type).some((one) => /^(text|text\/plain|text\/\*|\*\/\*)$/.test(one)))
        report(call, "simple");
    },
  }),
);

/** `app.use(express.json(…))`: not below a path, and not on one route. */
function isMountedEverywhere(file: File, parser: CallExpression): boolean {
  const use = parser.parent;
  if (use?.type !== "CallExpression" || calledName(use) !== "use" || use.arguments[0] !== parser) return false;
  const receiver = receiverOf(use);
  return receiver !== undefined && isExpressApp(file, receiver);
}

function typesIn(type: Node): readonly string[] {
  const node = bare(type);
  const all = node.type === "ArrayExpression" ? node.elements : [node];
  return all.map((one) => stringIn(one) ?? "");
}
