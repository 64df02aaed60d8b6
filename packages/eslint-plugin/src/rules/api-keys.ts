import { type AnyFunction, everyNode, functionsAround, type Node } from "../ast.ts";
import { isSecretName } from "../names.ts";
import { originOf } from "../origin.ts";
import { defineRule, type File } from "../rule.ts";

/** Keys and tokens that can be computed instead of guessed. */
export const apiKeys = defineRule(
  "api-keys",
  {
    predictable: {
      problem: "Math.random is no secret: who has seen a few of its numbers computes the next ones.",
      fix: "Use crypto.getRandomValues, or randomBytes(32) of node:crypto.",
    },
  },
  (file, report) => ({
    VariableDeclarator({ id, init }) {
      if (id.type !== "Identifier" || init === null || !makesSecret(init, id.name)) return;
      const random = everyNode(init).find((node) => node.type === "CallExpression" && isMathRandom(file, node.callee));
      if (random !== undefined) report(init, "predictable");
    },
  }),
);

/** A name that opens something; a bare `key` only in a function that makes keys, since lists in a page have keys too. */
function makesSecret(init: Node, name: string): boolean {
  if (isSecretName(name)) return true;
  if (!/^(key|id|value|result|code)$/.test(name)) return false;
  const [around] = functionsAround(init);
  return (
    around !== undefined && /^(create|generate|make|new|issue|mint)\w*(Key|Token|Secret|Password)$/.test(nameOf(around))
  );
}

function nameOf(fn: AnyFunction): string {
  if (fn.id) return fn.id.name;
  const up = fn.parent;
  return up?.type === "VariableDeclarator" && up.id.type === "Identifier" ? up.id.name : "";
}

function isMathRandom(file: File, callee: Node): boolean {
  const origin = originOf(file, callee);
  return origin.kind === "global" && origin.name === "Math" && origin.path.join(".") === "random";
}
