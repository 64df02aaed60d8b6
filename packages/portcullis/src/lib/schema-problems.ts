import { isBoundedPattern } from "./bounded-pattern.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Place, Repetition } from "./schema-places.ts";
import { maxPlaces, walkPlaces } from "./schema-places.ts";
import type { Shape } from "./shape.ts";
import { leavesOf, shapeReader } from "./schema-shape.ts";

/** Why a schema cannot guard a route, and what to write instead. */
export interface SchemaProblem {
  /** JSON Pointer into the data the schema describes; any item of an array is `*`. The whole value is "". */
  readonly pointer: string;
  /** What is wrong, a phrase whose subject is the place: "is open: a caller may add fields". */
  readonly problem: string;
  /** What to write instead, a phrase. */
  readonly fix: string;
}

/**
 * What keeps a schema from guarding an input: anything a caller could make larger than declared, or add to it.
 *
 * Every object must be closed, and every text, array and number bounded on the side that can grow. A record is a
 * problem even over listed names, because JSON Schema does not say whether its library refuses the others.
 */
export function inputProblems(schema: JsonSchema): readonly SchemaProblem[] {
  return problemsOf(schema, (shape, report) => {
    if (shape.types.has("object") && !shape.closed) {
      if (shape.record !== undefined) report(problems.record);
      else report(problems.openInput);
    }
    if (shape.values !== undefined) return;
    if (shape.types.has("string") && !isBoundedText(shape)) {
      report(shape.formats.some((format) => endlessFormats.has(format)) ? problems.endlessFormat : problems.text);
    }
    if (shape.types.has("array") && shape.maxItems === Number.POSITIVE_INFINITY) report(problems.array);
    if (shape.types.has("integer") && !isBoundedNumber(shape)) report(problems.number);
  });
}

/**
 * What keeps a schema from saying what leaves: open objects, unnamed types, lists without an end.
 *
 * A record over listed names is fine here, because our own serializer writes those names and no others.
 */
export function outputProblems(schema: JsonSchema): readonly SchemaProblem[] {
  return problemsOf(schema, (shape, report) => {
    if (shape.types.has("object") && !shape.closed && shape.record !== "listed") {
      report(shape.record === "open" ? problems.record : problems.openOutput);
    }
    if (shape.types.has("array") && shape.maxItems === Number.POSITIVE_INFINITY) report(problems.array);
  });
}

/**
 * Where a schema takes or gives the id of some object: fields named `id`, `…Id`, `…Ids`, `…_id`, `…_uuid` and the like,
 * and fields whose format is made for ids (uuid, ulid, cuid, ksuid, xid, nanoid), at any depth.
 *
 * @returns pointers of the fields, in declared order; a list of ids is named by its field, not by its items. "" where
 *   the whole value is an id or a list of them. Where a recursive schema brings ids again, the place that repeats them
 */
export function idFields(schema: JsonSchema): readonly string[] {
  const pointers = new Set<string>();
  const repetitions: Repetition[] = [];
  walkPlaces(
    schema,
    ({ name, pointer, fieldPointer, shape }) => {
      const isNamedSo = name !== undefined && pointer === fieldPointer && idName.test(name);
      if (isNamedSo || shape.formats.some((format) => idFormats.has(format))) pointers.add(fieldPointer);
    },
    (repetition) => repetitions.push(repetition),
  );
  const ids = [...pointers];
  for (const { pointer, above } of repetitions) {
    if (ids.some((id) => id === above || id.startsWith(`${above}/`))) pointers.add(pointer);
  }
  return [...pointers];
}

/** Pointers of all declared places, at any depth; the whole value is "", any item of an array `*`. */
export function placePointers(schema: JsonSchema): ReadonlySet<string> {
  const pointers = new Set<string>();
  walkPlaces(schema, ({ pointer }) => pointers.add(pointer));
  return pointers;
}

/** Names of the properties an object schema declares at its top, over all alternatives, in declared order. */
export function fieldNames(schema: JsonSchema): readonly string[] {
  const names = new Set<string>();
  walkPlaces(schema, ({ pointer, shape }) => {
    if (pointer !== "" || shape.alternatives !== undefined) return;
    for (const name of shape.fields.keys()) names.add(name);
  });
  return [...names];
}

/**
 * Whether a field at the top always holds a text or a number, so that requests can be counted by it: in every
 * alternative, and never left out.
 */
export function whyNotCounted(schema: JsonSchema, name: string): "absent" | "optional" | "other-type" | undefined {
  const reader = shapeReader(schema);
  const fields = leavesOf(reader, reader(schema)).map((leaf) => leaf.fields.get(name));
  if (fields.every((field) => field === undefined)) return "absent";
  if (fields.some((field) => field === undefined || !field.required)) return "optional";
  const leaves = fields.flatMap((field) => (field === undefined ? [] : leavesOf(reader, reader(field.schema))));
  const isCounted = (type: string): boolean => type === "string" || type === "integer" || type === "number";
  return leaves.every(({ types }) => [...types].every(isCounted)) ? undefined : "other-type";
}

