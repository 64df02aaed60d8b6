import { isRecord, type JsonRecord, recordAt } from "./json.ts";
import { propertiesOf, requiredOf, simplified, typeOf } from "./schema.ts";

/** A member of a body that takes any text, at whatever depth. */
export interface TextMember {
  /** For people and for the names of checks: `filter.city`, `tags[]`. */
  readonly name: string;
  /** Names on the way to it; a number is a place in a list. */
  readonly path: readonly (string | number)[];
}

/** How deep members are looked for. */
const deepest = 3;

/** The members of a body that take any text, those above before those below. */
export function textMembers(schema: JsonRecord): readonly TextMember[] {
  return membersIn(schema, "", [], 0).toSorted((left, right) => left.path.length - right.path.length);
}

function membersIn(
  schema: JsonRecord,
  name: string,
  path: readonly (string | number)[],
  depth: number,
): readonly TextMember[] {
  const plain = simplified(schema);
  if (isFreeText(plain)) return path.length === 0 ? [] : [{ name, path }];
  if (depth >= deepest) return [];
  const items = typeOf(plain) === "array" ? recordAt(plain, "items") : undefined;
  if (items !== undefined) return membersIn(items, `${name}[]`, [...path, 0], depth + 1);
  return [...propertiesOf(plain)].flatMap(([member, own]) =>
    membersIn(own, name === "" ? member : `${name}.${member}`, [...path, member], depth + 1),
  );
}

/** True for a schema of text that neither a list, a format nor a pattern narrows. */
function isFreeText(schema: JsonRecord): boolean {
  const plain = simplified(schema);
  return (
    typeOf(plain) === "string" && ["enum", "const", "format", "pattern"].every((word) => plain[word] === undefined)
  );
}

/** The same value with another one at that place; what is missing on the way there is made. */
export function withMember(value: unknown, path: readonly (string | number)[], put: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return put;
  if (typeof first === "number") return [withMember(Array.isArray(value) ? value[first] : undefined, rest, put)];
  const object = isRecord(value) ? value : {};
  return { ...object, [first]: withMember(object[first], rest, put) };
}

/** The same body without the optional texts, lists and objects: nothing but what is asked for narrows a search. */
export function withoutOptional(body: JsonRecord, schema: JsonRecord): JsonRecord {
  const required = new Set(requiredOf(schema));
  const declared = propertiesOf(schema);
  const kept = Object.entries(body).filter(([name, value]) => {
    if (required.has(name)) return true;
    return typeof value !== "object" && !isFreeText(declared.get(name) ?? {});
  });
  return Object.fromEntries(kept);
}
