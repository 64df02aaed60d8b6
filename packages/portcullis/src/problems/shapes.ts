/** What a program without types may have written anywhere: looked at before anything relies on its type. */
export type Written = Readonly<Record<string, unknown>>;

/** An object to look into; a list, a text and null are none. */
export function isObject(value: unknown): value is Written {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list of texts. A text alone is none: read as a list it would be its letters. */
export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

/** A schema of any library: some are objects, some functions. */
export function isSchema(value: unknown): boolean {
  const isThere = (typeof value === "object" && value !== null) || typeof value === "function";
  return isThere && "~standard" in value;
}

/** A value as a message shows it, shortened; never the content of an object. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
