import { bare, calledName, type CallExpression, everyNode, keyOf, type Node, receiverOf } from "../ast.ts";
import { type Handler, handlerAround } from "../handlers.ts";
import { isMadeBy, type Modules, originOf } from "../origin.ts";
import { isWholeBody } from "../request.ts";
import { defineRule, type File } from "../rule.ts";

/** Nothing but databases has methods of these names. */
const alwaysWrites = new Set(
  "insert insertOne insertMany insertInto updateOne updateMany replaceOne findByIdAndUpdate findOneAndUpdate findOneAndReplace bulkCreate upsert createMany".split(
    " ",
  ),
);
/** These are a database's where a database's library made what they are called on. */
const writesThere = new Set("create update save set values patch merge insertGraph build".split(" "));
const databases: Modules = {
  has: (module) =>
    /^(@prisma\/client|kysely|knex|mongoose|mongodb|sequelize|typeorm|objection|@supabase\/supabase-js|@supabase\/ssr)$/.test(
      module,
    ) ||
    /^drizzle-orm(\/|$)/.test(module) ||
    // Where a project keeps what Mongoose, Sequelize and their like made of its tables.
    /^[.@~#].*\/models?(\/|\.|$)/.test(module),
};

/** Request bodies that are written whole, with whatever fields their sender thought of. */
export const massAssignment = defineRule(
  "mass-assignment",
  {
    merged: {
      problem: "The whole body is merged into what is stored: the client names the fields, role and owner among them.",
      fix: "Name them here: const { name, url } = body; or parse the body with a closed schema first.",
    },
    written: {
      problem: "The whole body is written: the client names the fields, role and owner among them.",
      fix: "Name them here: { name: body.name }; or parse the body with a closed schema first.",
    },
  },
  (file, report) => ({
    NewExpression(made) {
      const handler = handlerAround(file, made);
      if (handler === undefined || !isMadeBy(file, made.callee, databases)) return;
      if (made.arguments.slice(0, 1).some((one) => holdsBody(file, one)) && !isChecked(file, handler))
        report(made, "written");
    },
    CallExpression(call) {
      const handler = handlerAround(file, call);
      if (handler === undefined) return;
      if (isMerge(file, call)) {
        if (!isChecked(file, handler)) report(call, "merged");
      } else if (isWrite(file, call) && call.arguments.some((one) => holdsBody(file, one))) {
        if (!isChecked(file, handler)) report(call, "written");
      }
    },
  }),
);

/** `Object.assign(row, req.body)`; into a new object it is a copy, and nothing is stored yet. */
function isMerge(file: File, call: CallExpression): boolean {
  const origin = originOf(file, call.callee);
  if (origin.kind !== "global" || origin.name !== "Object" || origin.path.join(".") !== "assign") return false;
  const [target, ...sources] = call.arguments;
  return (
    target !== undefined && bare(target).type !== "ObjectExpression" && sources.some((one) => isWholeBody(file, one))
  );
}

function isWrite(file: File, call: CallExpression): boolean {
  const name = calledName(call) ?? "";
  const receiver = receiverOf(call);
  if (receiver === undefined) return false;
  if (alwaysWrites.has(name)) return true;
  if (!writesThere.has(name)) return false;
  if (isMadeBy(file, receiver, databases)) return true;
  const client = receiver.type === "MemberExpression" ? originOf(file, receiver.object) : undefined;
  return client?.kind === "import" && client.path.at(-1) === "prisma";
}

/** The body itself, an object it is spread into, and the members under which databases take their fields. */
function holdsBody(file: File, value: Node, steps = 4): boolean {
  if (isWholeBody(file, value)) return true;
  const origin = originOf(file, value);
  if (steps === 0 || !("node" in origin) || origin.path.length > 0) return false;
  const node = origin.node;
  if (node.type === "ArrayExpression")
    return node.elements.some((one) => one !== null && holdsBody(file, one, steps - 1));
  if (node.type !== "ObjectExpression") return false;
  return node.properties.some((one) => {
    if (one.type === "SpreadElement") return holdsBody(file, one.argument, steps - 1);
    return /^(data|set|\$set|values|create|update)$/.test(keyOf(one) ?? "") && holdsBody(file, one.value, steps - 1);
  });
}

/** True where something looks at the body first: a middleware that validates, a parser, or a body that is replaced. */
function isChecked(file: File, { fn, registration }: Handler): boolean {
  const { text } = file.sourceCode;
  const besides = registration?.arguments.filter((one) => one !== fn && one.type !== "Literal") ?? [];
  if (
    besides.some(({ start, end }) => /valid|schema|celebrate|sanit|check|zod|joi|body\(/i.test(text.slice(start, end)))
  ) {
    return true;
  }
  return everyNode(fn).some((node) => {
    if (node.type === "AssignmentExpression") return isWholeBody(file, node.left);
    if (node.type !== "CallExpression") return false;
    const name = calledName(node) ?? "";
    if (name === "validationResult") return true;
    return (
      /parse|valid|assert|check|sanit|cast|decode|pick|whitelist/i.test(name) &&
      node.arguments.some((one) => isWholeBody(file, one))
    );
  });
}
