import {
  bare,
  calledName,
  type CallExpression,
  isFunction,
  memberName,
  type Node,
  propertyOf,
  receiverOf,
  settled,
  stringIn,
} from "./ast.ts";
import { functionOf, isMadeBy, type Modules, originOf, readFrom } from "./origin.ts";
import type { File } from "./rule.ts";

/** The libraries that speak SQL, or write it. */
const sqlModules: Modules = {
  has: (module) =>
    /^(pg|pg-promise|postgres|mysql|mysql2|mysql2\/promise|better-sqlite3|sqlite|sqlite3|knex|kysely|slonik|mssql|oracledb|sequelize|typeorm|bun:sqlite|@prisma\/client|@vercel\/postgres|@neondatabase\/serverless|@libsql\/client|@planetscale\/database)$/.test(
      module,
    ) || /^drizzle-orm(\/|$)/.test(module),
};
/** Node's own module is "sqlite" once its "node:" is gone. */
const rawText: Modules = { has: (module) => module === "kysely" || /^drizzle-orm(\/|$)/.test(module) };

const takesSql = new Set(
  "query execute exec prepare all get run each raw unsafe multi any one oneOrNone manyOrNone none many whereRaw orWhereRaw havingRaw orderByRaw groupByRaw joinRaw selectRaw".split(
    " ",
  ),
);

/** True where a call hands text to a database for sure: a library's own method, `sql.raw`, Prisma's unsafe calls. */
export function isSqlCall(file: File, call: CallExpression): boolean {
  const name = calledName(call) ?? "";
  if (name === "$queryRawUnsafe" || name === "$executeRawUnsafe") return true;
  if (readFrom(file, call.callee, rawText)?.join(".") === "sql.raw") return true;
  const receiver = receiverOf(call);
  return receiver !== undefined && takesSql.has(name) && isMadeBy(file, receiver, sqlModules);
}

/** True where a call goes by a name that databases' calls go by. */
export function soundsLikeSqlCall(call: CallExpression): boolean {
  return takesSql.has(calledName(call) ?? "");
}

/** A value put into text, and the text before it. */
export interface Embedded {
  readonly before: string;
  readonly value: Node;
}

/** Text put together from constants and values, in order; a value that is a constant is text. */
export interface Text {
  /** Every constant part; values left out. */
  readonly words: string;
  readonly values: readonly Embedded[];
}

/** The text an expression puts together with a template or with `+`; undefined where it puts nothing together. */
export function textOf(file: File, expression: Node): Text | undefined {
  const node = settled(expression);
  if (node.type === "Identifier") {
    const origin = originOf(file, node);
    return origin.kind === "other" && origin.node !== node && origin.path.length === 0
      ? textOf(file, origin.node)
      : undefined;
  }
  if (node.type === "ObjectExpression") {
    const text = propertyOf(node, "text") ?? propertyOf(node, "sql");
    return text === undefined ? undefined : textOf(file, text);
  }
  if (node.type !== "TemplateLiteral" && node.type !== "BinaryExpression" && stringIn(node) === undefined)
    return undefined;
  const values: Embedded[] = [];
  let words = "";
  const add = (part: Node): void => {
    const inner = bare(part);
    const text = stringIn(inner);
    if (text !== undefined) words += text;
    else if (inner.type === "BinaryExpression" && inner.operator === "+") {
      add(inner.left);
      add(inner.right);
    } else if (inner.type === "TemplateLiteral") {
      for (const [index, quasi] of inner.quasis.entries()) {
        words += quasi.value.cooked ?? "";
        const value = inner.expressions[index];
        if (value !== undefined) add(value);
      }
    } else {
      const origin = originOf(file, inner);
      const constant = origin.kind === "other" && origin.path.length === 0 ? stringIn(origin.node) : undefined;
      if (constant === undefined) values.push({ before: words, value: inner });
      words += constant ?? "";
    }
  };
  add(node);
  return { words, values };
}

