import { bare, type CallExpression, calledName, memberName, type NewExpression, type Node } from "../ast.ts";
import { handlerOf } from "../handlers.ts";
import { originOf, variableOf } from "../origin.ts";
import { partsOf, sentBy } from "../response.ts";
import { defineRule, type File } from "../rule.ts";

/** Errors that are told to the client as they were thrown. */
export const errors = defineRule(
  "errors",
  {
    inside: {
      problem: "The client is told what went wrong inside: {{what}}.",
      fix: "Log the error with a request id, and answer that id with a plain sentence.",
    },
    message: {
      problem: "A fault's own words go to the client with a 500: names of tables, hosts and files stand in them.",
      fix: "Log the error with a request id, and answer that id with a plain sentence.",
    },
  },
  (file, report) => {
    const look = (call: CallExpression | NewExpression): void => {
      const sent = sentBy(file, call);
      if (sent === undefined) return;
      const told = partsOf(file, sent.value).map((part) => toldOf(file, part));
      // With a 4xx an error may be one that was made for the client, such as a validator's.
      const kept = isClientFault(sent.status) ? new Set(["message", "the whole error"]) : new Set(["message"]);
      const inside = told.find((one) => one !== undefined && !kept.has(one));
      if (inside !== undefined) report(call, "inside", { what: inside });
      else if (told.includes("message") && isServerFault(sent.status)) report(call, "message");
    };
    return { CallExpression: look, NewExpression: look };
  },
);

/** What of an error a value tells; a message alone may be one that was written for the client. */
function toldOf(file: File, part: Node): string | undefined {
  const node = bare(part);
  if (node.type === "Identifier") return isError(file, node) ? "the whole error" : undefined;
  if (node.type === "CallExpression") {
    const [first] = node.arguments;
    if (["String", "inspect"].includes(calledName(node) ?? "") && first !== undefined && isError(file, first))
      return "message";
    return undefined;
  }
  if (node.type !== "MemberExpression" || !isError(file, node.object)) return undefined;
  const name = memberName(node);
  if (name === "stack" || name === "cause") return `the ${name}`;
  if (name === "sql" || name === "sqlMessage" || name === "query") return "the SQL";
  return name === "message" ? "message" : undefined;
}

/** The parameter of a catch clause, or of a framework's error handler. */
function isError(file: File, node: Node): boolean {
  const variable = variableOf(file, node);
  if (variable?.defs[0]?.type === "CatchClause") return true;
  const origin = originOf(file, node);
  return origin.kind === "parameter" && origin.path.length === 0 && handlerOf(file, origin.fn)?.error === origin.index;
}

function isServerFault(status: Node | undefined): boolean {
  return statusOf(status) >= 500;
}

function isClientFault(status: Node | undefined): boolean {
  return statusOf(status) >= 400 && statusOf(status) < 500;
}

/** The status where it is written as a number, else 0. */
function statusOf(status: Node | undefined): number {
  const node = status === undefined ? undefined : bare(status);
  return node?.type === "Literal" && typeof node.value === "number" ? node.value : 0;
}
