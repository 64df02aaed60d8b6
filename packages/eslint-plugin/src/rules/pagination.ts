import { bare, calledName, type CallExpression, everyNode, keyOf, type Node, receiverOf } from "../ast.ts";
import { handlerAround } from "../handlers.ts";
import { isMadeBy, type Modules, originOf } from "../origin.ts";
import { piecesIn } from "../request.ts";
import { defineRule, type File } from "../rule.ts";
import { isSql, textOf } from "../sql.ts";

const builders: Modules = {
  has: (module) =>
    ["knex", "kysely", "mongoose", "mongodb", "@supabase/supabase-js"].includes(module) ||
    /^drizzle-orm(\/|$)/.test(module),
};

/** Lists that are as long as whoever asks for them wants. */
export const pagination = defineRule(
  "pagination",
  {
    unbounded: {
      problem: "The client says how many rows are read, and nothing says at most how many.",
      fix: "Bound it: Math.min(Math.max(limit, 1), 100).",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      if (handlerAround(file, call) === undefined) return;
      if (countsIn(file, call).some((count) => isUnbounded(file, count))) report(call, "unbounded");
    },
  }),
);

/** The values a call takes for the number of rows: after LIMIT, in `.limit()`, as Prisma's `take`. */
function countsIn(file: File, call: CallExpression): readonly Node[] {
  const [first] = call.arguments;
  if (first === undefined) return [];
  const receiver = receiverOf(call);
  if (calledName(call) === "limit" && receiver !== undefined && isMadeBy(file, receiver, builders)) return [first];
  if (calledName(call) === "findMany" && first.type === "ObjectExpression") {
    return first.properties.flatMap((one) => (one.type === "Property" && keyOf(one) === "take" ? [one.value] : []));
  }
  const text = textOf(file, first);
  if (text === undefined || !isSql(text)) return [];
  return text.values.filter(({ before }) => /\blimit\s+$/i.test(before)).map(({ value }) => value);
}

/** A number made of what the client sent, with nothing in the handler that compares it. */
function isUnbounded(file: File, count: Node): boolean {
  const origin = originOf(file, count);
  if (!("node" in origin)) return false;
  const value = origin.node.type === "LogicalExpression" ? bare(origin.node.left) : origin.node;
  if (value.type !== "CallExpression" || !/^(Number|parseInt|parseFloat)$/.test(calledName(value) ?? "")) return false;
  const [asked] = value.arguments;
  if (asked === undefined || !piecesIn(file, asked).some(({ part }) => part === "query" || part === "body"))
    return false;
  const name = count.type === "Identifier" ? count.name : undefined;
  const handler = handlerAround(file, count);
  return name === undefined || handler === undefined || !isCompared(handler.fn, name);
}

function isCompared(fn: Node, name: string): boolean {
  return everyNode(fn).some(
    (node) =>
      node.type === "BinaryExpression" &&
      /^[<>]=?$/.test(node.operator) &&
      [node.left, node.right].some((side) => side.type === "Identifier" && side.name === name),
  );
}
