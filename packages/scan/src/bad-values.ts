import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textAt } from "./json.ts";
import { accepts } from "./pattern.ts";
import { propertiesOf, requiredOf, simplified, typeOf } from "./schema.ts";

/** What a value is wrong in. A finding is one of these, however many members let it in. */
export type Fault = "type" | "missing" | "length" | "items" | "enum" | "range" | "format" | "pattern";

/** A body with exactly one thing wrong. */
export interface BadValue {
  readonly fault: Fault;
  /** For people: `name over 100 characters`. */
  readonly what: string;
  readonly body: JsonRecord;
}

/** Deeper members are left to the schema library that checks the ones above. */
const deepest = 2;

/** Longer values than that are a matter of the body's size. */
const longest = 20_000;

/**
 * Everything the schema forbids in a body that it allows, one thing at a time, members of members too. Where the schema
 * says nothing, nothing is wrong.
 *
 * @param body    accepted by the schema and by the API
 * @param schema  of an object
 */
export function badValues(body: JsonRecord, schema: JsonRecord): readonly BadValue[] {
  return badMembers(body, simplified(schema), "", 0, (changed) => changed);
}

function badMembers(
  object: JsonRecord,
  schema: JsonRecord,
  above: string,
  depth: number,
  within: (changed: JsonRecord) => JsonRecord,
): readonly BadValue[] {
  const bad: BadValue[] = [];
  for (const name of requiredOf(schema)) {
    if (object[name] === undefined) continue;
    const { [name]: _left, ...rest } = object;
    bad.push({ fault: "missing", what: `no ${above}${name}`, body: within(rest) });
  }
  for (const [name, given] of propertiesOf(schema)) {
    const value = object[name];
    if (value === undefined) continue;
    const member = simplified(given);
    const place = `${above}${name}`;
    const set = (changed: unknown) => within({ ...object, [name]: changed });
    // What need not be there is often left out by naming nothing.
    const mayBeNull = nullable(given) || !requiredOf(schema).includes(name);
    for (const [fault, what, changed] of faultsOf(value, member, mayBeNull)) {
      bad.push({ fault, what: `${place} ${what}`, body: set(changed) });
    }
    if (isRecord(value) && depth < deepest) bad.push(...badMembers(value, member, `${place}.`, depth + 1, set));
    const [first, ...others] = Array.isArray(value) ? value : [];
    const items = recordAt(member, "items");
    if (items !== undefined && first !== undefined) {
      for (const [fault, what, changed] of faultsOf(first, simplified(items), nullable(items))) {
        bad.push({ fault, what: `${place}[] ${what}`, body: set([changed, ...others]) });
      }
    }
  }
  return bad;
}

type FaultOf = readonly [fault: Fault, what: string, value: unknown];

/** What is wrong for a schema that a value fits, as words that follow its name. */
function faultsOf(value: unknown, schema: JsonRecord, mayBeNull: boolean): readonly FaultOf[] {
  const faults: FaultOf[] = [];
  const type = typeOf(schema);
  const isChoice = listAt(schema, "enum").length > 0 || schema["const"] !== undefined;
  for (const wrong of wrongTypes(type, value)) faults.push(["type", `as ${kindOf(wrong)}`, wrong]);
  if (type !== undefined && !mayBeNull) faults.push(["type", "as null", null]);
  if (isChoice && type !== "object") faults.push(["enum", "not in the list", notIn(type)]);
  if (typeof value === "string" && !isChoice) faults.push(...textFaults(value, schema));
  if (typeof value === "number" && !isChoice) faults.push(...numberFaults(value, schema));
  const most = numberAt(schema, "maxItems");
  if (Array.isArray(value) && most !== undefined && most < 1000 && value.length > 0) {
    const first: unknown = value[0];
    faults.push(["items", `with more than ${most} entries`, Array.from<unknown>({ length: most + 1 }).fill(first)]);
  }
  if (Array.isArray(value) && (numberAt(schema, "minItems") ?? 0) > 0) faults.push(["items", "without entries", []]);
  return faults;
}

function wrongTypes(type: string | undefined, value: unknown): readonly unknown[] {
  switch (type) {
    case "string":
      return [[value], { $ne: null }, 7, true];
    case "array":
      return ["x", {}];
    case "object":
      return ["x", [value]];
    case "integer":
    case "number":
    case "boolean":
      return ["x", [value], String(value)];
    default:
      return [];
  }
}

function notIn(type: string | undefined): unknown {
  return type === "integer" || type === "number" ? 987_654_321 : "pc-not-in-the-list";
}

function textFaults(value: string, schema: JsonRecord): readonly FaultOf[] {
  const faults: FaultOf[] = [];
  const most = numberAt(schema, "maxLength");
  if (most !== undefined && most < longest)
    faults.push(["length", `over ${most} characters`, lengthened(value, most + 1)]);
  if ((numberAt(schema, "minLength") ?? 0) > 0) faults.push(["length", "as an empty text", ""]);
  const format = textAt(schema, "format") ?? "";
  if (isStrict(format)) faults.push(["format", `that is no ${format}`, "pc no such thing"]);
  const pattern = textAt(schema, "pattern");
  if (pattern !== undefined && !isStrict(format) && accepts(pattern, "pc \u00a7\t~") === false)
    faults.push(["pattern", "against its pattern", "pc \u00a7\t~"]);
  return faults;
}

/** Formats that have one reading; the others are hints to people. */
function isStrict(format: string): boolean {
  return /^(?:uuid|email|date-time|date|ipv4|ipv6|uri|url)$/.test(format);
}

function numberFaults(value: number, schema: JsonRecord): readonly FaultOf[] {
  const faults: FaultOf[] = [];
  const high = numberAt(schema, "maximum");
  const low = numberAt(schema, "minimum");
  if (high !== undefined && high < Number.MAX_SAFE_INTEGER) faults.push(["range", `over ${high}`, high + 1]);
  if (low !== undefined && low > Number.MIN_SAFE_INTEGER) faults.push(["range", `under ${low}`, low - 1]);
  if (typeOf(schema) === "integer") faults.push(["type", "as a fraction", value + 0.5]);
  return faults;
}

function kindOf(entry: unknown): string {
  if (Array.isArray(entry)) return "a list";
  return typeof entry === "object" ? "an object" : typeof entry === "string" ? "a text" : `a ${typeof entry}`;
}

function nullable(schema: JsonRecord): boolean {
  if (schema["nullable"] === true || listAt(schema, "type").includes("null") || schema["type"] === "null") return true;
  if (listAt(schema, "enum").includes(null)) return true;
  return [...listAt(schema, "anyOf"), ...listAt(schema, "oneOf"), ...listAt(schema, "allOf")].some(
    (entry) => isRecord(entry) && nullable(entry),
  );
}

/** A long local part keeps an address an address and a path a URL: only the length is wrong. */
function lengthened(value: string, length: number): string {
  const at = value.indexOf("@");
  if (at > 0) return `${"a".repeat(Math.max(1, length - (value.length - at)))}${value.slice(at)}`;
  return value + "a".repeat(Math.max(0, length - value.length));
}
