import { type ProtectionId, protection } from "portcullis/checklist";
import type { CallExpression, Expression, NewExpression, Node, ObjectExpression, Program } from "./ast.ts";
import type { Finding, Report, Rule } from "./tool.ts";

/** A scope as ESLint's scope analysis makes it. */
export interface Scope {
  readonly set: ReadonlyMap<string, Variable>;
  readonly upper: Scope | null;
}

/** A name in its scope: where it is made, where it is used. */
export interface Variable {
  readonly name: string;
  readonly defs: readonly {
    readonly type: string;
    readonly name: Node;
    readonly node: Node;
    readonly parent?: Node | null;
  }[];
  readonly references: readonly { readonly identifier: Node; readonly init?: boolean; isWrite(): boolean }[];
}

/** One file under examination. */
export interface File {
  readonly filename: string;
  readonly sourceCode: { readonly text: string; readonly ast: Program; getScope(node: Node): Scope };
}

interface Listeners {
  CallExpression?(node: CallExpression): void;
  NewExpression?(node: NewExpression): void;
  ObjectExpression?(node: ObjectExpression): void;
  AssignmentExpression?(node: Extract<Expression, { type: "AssignmentExpression" }>): void;
  LogicalExpression?(node: Extract<Expression, { type: "LogicalExpression" }>): void;
  VariableDeclarator?(node: Extract<Node, { type: "VariableDeclarator" }>): void;
  TemplateLiteral?(node: Extract<Expression, { type: "TemplateLiteral" }>): void;
  "Program:exit"?(node: Program): void;
}

/**
 * Makes the rule of one protection.
 *
 * @param id        the protection; its row of the checklist is the description
 * @param findings  what the rule can find, by message id
 * @param look      makes the listeners for one file; `report` says what was found there
 */
export function defineRule<const Ids extends string>(
  id: ProtectionId,
  findings: Readonly<Record<Ids, Finding>>,
  look: (file: File, report: (node: Node, found: Ids, data?: Readonly<Record<string, string>>) => void) => Listeners,
): Rule {
  const messages = Object.entries<Finding>(findings).map(([name, { problem, fix }]) => [name, `${problem} ${fix}`]);
  return {
    meta: {
      type: "problem",
      docs: { description: protection(id).promise, page: `docs/protections/${id}.md`, findings },
      messages: Object.fromEntries(messages),
      schema: [],
    },
    create(context: Context) {
      const listeners = look(context, (node, messageId, data) =>
        context.report(data === undefined ? { node, messageId } : { node, messageId, data }),
      );
      return { ...listeners };
    },
  };
}

/** The same as `AnyContext`, with the tree and the scopes as they really are. */
interface Context extends File {
  report(report: Report): void;
}