/** Where a field of this name is declared, at any depth, spelled exactly so. Empty: nowhere. */
export function placesOfField(schema: JsonSchema, name: string): readonly string[] {
  const pointers = new Set<string>();
  walkPlaces(schema, (place) => {
    if (place.name === name && place.pointer === place.fieldPointer) pointers.add(place.pointer);
  });
  return [...pointers];
}

/** Whether a field of this name is declared at any depth. */
export function declaresField(schema: JsonSchema, name: string): boolean {
  return placesOfField(schema, name).length > 0;
}

type Report = (problem: Omit<SchemaProblem, "pointer">) => void;

function problemsOf(schema: JsonSchema, judge: (shape: Shape, report: Report) => void): readonly SchemaProblem[] {
  const found = new Map<string, SchemaProblem>();
  function report(pointer: string, problem: string, fix: string): void {
    found.set(`${pointer}\n${problem}`, { pointer, problem, fix });
  }
  const complete = walkPlaces(schema, ({ pointer, shape }: Place) => {
    for (const reason of shape.unclear) {
      report(pointer, `is not clear: ${reason}`, "say the exact type, with the keywords that are supported");
    }
    if (shape.alternatives !== undefined || shape.unclear.length > 0) return;
    judge(shape, ({ problem, fix }) => report(pointer, problem, fix));
  });
  if (!complete) {
    report("", `has more than ${maxPlaces} places`, "split it, or reach fewer definitions from it");
  }
  return [...found.values()];
}

function isBoundedText(shape: Shape): boolean {
  return (
    shape.maxLength < Number.POSITIVE_INFINITY ||
    shape.formats.some((format) => boundedFormats.has(format)) ||
    shape.patterns.some(isBoundedPattern)
  );
}

/** The largest double is where JSON's numbers end anyway, so naming it bounds nothing (`z.float64()`). */
function isBoundedNumber(shape: Shape): boolean {
  return shape.minimum > -Number.MAX_VALUE && shape.maximum < Number.MAX_VALUE;
}

/**
 * Formats whose grammar ends. The fraction of a second in `date-time` and `time` may be long by RFC 3339; they are here
 * because nobody puts a length on a time, and the cap on the body ends it.
 */
const boundedFormats: ReadonlySet<string> = new Set([
  "uuid",
  "date",
  "date-time",
  "time",
  "ipv4",
  "ipv6",
  "cidrv4",
  "cidrv6",
  "mac",
  "ulid",
  "xid",
  "ksuid",
  "e164",
]);

/** Well-known formats that look as if they ended and do not: named in the problem, because it surprises. */
const endlessFormats: ReadonlySet<string> = new Set([
  "email",
  "idn-email",
  "uri",
  "uri-reference",
  "iri",
  "hostname",
  "cuid",
  "cuid2",
  "nanoid",
  "jwt",
  "base64",
  "base64url",
  "duration",
  "regex",
  "emoji",
]);

const idFormats: ReadonlySet<string> = new Set(["uuid", "guid", "ulid", "cuid", "cuid2", "ksuid", "xid", "nanoid"]);

/**
 * By capital or by separator, so that "paid", "PAID", "grid" and "languid" are words and "projectId", "URLId",
 * "X-Project-ID", "project_uuid" and "userGuid" are ids. Whatever `IdName` (policy-checks.ts) calls an id is one here.
 */
const idName =
  /(?:^|[_-])(?:id|ID|uuid|UUID|guid|GUID|ulid|ULID)[sS]?$|(?:Id|Uuid|Guid|Ulid)[sS]?$|[a-z0-9](?:ID|UUID|GUID|ULID)s?$/;

const problems = {
  openInput: {
    problem: "is open: a caller may add fields",
    fix: "close it: z.strictObject({ … }), which says additionalProperties: false",
  },
  openOutput: {
    problem: "is open: it does not say which fields may leave",
    fix: "close it: z.object({ … }) or z.strictObject({ … }), which says additionalProperties: false",
  },
  record: {
    problem: "is a record: its names are not declared",
    fix: "name each field in a closed object, or take a bounded array of { key, value } objects",
  },
  text: {
    problem: "is a text without a greatest length",
    fix: "add .max(n), or an enum, or a format or anchored pattern that cannot grow",
  },
  endlessFormat: {
    problem: "is a text without a greatest length, and its format does not set one",
    fix: "add .max(n): 254 for an e-mail address, 2000 for a URL",
  },
  array: {
    problem: "is an array without a greatest number of items",
    fix: "add .max(n)",
  },
  number: {
    problem: "is a number that is not bounded on both sides",
    fix: "add .min(a) and .max(b), or take z.int()",
  },
} as const;
