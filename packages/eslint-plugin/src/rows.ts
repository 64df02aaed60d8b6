import { calledName, type CallExpression, type Node, propertyOf, receiverOf, stringIn } from "./ast.ts";
import { isMadeBy, type Modules, originOf } from "./origin.ts";
import type { File } from "./rule.ts";
import { textOf } from "./sql.ts";

const prismaModules = new Set(["@prisma/client"]);
const kyselyModules = new Set(["kysely"]);
const drizzleModules: Modules = { has: (module) => /^drizzle-orm(\/|$)/.test(module) };
const starModules = new Set(["@supabase/supabase-js", "@supabase/ssr", "knex"]);
const mongooseModules = new Set(["mongoose"]);
const prismaReads = /^(find(Unique|First)(OrThrow)?|findMany|create|update|upsert|delete)$/;
const mongooseReads = /^(find|findOne|findById)$/;

/** True where a value is a row, or rows, as the database gave it: every column, whatever is in it. */
export function isRawRow(file: File, value: Node): boolean {
  const origin = originOf(file, value);
  // `rows` of pg, the first of mysql2's pair, `data` of Supabase, one of a list; a named column is no row.
  if (origin.kind !== "call" || !origin.path.every((step) => /^(\*|\d+|rows|data)$/.test(step))) return false;
  const chain = chainFrom(origin.node);
  if (chain.some(readsEveryColumn)) return true;
  const names = chain.map((call) => calledName(call) ?? "");
  const called = (name: string): CallExpression | undefined => chain[names.indexOf(name)];
  if (isPrisma(file, origin.node)) {
    const [options] = origin.node.arguments;
    if (options?.type !== "ObjectExpression" || options.properties.some(({ type }) => type !== "Property"))
      return false;
    return propertyOf(options, "select") === undefined && propertyOf(options, "omit") === undefined;
  }
  if (names.includes("selectAll") || names.includes("returningAll")) return isMadeBy(file, origin.node, kyselyModules);
  if (isMadeBy(file, origin.node, drizzleModules)) return called("select")?.arguments.length === 0;
  if (isMadeBy(file, origin.node, starModules)) {
    const select = called("select");
    return (
      select !== undefined &&
      /^(\*|)$/.test(stringIn(select.arguments[0]) ?? (select.arguments.length === 0 ? "" : "?"))
    );
  }
  if (isMadeBy(file, origin.node, mongooseModules)) {
    return names.some((name) => mongooseReads.test(name)) && !names.includes("select");
  }
  return false;

  function readsEveryColumn(call: CallExpression): boolean {
    const [first] = call.arguments;
    const text = first === undefined ? undefined : textOf(file, first);
    return text !== undefined && /^\s*select\s+(\w+\.)?\*|\breturning\s+\*\s*$/i.test(text.words);
  }
}

/** `prisma.user.findMany()`; the client is made in a file of its own nearly always, and always has this name then. */
function isPrisma(file: File, call: CallExpression): boolean {
  if (!prismaReads.test(calledName(call) ?? "")) return false;
  const model = receiverOf(call);
  if (model?.type !== "MemberExpression") return false;
  const client = originOf(file, model.object);
  return isMadeBy(file, model.object, prismaModules) || (client.kind === "import" && client.path.at(-1) === "prisma");
}

/** The call and those it is a method of: `db.prepare(sql).get(id)` is `get`, `prepare`. */
function chainFrom(call: CallExpression): readonly CallExpression[] {
  const chain = [call];
  for (let receiver = receiverOf(call); receiver?.type === "CallExpression"; receiver = receiverOf(receiver))
    chain.push(receiver);
  return chain;
}
