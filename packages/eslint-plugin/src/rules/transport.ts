import { isLiteral, keyOf, memberName, stringIn } from "../ast.ts";
import { originOf } from "../origin.ts";
import { defineRule } from "../rule.ts";

/** Connections that take anybody's certificate for the right one. */
export const transport = defineRule(
  "transport",
  {
    unchecked: {
      problem: "The other side's certificate is not checked: whoever sits in between reads and changes everything.",
      fix: "Leave the check on, and name a private authority: ca, or NODE_EXTRA_CA_CERTS.",
    },
    uncheckedProcess: {
      problem: "No outgoing connection of this process checks a certificate any more.",
      fix: "Take it out, and name a private authority with NODE_EXTRA_CA_CERTS.",
    },
  },
  (file, report) => ({
    ObjectExpression(object) {
      for (const property of object.properties) {
        if (property.type !== "Property" || keyOf(property) !== "rejectUnauthorized") continue;
        if (isLiteral(property.value, false)) report(property, "unchecked");
      }
    },
    AssignmentExpression({ left, right, operator }) {
      if (operator !== "=" || left.type !== "MemberExpression") return;
      const name = memberName(left);
      if (name === "rejectUnauthorized" && isLiteral(right, false)) report(left, "unchecked");
      if (name !== "NODE_TLS_REJECT_UNAUTHORIZED" || !(stringIn(right) === "0" || isLiteral(right, 0))) return;
      const origin = originOf(file, left.object);
      const isEnvironment =
        (origin.kind === "global" && origin.name === "process" && origin.path.join(".") === "env") ||
        (origin.kind === "import" && origin.module === "process");
      if (isEnvironment) report(left, "uncheckedProcess");
    },
  }),
);
