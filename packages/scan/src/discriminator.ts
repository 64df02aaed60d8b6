import { isRecord, type JsonRecord, listAt, recordAt, textAt } from "./json.ts";

/** Where {@link markBranches} keeps the value that chooses each branch, in the order of the branches. */
const mark = "x-pc-chooses";

/**
 * Writes beside every discriminator which value chooses which branch. It has to be done before references are resolved,
 * because a branch is known by the name it is referred to by, and that name is gone afterwards.
 *
 * @param document  changed in place
 * @see OpenAPI 3.1 section 4.8.25, Discriminator Object: the mapping, else the last part of the reference
 */
export function markBranches(document: JsonRecord): void {
  const seen = new Set<unknown>();
  const open: unknown[] = [document];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (typeof part !== "object" || part === null || seen.has(part)) continue;
    seen.add(part);
    if (isRecord(part)) markSchema(part);
    const members: readonly unknown[] = Object.values(part);
    open.push(...members);
  }
}

/** The member that chooses between the branches of a schema and its value for one of them; undefined where none does. */
export function choiceOf(schema: JsonRecord, branch: number): readonly [name: string, value: string] | undefined {
  const discriminator = recordAt(schema, "discriminator");
  const name = textAt(discriminator, "propertyName");
  const value = listAt(discriminator, mark)[branch];
  return name === undefined || typeof value !== "string" ? undefined : [name, value];
}

function markSchema(schema: JsonRecord): void {
  const discriminator = schema["discriminator"];
  if (!isRecord(discriminator)) return;
  const mapping = Object.entries(recordAt(discriminator, "mapping") ?? {});
  const values = [...listAt(schema, "anyOf"), ...listAt(schema, "oneOf")].map((branch) => {
    const reference = textAt(branch, "$ref") ?? "";
    const name = reference.split("/").at(-1) ?? "";
    return mapping.find(([, to]) => to === reference || to === name)?.[0] ?? name;
  });
  Object.assign(discriminator, { [mark]: values });
}
