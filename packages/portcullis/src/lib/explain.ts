import { pointerSegment } from "./json-pointer.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { ShapeReader } from "./schema-shape.ts";
import type { Shape } from "./shape.ts";
import { leavesOf, shapeReader } from "./schema-shape.ts";
import { typeOf } from "./shape.ts";
import type { StandardIssue } from "./standard-schema.ts";

/** What was wrong with one place of an input; safe to show to whoever sent it. */
export interface InputIssue {
  /** JSON Pointer into what was sent. Names are cut to 64 characters; the whole value is "". */
  readonly pointer: string;
  readonly reason: InputReason;
}

/** The fixed list of reasons; a validator's own text never leaves. */
export type InputReason = "missing" | "unknown" | "type" | "length" | "range" | "format" | "not-allowed";

/** Most entries one refusal carries. */
export const maxInputIssues = 20;

/**
 * Says what was wrong with a refused value, from our own walk over its JSON Schema.
 *
 * The schema's library has refused the value; its issues say where, and we say why. An entry of ours stands only where
 * the library complained too (there, above or below), because a pattern or a refinement may be beyond JSON Schema; and
 * what the library complains about and our walk cannot name is `not-allowed`. Lengths of texts are UTF-16 units.
 * Patterns are not run again: a text of the right type and length about which the library complains is `format`.
 *
 * @param schema  JSON Schema of the input
 * @param value  what was sent
 * @param vendorIssues  what the library said; only the paths are read. Empty: our walk alone decides
 * @returns at most 20 entries, and at least one when `vendorIssues` has one. The work is bounded whatever was sent
 */
export function explain(
  schema: JsonSchema,
  value: unknown,
  vendorIssues: readonly StandardIssue[],
): readonly InputIssue[] {
  const complaints = vendorIssues.slice(0, maxComplaints).map(pointerOfIssue);
  const walk: Walk = {
    reader: shapeReader(schema),
    complaints: new Set(complaints),
    left: maxSteps,
    found: [],
  };
  inspect(walk, walk.reader(schema), value, "", 0);

  const entries = new Map<string, InputIssue>();
  for (const issue of walk.found) {
    if (complaints.length === 0 || complaints.some((complaint) => isRelated(complaint, issue.pointer))) {
      entries.set(issue.pointer, issue);
    }
  }
  for (const complaint of complaints) {
    if (![...entries.keys()].some((pointer) => isRelated(complaint, pointer))) {
      entries.set(complaint, { pointer: complaint, reason: "not-allowed" });
    }
  }
  return [...entries.values()].slice(0, maxInputIssues);
}

/** Most complaints of the library that are read. */
const maxComplaints = 100;

/** Most values looked at in one walk. */
const maxSteps = 10_000;

/** Deepest nesting followed; JSON bodies end long before. */
const maxDepth = 64;

/** Most segments of one pointer the library gave. */
const maxSegments = 64;

interface Walk {
  readonly reader: ShapeReader;
  readonly complaints: ReadonlySet<string>;
  left: number;
  /** Entries so far; one more than `maxInputIssues` is never needed. */
  found: InputIssue[];
}

function inspect(walk: Walk, shape: Shape, value: unknown, pointer: string, depth: number): void {
  if (walk.left === 0 || walk.found.length >= maxInputIssues || depth > maxDepth) return;
  walk.left--;
  if (shape.alternatives !== undefined) return inspectAlternatives(walk, shape, value, pointer, depth);

  const reason = reasonAgainst(shape, value, walk.complaints.has(pointer));
  if (reason !== undefined) {
    walk.found.push({ pointer, reason });
    return;
  }
  if (Array.isArray(value)) inspectItems(walk, shape, value, pointer, depth);
  else if (isRecord(value)) inspectFields(walk, shape, value, pointer, depth);
}

/** What is wrong with the value itself, not with what it holds. */
function reasonAgainst(shape: Shape, value: unknown, isComplainedAbout: boolean): InputReason | undefined {
  if (value === undefined) return "missing";
  const type = typeOf(value);
  if (shape.types.size === 0 && shape.unclear.length === 0) return "not-allowed";
  if (shape.types.size > 0 && !shape.types.has(type)) return "type";
  if (shape.values !== undefined) return shape.values.has(value) ? undefined : "not-allowed";
  if (typeof value === "string") {
    if (value.length < shape.minLength || value.length > shape.maxLength) return "length";
    return isComplainedAbout && shape.formats.length + shape.patterns.length > 0 ? "format" : undefined;
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return "type";
    if (value < shape.minimum || (shape.minimumExcluded && value === shape.minimum)) return "range";
    if (value > shape.maximum || (shape.maximumExcluded && value === shape.maximum)) return "range";
    return isComplainedAbout && shape.multiples.length > 0 ? "range" : undefined;
  }
  if (Array.isArray(value)) {
    return value.length < shape.minItems || value.length > shape.maxItems ? "length" : undefined;
  }
  return undefined;
}

