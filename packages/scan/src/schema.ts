import { choiceOf } from "./discriminator.ts";
import { isRecord, type JsonRecord, listAt, recordAt, textAt, textsAt } from "./json.ts";

/** The type a schema asks for, the first where it lists several; undefined where it does not say. */
export function typeOf(schema: JsonRecord): string | undefined {
  const type = schema["type"];
  if (typeof type === "string") return type;
  const first = textsAt(schema, "type").find((name) => name !== "null");
  if (first !== undefined) return first;
  if (isRecord(schema["properties"])) return "object";
  if (schema["items"] !== undefined) return "array";
  return undefined;
}

/**
 * One plain schema in place of `allOf` (merged), `anyOf` and `oneOf` (the first branch that is not null, with what its
 * discriminator says). Enough to make a valid value and to know which members are declared.
 */
export function simplified(schema: JsonRecord, depth = 0): JsonRecord {
  if (depth > 8) return schema;
  let out: JsonRecord = schema;
  for (const part of listAt(schema, "allOf")) {
    if (isRecord(part)) out = merged(out, simplified(part, depth + 1));
  }
  const branches = [...listAt(schema, "anyOf"), ...listAt(schema, "oneOf")];
  // A branch that only refers to itself has no end; another one is taken where there is one.
  const usable = branches.filter((entry) => isRecord(entry) && textAt(entry, "type") !== "null");
  const branch = usable.find((entry) => textAt(entry, "$ref") === undefined) ?? usable[0];
  if (!isRecord(branch)) return out;
  const choice = choiceOf(schema, branches.indexOf(branch));
  const chosen = merged(out, simplified(branch, depth + 1));
  if (choice === undefined) return chosen;
  return merged(chosen, { properties: { [choice[0]]: { const: choice[1] } }, required: [choice[0]] });
}

function merged(left: JsonRecord, right: JsonRecord): JsonRecord {
  return {
    ...left,
    ...right,
    properties: { ...recordAt(left, "properties"), ...recordAt(right, "properties") },
    required: [...textsAt(left, "required"), ...textsAt(right, "required")],
  };
}

/** The declared members of an object schema with their schemas; empty where it declares none. */
export function propertiesOf(schema: JsonRecord): ReadonlyMap<string, JsonRecord> {
  const out = new Map<string, JsonRecord>();
  for (const [name, member] of Object.entries(recordAt(simplified(schema), "properties") ?? {})) {
    out.set(name, isRecord(member) ? member : {});
  }
  return out;
}

/** The members an object schema demands. */
export function requiredOf(schema: JsonRecord): readonly string[] {
  return textsAt(simplified(schema), "required");
}

/** True where an object schema forbids members it does not declare. */
export function isClosed(schema: JsonRecord): boolean {
  const plain = simplified(schema);
  return plain["additionalProperties"] === false || plain["unevaluatedProperties"] === false;
}

/**
 * The members of an answer that its schema does not declare, as paths (`items[].passwordHash`).
 *
 * @param strict  true: an object schema that declares members declares all of them. false: only a closed one does.
 */
export function undeclaredMembers(value: unknown, schema: JsonRecord, strict: boolean): readonly string[] {
  return membersWhere(value, schema, (objects) => objects.length > 0 && objects.every((one) => forbids(one, strict)));
}

/**
 * The members of an answer that its schema neither declares nor forbids, as paths: those of an object whose schema is
 * open (no `additionalProperties: false`) or says nothing about members.
 *
 * @see JSON Schema 2020-12 core, section 10.3.2.3: additional properties are allowed unless the schema says otherwise
 */
export function unsaidMembers(value: unknown, schema: JsonRecord): readonly string[] {
  return membersWhere(
    value,
    schema,
    (objects) => !objects.some((one) => isRecord(one["additionalProperties"])) && objects.every(isOpen),
  );
}

/** Undeclared members that a test of the object schemas they stand in chooses; it is given none where nothing is said. */
function membersWhere(
  value: unknown,
  schema: JsonRecord,
  isFound: (objects: readonly JsonRecord[]) => boolean,
): readonly string[] {
  const found = new Set<string>();
  collect(value, [schema], "", 0);
  return [...found];

  function collect(part: unknown, schemas: readonly JsonRecord[], path: string, depth: number): void {
    if (depth > 16) return;
    const plain = schemas.flatMap((entry) => branchesOf(entry));
    if (Array.isArray(part)) {
      const items = plain.map((entry) => recordAt(entry, "items")).filter(isRecord);
      for (const entry of part) collect(entry, items, `${path}[]`, depth + 1);
      return;
    }
    if (!isRecord(part)) return;
    const objects = plain.filter(
      (entry) => isRecord(entry["properties"]) || entry["additionalProperties"] !== undefined,
    );
    for (const [name, member] of Object.entries(part)) {
      const place = path === "" ? name : `${path}.${name}`;
      const declared = objects.map((entry) => recordAt(recordAt(entry, "properties"), name)).filter(isRecord);
      if (declared.length > 0) collect(member, declared, place, depth + 1);
      else if (isFound(objects)) found.add(place);
    }
  }
}

function isOpen(schema: JsonRecord): boolean {
  return !forbids(schema, false) && schema["patternProperties"] === undefined;
}

function forbids(schema: JsonRecord, strict: boolean): boolean {
  const extra = schema["additionalProperties"];
  if (extra === false || schema["unevaluatedProperties"] === false) return true;
  return strict && extra === undefined && schema["patternProperties"] === undefined;
}

/** Every branch an answer may match: the schema itself and all of `anyOf`, `oneOf`; `allOf` merged. */
function branchesOf(schema: JsonRecord, depth = 0): readonly JsonRecord[] {
  if (depth > 6) return [schema];
  const branches = [...listAt(schema, "anyOf"), ...listAt(schema, "oneOf")].filter(isRecord);
  if (branches.length === 0) return [simplified(schema)];
  return branches.flatMap((entry) => branchesOf(entry, depth + 1));
}
