import { type CallExpression, calledName, everyNode, type Node } from "../ast.ts";
import { functionOf, originOf } from "../origin.ts";
import { piecesIn } from "../request.ts";
import { defineRule, type File } from "../rule.ts";
import { isCompared, isFixed, isQuoted, isSql, isSqlCall, soundsLikeSqlCall, textOf } from "../sql.ts";

/** Values that are written into SQL instead of travelling beside it. */
export const injection = defineRule(
  "injection",
  {
    request: {
      problem: "What the client sent becomes part of the SQL: a quote in it ends the value and begins a command.",
      fix: "Send it as a parameter: query('… WHERE id = $1', [id]).",
    },
    value: {
      problem: "A value is written into the SQL, and a quote in it ends the value and begins a command.",
      fix: "Send it as a parameter: query('… WHERE id = $1', [id]).",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      if (isSaid(call)) return;
      for (const argument of call.arguments) {
        const found = foundIn(file, call, argument);
        if (found === undefined) continue;
        report(call, found);
        return;
      }
    },
  }),
);

function foundIn(file: File, call: CallExpression, argument: Node): "request" | "value" | undefined {
  const isDatabase = isSqlCall(file, call);
  const text = textOf(file, argument);
  if (text === undefined)
    return isDatabase && call.arguments[0] === argument && isFromClient(file, argument) ? "request" : undefined;
  if (text.values.length === 0) return undefined;
  if (isDatabase || isSql(text) || isPartOfSql(file, call, argument)) {
    if (text.values.some(({ value }) => isFromClient(file, value))) return "request";
  }
  if (!isSql(text) || !(isDatabase || soundsLikeSqlCall(call))) return undefined;
  const isValue = text.values.some(
    (embedded) => (isQuoted(embedded) || (isDatabase && isCompared(embedded))) && !isFixed(file, embedded.value),
  );
  return isValue ? "value" : undefined;
}

/** What is logged or answered goes to no database, whatever its words are. */
function isSaid(call: CallExpression): boolean {
  return /^(log|trace|debug|info|warn|error|fatal|send|json|end|write|render|redirect)$/.test(calledName(call) ?? "");
}

function isFromClient(file: File, value: Node): boolean {
  return piecesIn(file, value).length > 0;
}

/** True where a function of this file puts the argument into SQL. */
function isPartOfSql(file: File, call: CallExpression, argument: Node): boolean {
  const fn = functionOf(file, call.callee);
  const index = call.arguments.findIndex((one) => one === argument);
  if (fn?.body === undefined || fn.body === null) return false;
  return everyNode(fn.body).some((node) => {
    if (node.type !== "TemplateLiteral" && node.type !== "BinaryExpression") return false;
    const text = textOf(file, node);
    if (text === undefined || !isSql(text)) return false;
    return text.values.some(({ value }) => {
      const origin = originOf(file, value);
      return origin.kind === "parameter" && origin.fn === fn && origin.index === index && origin.path.length === 0;
    });
  });
}
