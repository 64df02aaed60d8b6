/** An object of unknown members, as `JSON.parse` leaves it. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** True for a plain JSON object; arrays and null are not. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The member as an object, or undefined where it is anything else. */
export function recordAt(value: unknown, key: string): JsonRecord | undefined {
  const member = isRecord(value) ? value[key] : undefined;
  return isRecord(member) ? member : undefined;
}

/** The member as a string, or undefined where it is anything else. */
export function textAt(value: unknown, key: string): string | undefined {
  const member = isRecord(value) ? value[key] : undefined;
  return typeof member === "string" ? member : undefined;
}

/** The member as a finite number, or undefined where it is anything else. */
export function numberAt(value: unknown, key: string): number | undefined {
  const member = isRecord(value) ? value[key] : undefined;
  return typeof member === "number" && Number.isFinite(member) ? member : undefined;
}

/** The member as a list; empty where it is anything else. */
export function listAt(value: unknown, key: string): readonly unknown[] {
  const member = isRecord(value) ? value[key] : undefined;
  return Array.isArray(member) ? member : [];
}

/** The strings of a member that is a list of strings; empty where it is anything else. */
export function textsAt(value: unknown, key: string): readonly string[] {
  return listAt(value, key).filter((entry) => typeof entry === "string");
}

/** What the text says as JSON, or undefined where it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/**
 * Visits every value of a JSON document, outermost first.
 *
 * @param visit  gets the path (`items[].id`; list positions are folded into `[]`), the member's own name and the value
 */
export function walk(
  value: unknown,
  visit: (path: string, name: string, value: unknown) => void,
  path = "",
  name = "",
  depth = 0,
): void {
  visit(path, name, value);
  if (depth > 24) return;
  if (Array.isArray(value)) {
    for (const entry of value) walk(entry, visit, `${path}[]`, name, depth + 1);
  } else if (isRecord(value)) {
    for (const [key, member] of Object.entries(value)) {
      walk(member, visit, path === "" ? key : `${path}.${key}`, key, depth + 1);
    }
  }
}
