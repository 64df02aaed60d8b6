import { member, textAt } from "./member.ts";

/** What is needed of an API; asked for by shape, so that any version of the library will do. */
export interface Exported {
  problems(): readonly unknown[];
  manifest(): unknown;
}

/** Whether a module's export is what `createApi()` returned. */
export function isApi(value: unknown): value is Exported {
  return typeof member(value, "problems") === "function" && typeof member(value, "manifest") === "function";
}

/** A problem in lines: where, what, and how to fix it. */
export function said(problem: unknown): string {
  const where = [textAt(problem, "where"), textAt(problem, "field")].filter((part) => part !== undefined).join(", ");
  const fix = textAt(problem, "fix");
  return `${where}: ${textAt(problem, "problem") ?? ""}${fix === undefined ? "" : `\n  fix: ${fix}`}`;
}
