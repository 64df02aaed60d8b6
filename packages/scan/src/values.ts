import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textAt, textsAt } from "./json.ts";
import { accepts, fromPattern } from "./pattern.ts";
import type { Random } from "./random.ts";
import { Unreachable } from "./scan-error.ts";
import { simplified, typeOf } from "./schema.ts";

/** How values are made. */
export interface ValueOptions {
  readonly random: Random;
  /** Marker put into every free string that has room for it, so that it can be found again. */
  readonly canary?: string;
  /** A value to use for a member of this name, such as a known user's id. */
  readonly known?: (name: string, schema: JsonRecord) => unknown;
  /** True for members to leave out where they are not required. */
  readonly omit?: (name: string) => boolean;
  /** Leave out every member that is not required; default false. */
  readonly requiredOnly?: boolean;
  /**
   * Prefer what the description shows as an example, but for members that hold free text by their name; default false.
   * Some schemas allow any text where the API behind takes a few words only.
   */
  readonly examples?: boolean;
  /** The schemas a value is being made for, outermost first: one that comes again has no end. */
  readonly within?: readonly JsonRecord[];
  /** How much may still be made, in values and thousands of characters; one value and all that is in it share it. */
  readonly room?: { left: number };
}

/** No honest request takes more; a schema can ask for any number. */
const mostRoom = 20_000;

/**
 * A value that the schema accepts: constants, enums, formats, bounds and patterns are kept.
 *
 * @param schema  JSON Schema without references
 * @param name    the member the value is for; helps to recognise ids and addresses
 * @throws Unreachable when the schema asks for something we cannot make; the message names the member
 */
export function validValue(schema: JsonRecord, given: ValueOptions, name = "value", depth = 0): unknown {
  const room = given.room ?? { left: mostRoom };
  const options = given.room === undefined ? { ...given, room } : given;
  const plain = simplified(schema);
  room.left -= 1 + Math.max(0, numberAt(plain, "minLength") ?? 0) / 1000;
  if (!(room.left > 0)) throw new Unreachable(`"${name}" asks for more than any request holds`);
  const known = options.known?.(name, plain);
  if (known !== undefined) return known;
  if (plain["$ref"] !== undefined || options.within?.includes(schema) === true)
    throw new Unreachable(`"${name}" refers to itself without an end`);
  if (options.examples === true) {
    const shown = exampleOf(plain);
    if (shown !== undefined && !(typeof shown === "string" && isFreeText(plain, name))) return shown;
  }
  if (plain["const"] !== undefined) return plain["const"];
  const choices = listAt(plain, "enum").filter((entry) => entry !== null);
  if (choices.length > 0) return choices[options.random.int(0, choices.length - 1)];
  switch (typeOf(plain)) {
    case "object":
      return objectValue(plain, { ...options, within: [...(options.within ?? []), schema] }, depth);
    case "array":
      return arrayValue(plain, { ...options, within: [...(options.within ?? []), schema] }, name, depth);
    case "integer":
    case "number":
      return numberValue(plain, options.random);
    case "boolean":
      return options.random.int(0, 1) === 1;
    case "null":
      return null;
    case "string":
      return textValue(plain, options, name);
    default:
      return options.canary ?? options.random.text(8);
  }
}

/** What the description shows as a value of it; undefined where it shows none, or a list or object, which is made whole. */
function exampleOf(schema: JsonRecord): unknown {
  const shown = schema["example"] ?? listAt(schema, "examples")[0] ?? schema["default"];
  return typeof shown === "object" ? undefined : shown;
}

/** True for what people write as they like, by its name; a marker is welcome there. */
function isFreeText(schema: JsonRecord, name: string): boolean {
  if (schema["pattern"] !== undefined || schema["format"] !== undefined) return false;
  return /^(?:.*(?:name|title|text|body|content|comment|note|message|description|summary|subject|label|bio))$/i.test(
    name,
  );
}

/** True where a string may be anything, so that a canary fits in. */
export function takesCanary(schema: JsonRecord, canary: string): boolean {
  const plain = simplified(schema);
  if (typeOf(plain) !== "string" || plain["enum"] !== undefined || plain["const"] !== undefined) return false;
  if (textAt(plain, "format") !== undefined) return isUrl(textAt(plain, "format"));
  return plain["pattern"] === undefined && (numberAt(plain, "maxLength") ?? Number.POSITIVE_INFINITY) >= canary.length;
}

function isUrl(format: string | undefined): boolean {
  return format === "uri" || format === "url" || format === "uri-reference" || format === "iri";
}

function objectValue(schema: JsonRecord, options: ValueOptions, depth: number): JsonRecord {
  const out: Record<string, unknown> = {};
  if (depth > 6) return out;
  const required = new Set(textsAt(schema, "required"));
  for (const [name, member] of Object.entries(recordAt(schema, "properties") ?? {})) {
    if (!isRecord(member)) continue;
    if ((options.requiredOnly === true || options.omit?.(name) === true) && !required.has(name)) continue;
    try {
      out[name] = validValue(member, options, name, depth + 1);
    } catch (error) {
      if (required.has(name) || !(error instanceof Unreachable)) throw error;
    }
  }
  return out;
}

