import { type JsonRecord, listAt, recordAt } from "./json.ts";
import type { Random } from "./random.ts";
import { typeOf } from "./schema.ts";
import type { Operation } from "./target.ts";
import { validValue } from "./values.ts";

/** What a valid body is made with. */
export interface BodyOptions {
  readonly random: Random;
  /** Marker put into every free string. */
  readonly canary: string;
  /** The account to name where a member asks for a person; undefined where none is known. */
  readonly person: () => string | undefined;
  /** The id of an object that a member may name; undefined where none is known. Only required members are asked for. */
  readonly reference?: (name: string, schema: JsonRecord) => unknown;
  /** What its sender may do by his token: nobody gives away more. */
  readonly scopes?: readonly string[] | undefined;
  /** How to fill it; default `marked`. */
  readonly way?: Way;
}

/**
 * How a body is filled: every member with a marker wherever it fits, with what the description shows as examples, or with
 * what is required alone. An API may refuse one and take another.
 */
export type Way = "marked" | "examples" | "required";

/** The ways, in the order they are tried. */
export const ways: readonly Way[] = ["marked", "examples", "required"];

/** True for members and parameters that name a person: `userId`, `member_id`, `accountId`. */
export function namesPerson(name: string): boolean {
  return /(?:user|member|account)_?id$/i.test(name);
}

/**
 * A valid body of an operation; undefined where it takes none. Optional members that name objects are left out: a
 * made-up id would be refused, and a real one is an attack of its own.
 *
 * @throws Unreachable when the schema asks for something we cannot make
 */
export function honestBody(operation: Operation, options: BodyOptions): unknown {
  if (operation.body === undefined) return undefined;
  const references = new Set(operation.objects.filter((use) => use.in === "body").map((use) => use.field));
  return validValue(operation.body.schema, {
    random: options.random,
    canary: options.canary,
    known: (name, schema) =>
      (namesPerson(name) ? options.person() : undefined) ??
      (namesObject(name) ? options.reference?.(name, schema) : undefined) ??
      (isListOfScopes(name, schema) ? options.scopes?.slice(0, 1) : undefined),
    omit: (name) => references.has(name) || namesObject(name),
    examples: options.way === "examples",
    requiredOnly: options.way === "required",
  });
}

/** True for a list of scopes that may be any text. */
function isListOfScopes(name: string, schema: JsonRecord): boolean {
  const items = recordAt(schema, "items") ?? {};
  return /^(?:scopes?|permissions?)$/i.test(name) && typeOf(schema) === "array" && listAt(items, "enum").length === 0;
}

/** True for members that look like the id of an object: `replyToId`, `viewer_ids`, `parentUuid`. */
export function namesObject(name: string): boolean {
  return /(?:[a-z0-9]Id|[a-z0-9]ID|_id|^id)s?$|[Uu]uids?$/.test(name);
}