function inspectItems(walk: Walk, shape: Shape, value: readonly unknown[], pointer: string, depth: number): void {
  for (let index = 0; index < value.length && walk.left > 0 && walk.found.length < maxInputIssues; index++) {
    const item = shape.prefixItems[index] ?? shape.items ?? true;
    if (item !== true) inspect(walk, walk.reader(item), value[index], `${pointer}/${index}`, depth + 1);
  }
}

function inspectFields(walk: Walk, shape: Shape, value: Record<string, unknown>, pointer: string, depth: number): void {
  for (const [name, field] of shape.fields) {
    if (walk.left === 0) return;
    walk.left--;
    const held = Object.hasOwn(value, name) ? value[name] : undefined;
    const at = pointer + pointerSegment(name);
    if (held !== undefined) inspect(walk, walk.reader(field.schema), held, at, depth + 1);
    else if (field.required) walk.found.push({ pointer: at, reason: "missing" });
    if (walk.found.length >= maxInputIssues) return;
  }
  if (!shape.closed && shape.record !== "listed") return;
  for (const name in value) {
    if (walk.left === 0 || walk.found.length >= maxInputIssues) return;
    walk.left--;
    if (!shape.fields.has(name)) walk.found.push({ pointer: pointer + pointerSegment(name), reason: "unknown" });
  }
}

/** Explains against the one alternative that was meant, if that can be told; else names the place as a whole. */
function inspectAlternatives(walk: Walk, shape: Shape, value: unknown, pointer: string, depth: number): void {
  const leaves = leavesOf(walk.reader, shape);
  walk.left = Math.max(0, walk.left - leaves.length);
  const ofType = leaves.filter((leaf) => leaf.types.has(typeOf(value)) || leaf.unclear.length > 0);
  if (ofType.length === 0) {
    walk.found.push({ pointer, reason: leaves.every((leaf) => leaf.types.size === 0) ? "not-allowed" : "type" });
    return;
  }
  const tagged = isRecord(value) ? ofType.filter((leaf) => bearsTagsOf(walk, leaf, value)) : ofType;
  if (tagged.length === 0 && isRecord(value)) return nameTag(walk, ofType, value, pointer);
  const [only, ...others] = tagged;
  if (only !== undefined && others.length === 0) return inspect(walk, only, value, pointer, depth + 1);

  const before = walk.found;
  for (const leaf of tagged) {
    walk.found = [];
    inspect(walk, leaf, value, pointer, depth + 1);
    const fits = walk.found.length === 0;
    walk.found = before;
    if (fits || walk.left === 0) return;
  }
  before.push({ pointer, reason: "not-allowed" });
}

/** Whether the fields with listed values (the tags of a discriminated union) hold one of theirs. */
function bearsTagsOf(walk: Walk, leaf: Shape, value: Record<string, unknown>): boolean {
  for (const [name, field] of leaf.fields) {
    const values = field.required ? walk.reader(field.schema).values : undefined;
    if (values !== undefined && !(Object.hasOwn(value, name) && values.has(value[name]))) return false;
  }
  return true;
}

/** No alternative has these tags: the tag that all of them demand is what is wrong. */
function nameTag(walk: Walk, leaves: readonly Shape[], value: Record<string, unknown>, pointer: string): void {
  const [first, ...others] = leaves;
  for (const [name, field] of first?.fields ?? []) {
    const isTag = [field, ...others.map((leaf) => leaf.fields.get(name))].every(
      (found) => found?.required === true && walk.reader(found.schema).values !== undefined,
    );
    if (!isTag) continue;
    const at = pointer + pointerSegment(name);
    const held = Object.hasOwn(value, name) ? value[name] : undefined;
    if (held === undefined) walk.found.push({ pointer: at, reason: "missing" });
    else if (!leaves.some((leaf) => tagValues(walk, leaf, name)?.has(held))) {
      walk.found.push({ pointer: at, reason: "not-allowed" });
    } else continue;
    return;
  }
  walk.found.push({ pointer, reason: "not-allowed" });
}

function tagValues(walk: Walk, leaf: Shape, name: string): ReadonlySet<unknown> | undefined {
  const field = leaf.fields.get(name);
  return field === undefined ? undefined : walk.reader(field.schema).values;
}

function pointerOfIssue(issue: StandardIssue): string {
  let pointer = "";
  for (const segment of issue.path?.slice(0, maxSegments) ?? []) {
    const key = typeof segment === "object" ? segment.key : segment;
    pointer += pointerSegment(String(key));
  }
  return pointer;
}

/** The same place, or one above or below the other. */
function isRelated(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