/** True for text that is SQL for anybody who reads it. */
export function isSql({ words }: Text): boolean {
  return /^\s*(select\b[\s\S]*\bfrom\b|select\s+\*|insert\s+into\b|update\b[\s\S]*\bset\b|delete\s+from\b|with\b[\s\S]*\bselect\b)/i.test(
    words,
  );
}

/** True where the value stands in quotes: the one place where only a value can stand. */
export function isQuoted({ before }: Embedded): boolean {
  return /(^|[^\\'])'%?$/.test(before) && (before.match(/'/g) ?? []).length % 2 === 1;
}

/** True where the value stands where a parameter could. */
export function isCompared({ before }: Embedded): boolean {
  return /(=|<|>|\b(like|ilike|between))\s*$/i.test(before);
}

/** True where nobody outside the program chooses the value: constants, numbers, what an escaping function made. */
export function isFixed(file: File, expression: Node, steps = 8): boolean {
  const node = settled(expression);
  const fixed = (one: Node): boolean => steps > 0 && isFixed(file, one, steps - 1);
  switch (node.type) {
    case "Literal":
      return true;
    case "TemplateLiteral":
      return node.expressions.every(fixed);
    case "UnaryExpression":
      return true;
    case "BinaryExpression":
      return node.operator !== "+" || [node.left, node.right].every(fixed);
    case "LogicalExpression":
      return [node.left, node.right].every(fixed);
    case "ConditionalExpression":
      return [node.consequent, node.alternate].every(fixed);
    case "ArrayExpression":
      return node.elements.every((one) => one !== null && fixed(one));
    case "ObjectExpression":
      return node.properties.every((one) => one.type === "Property" && fixed(one.value));
    case "CallExpression":
      return isFixedCall(file, node, fixed);
    case "MemberExpression":
      if (memberName(node) === "length") return true;
      // A table of constants, whatever it is asked for.
      return fixed(node.object);
    case "Identifier": {
      if (/^[A-Z][A-Z0-9_]*$/.test(node.name)) return true;
      const origin = originOf(file, node);
      if (origin.kind === "parameter" && origin.path.length === 0)
        return isNumberParameter(origin.fn.params[origin.index]);
      return "node" in origin && origin.node !== node && !isFunction(origin.node) && fixed(origin.node);
    }
    default:
      return false;
  }
}

function isFixedCall(file: File, call: CallExpression, fixed: (one: Node) => boolean): boolean {
  const name = calledName(call) ?? "";
  if (/^(Number|parseInt|parseFloat|BigInt|now|floor|ceil|round|min|max|randomUUID|toISOString)$/.test(name))
    return true;
  if (/escape|quote|ident|sanit|placeholder/i.test(name)) return true;
  const receiver = receiverOf(call);
  if (receiver === undefined) return false;
  if (name === "map") {
    const [mapper] = call.arguments;
    const fn = mapper === undefined ? undefined : functionOf(file, mapper);
    return fn?.body !== undefined && fn.body !== null && fn.body.type !== "BlockStatement" && isPlaceholder(fn.body);
  }
  return /^(join|repeat|fill|trim|toString|toLowerCase|toUpperCase|slice)$/.test(name) && fixed(receiver);
}

/** `?`, `$1`, `name = ?`: no value in it but a number that counts. */
function isPlaceholder(node: Node): boolean {
  const inner = bare(node);
  if (stringIn(inner) !== undefined) return true;
  return inner.type === "TemplateLiteral" && /[$?:@]/.test(inner.quasis.map(({ value }) => value.raw).join(""));
}

function isNumberParameter(parameter: Node | undefined): boolean {
  if (parameter === undefined || !("typeAnnotation" in parameter)) return false;
  const annotation = parameter.typeAnnotation;
  return (
    typeof annotation === "object" &&
    annotation !== null &&
    annotation.type === "TSTypeAnnotation" &&
    ["TSNumberKeyword", "TSBooleanKeyword", "TSBigIntKeyword"].includes(annotation.typeAnnotation.type)
  );
}
