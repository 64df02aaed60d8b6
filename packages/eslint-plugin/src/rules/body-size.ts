import { isCallOf } from "../origin.ts";
import { bare, type Node, propertyOf, stringIn } from "../ast.ts";
import { defineRule } from "../rule.ts";

const parsers = new Set(["express", "body-parser"]);
const fastify = new Set(["fastify"]);
const kinds = new Set(["json", "urlencoded", "text", "raw"]);
const maxBytes = 10 * 1024 * 1024;

/** Bodies that are read into memory whole, however large, before anybody knows who sends them. */
export const bodySize = defineRule(
  "body-size",
  {
    large: {
      problem: "Anybody may send bodies of {{limit}}, each held in memory whole before it is known who sends it.",
      fix: "Leave it at 100kb, and give the one route that takes uploads a limit of its own behind its sign-in.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      const [options] = call.arguments;
      const isParser = isCallOf(file, call, parsers, kinds);
      const isFastify = isCallOf(file, call, fastify, new Set(["", "fastify"]));
      const limit = isParser ? propertyOf(options, "limit") : isFastify ? propertyOf(options, "bodyLimit") : undefined;
      if (limit === undefined || bytesOf(limit) <= maxBytes) return;
      report(call, "large", {
        limit: file.sourceCode.text.slice(limit.start, limit.end).replace(/^["'`]|["'`]$/g, ""),
      });
    },
  }),
);

/** Bytes of `"50mb"`, `52428800`, `50 * 1024 * 1024` and `Infinity`; 0 for anything else. */
function bytesOf(limit: Node): number {
  const node = bare(limit);
  if (node.type === "Literal" && typeof node.value === "number") return node.value;
  if (node.type === "Identifier" && node.name === "Infinity") return Number.POSITIVE_INFINITY;
  if (node.type === "BinaryExpression" && node.operator === "*") return bytesOf(node.left) * bytesOf(node.right);
  const [, size, unit] = /^(\d+(?:\.\d+)?) *(b|kb|mb|gb|tb)?$/i.exec(stringIn(node) ?? "") ?? [];
  return Number(size ?? 0) * 1024 ** ["b", "kb", "mb", "gb", "tb"].indexOf(unit?.toLowerCase() ?? "b");
}