function arrayValue(schema: JsonRecord, options: ValueOptions, name: string, depth: number): readonly unknown[] {
  const least = numberAt(schema, "minItems") ?? 0;
  const most = numberAt(schema, "maxItems") ?? Number.POSITIVE_INFINITY;
  const count = Math.min(Math.max(least, 1), most);
  const items = recordAt(schema, "items") ?? {};
  const length = depth > 6 || (least === 0 && !isMakeable(items, options, name, depth)) ? least : count;
  const made: unknown[] = [];
  const seen = new Set<string>();
  // What must not repeat is made again, a few times: a short enum has no more to give.
  for (let tries = 0; made.length < length && tries < length * 8; tries += 1) {
    const value = validValue(items, options, name, depth + 1);
    const text = JSON.stringify(value);
    if (schema["uniqueItems"] === true && seen.has(text)) continue;
    seen.add(text);
    made.push(value);
  }
  return made;
}

function isMakeable(schema: JsonRecord, options: ValueOptions, name: string, depth: number): boolean {
  if (options.within === undefined) return true;
  try {
    validValue(schema, { ...options, random: options.random.fork("is it makeable?") }, name, depth + 1);
    return true;
  } catch (error) {
    if (error instanceof Unreachable) return false;
    throw error;
  }
}

function numberValue(schema: JsonRecord, random: Random): number {
  const step = numberAt(schema, "multipleOf") ?? 1;
  // OpenAPI 3.0 and 2.0 say `exclusiveMinimum: true` beside `minimum`; later ones give the bound itself.
  const above =
    numberAt(schema, "exclusiveMinimum") ??
    (schema["exclusiveMinimum"] === true ? numberAt(schema, "minimum") : undefined);
  const below =
    numberAt(schema, "exclusiveMaximum") ??
    (schema["exclusiveMaximum"] === true ? numberAt(schema, "maximum") : undefined);
  const least = above === undefined ? numberAt(schema, "minimum") : above + step;
  const most = below === undefined ? numberAt(schema, "maximum") : below - step;
  const low = least ?? (most === undefined || most >= step ? step : most - 20 * step);
  const high = most ?? Math.max(low, 0) + 20 * step;
  const first = Math.ceil(low / step);
  const last = Math.floor(Math.min(high, low + 1000 * step) / step);
  const value = random.int(first, Math.max(first, last)) * step;
  return Number.isInteger(step) ? value : Number(value.toPrecision(12));
}

function textValue(schema: JsonRecord, options: ValueOptions, name: string): string {
  const least = numberAt(schema, "minLength") ?? 0;
  const most = numberAt(schema, "maxLength") ?? Number.POSITIVE_INFINITY;
  const pattern = textAt(schema, "pattern");
  const hint = textAt(schema, "format") === undefined ? hintOf(name) : undefined;
  const candidates = [
    formatted(textAt(schema, "format"), options),
    formatted(hint, options),
    pattern === undefined ? padded(options.canary ?? options.random.text(10), least, most) : undefined,
    options.canary,
    pattern === undefined ? undefined : fromPattern(pattern, options.random),
    // Beyond what can be made of a pattern, the description may show a value.
    ...[schema["example"], listAt(schema, "examples")[0], schema["default"]].flatMap((shown) =>
      typeof shown === "string" ? [shown] : [],
    ),
  ];
  for (const candidate of candidates) {
    if (candidate === undefined || candidate.length < least || candidate.length > most) continue;
    if (pattern === undefined || accepts(pattern, candidate) === true) return candidate;
  }
  throw new Unreachable(`no value for "${name}" fits its schema (${pattern ?? textAt(schema, "format") ?? "length"})`);
}

/** The format a name promises where the schema says none. */
function hintOf(name: string): string | undefined {
  if (/^(?:.*[a-z_-])?e-?mail(?:_?address)?$/i.test(name)) return "email";
  if (/(?:^|_)(?:url|uri|website|homepage)$|(?:Url|Uri|URL)$/.test(name)) return "uri";
  if (/^(?:phone|mobile|tel)(?:_?number)?$/i.test(name)) return "phone";
  return undefined;
}

function padded(text: string, least: number, most: number): string {
  if (text.length > most) return text.slice(text.length - most);
  return text.length < least ? text + "x".repeat(least - text.length) : text;
}

function formatted(format: string | undefined, options: ValueOptions): string | undefined {
  const { random } = options;
  const mark = options.canary ?? `pc-${random.text(10)}`;
  switch (format) {
    case "uuid":
      return random.uuid();
    case "email":
      return `${mark}@example.com`;
    case "date-time":
      return new Date(Date.UTC(2026, random.int(0, 11), random.int(1, 28), 12)).toISOString();
    case "date":
      return new Date(Date.UTC(2026, random.int(0, 11), random.int(1, 28))).toISOString().slice(0, 10);
    case "time":
      return "12:00:00Z";
    case "uri":
    case "url":
    case "iri":
    case "uri-reference":
      return `https://example.com/${mark}`;
    case "hostname":
      return "example.com";
    case "phone":
      return `+1202555${String(random.int(1000, 9999))}`;
    case "password":
      return `Pc-${random.text(10)}-9aZ!`;
    case "byte":
      return Buffer.from(mark).toString("base64");
    case "duration":
      return "PT1H";
    case "json-pointer":
      return "/a";
    case "ipv4":
      return "192.0.2.1";
    case "ipv6":
      return "2001:db8::1";
    default:
      return undefined;
  }
}
