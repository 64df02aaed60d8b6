/** A source file, and what the rule of a protection finds in it. */
export interface Case {
  /** A sentence: what is found, or why nothing is. */
  readonly name: string;
  /** Where it stands; default: src/app.ts. */
  readonly file?: string;
  readonly code: string;
  /** Message ids, in the order of the lines; none for code that is fine. */
  readonly found: readonly string[];
}

/** Code in which something is found: the message ids are separated by spaces. */
export function finds(found: string, name: string, code: string, file?: string): Case {
  return { name, code, found: found.split(" "), ...(file === undefined ? {} : { file }) };
}

/** Code that looks like it and is fine. */
export function leaves(name: string, code: string, file?: string): Case {
  return { name, code, found: [], ...(file === undefined ? {} : { file }) };
}

/** A file of Express with `app` and `router`; the code stands at the end. */
export function inExpress(code: string): string {
  return `import express from "express";\nconst app = express();\nconst router = express.Router();\n${code}`;
}
