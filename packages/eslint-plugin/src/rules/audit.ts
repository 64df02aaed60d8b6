import { calledName, type CallExpression, memberName, type Node, receiverOf, settled } from "../ast.ts";
import { handlerAround } from "../handlers.ts";
import { isSecretName, isSecretSetting } from "../names.ts";
import { isMadeBy, originOf, variableOf } from "../origin.ts";
import { type Piece, pieceOf } from "../request.ts";
import { partsOf } from "../response.ts";
import { defineRule, type File } from "../rule.ts";

const loggers = new Set(["pino", "winston", "bunyan", "log4js", "loglevel", "consola", "tslog", "signale"]);
const levels = /^(log|trace|debug|verbose|info|notice|warn|warning|error|fatal|critical)$/;

/** Secrets that are written into a log, where everybody who reads logs can use them. */
export const audit = defineRule(
  "audit",
  {
    secret: {
      problem: "{{what}} is written into the log: whoever reads logs can use it.",
      fix: "Log who called and what came of it, never what proved it; account names as keyed hashes.",
    },
  },
  (file, report) => ({
    CallExpression(call) {
      if (!isLog(file, call)) return;
      for (const argument of call.arguments) {
        const what = partsOf(file, argument)
          .map((part) => secretIn(file, part))
          .find((one) => one !== undefined);
        if (what === undefined) continue;
        report(call, "secret", { what });
        return;
      }
    },
  }),
);

function isLog(file: File, call: CallExpression): boolean {
  const receiver = receiverOf(call);
  if (receiver === undefined || !levels.test(calledName(call) ?? "")) return false;
  const origin = originOf(file, receiver);
  if (origin.kind === "global" && origin.name === "console") return true;
  // Fastify's request.log is its own logger.
  if (origin.kind === "parameter" && origin.path.join(".") === "log") return handlerAround(file, call) !== undefined;
  return isMadeBy(file, receiver, loggers);
}

/** What a value would give away, in words; undefined where it is none of the known secrets. */
function secretIn(file: File, part: Node): string | undefined {
  const node = settled(part);
  if (node.type !== "Identifier" && node.type !== "MemberExpression" && node.type !== "CallExpression")
    return undefined;
  const piece = pieceOf(file, node);
  if (piece !== undefined) return secretPiece(piece);
  const origin = originOf(file, node);
  if (origin.kind === "global" && origin.name === "process" && origin.path[0] === "env") {
    const [, name] = origin.path;
    if (name === undefined) return "The whole environment";
    return isSecretSetting(name) ? name : undefined;
  }
  if (node.type === "CallExpression") return undefined;
  const name = node.type === "Identifier" ? node.name : (memberName(node) ?? "");
  // Outside a handler a name proves nothing: a tool may print the token it was asked to make.
  return isSecretName(name) && isMadeInHandler(file, node) ? `"${name}"` : undefined;
}

function isMadeInHandler(file: File, node: Node): boolean {
  let root = node;
  while (root.type === "MemberExpression") root = settled(root.object);
  const fn = handlerAround(file, node)?.fn;
  const made = variableOf(file, root)?.defs[0]?.name;
  return fn !== undefined && made !== undefined && made.start >= fn.start && made.end <= fn.end;
}

function secretPiece({ part, path }: Piece): string | undefined {
  const [name] = path;
  if (part === "body") {
    if (name === undefined) return "The whole body of the request";
    return isSecretName(path.at(-1) ?? "") ? `"${path.at(-1)}" of the request` : undefined;
  }
  if (part === "headers") {
    if (name === undefined) return "Every header, the credentials among them,";
    return /^(authorization|cookie|x-api-key|x-auth-token)$/.test(name) ? `The header ${name}` : undefined;
  }
  if (part === "cookies") return "A cookie";
  return part === "query" && name !== undefined && isSecretName(name) ? `"${name}" of the URL` : undefined;
}
