import type { Random } from "./random.ts";
import type { Operation } from "./target.ts";
import { validValue } from "./values.ts";

/** What a valid body is made with. */
export interface BodyOptions {
  readonly random: Random;
  /** Marker put into every free string. */
  readonly canary: string;
  /** The account to name where a member asks for a person; undefined where none is known. */
  readonly person: () => string | undefined;
}

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
    known: (name) => (namesPerson(name) ? options.person() : undefined),
    omit: (name) => references.has(name) || namesObject(name),
  });
}

/** True for members that look like the id of an object: `replyToId`, `viewer_ids`, `parentUuid`. */
function namesObject(name: string): boolean {
  return /(?:[a-z0-9]Id|[a-z0-9]ID|_id|^id)s?$|[Uu]uids?$/.test(name);
}
