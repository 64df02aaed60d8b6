// What a rule and the tool that runs it ask of each other; nothing of the syntax tree, so that users need no types of it.

/** What a rule can find: what is wrong, and how to mend it. Words in double braces are filled in where it is found. */
export interface Finding {
  readonly problem: string;
  readonly fix: string;
}

/** A node as the tool that runs the rule hands it over. */
export interface AnyNode {
  readonly type: string;
}

/** What is found where. */
export interface Report {
  readonly node: AnyNode;
  readonly messageId: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** What a rule needs of the tool that runs it: ESLint, oxlint and `portcullis check` all have it. */
export interface AnyContext {
  /** The file; its folders tell a Next.js route. */
  readonly filename: string;
  readonly sourceCode: {
    readonly text: string;
    readonly ast: AnyNode;
    getScope(node: AnyNode): unknown;
  };
  report(report: Report): void;
}

/** Called for each node of one type; a method, so that a listener may ask for the very node it listens to. */
type Listener = { listen(node: AnyNode): void }["listen"];

/** One rule as ESLint and oxlint take it, with each finding's fix apart from its problem. */
export interface Rule {
  readonly meta: {
    readonly type: "problem";
    readonly docs: {
      readonly description: string;
      /** Where the page of the protection stands in the project. */
      readonly page: string;
      readonly findings: Readonly<Record<string, Finding>>;
    };
    readonly messages: Readonly<Record<string, string>>;
    readonly schema: [];
  };
  create(context: AnyContext): Readonly<Record<string, Listener>>;
}
