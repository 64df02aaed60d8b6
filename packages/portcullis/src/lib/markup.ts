import { type ValuePlace, valuePlaces } from "./markup-places.ts";

/**
 * HTML whose every inserted value was escaped; made by {@link markup} alone.
 */
export class Markup {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** Only for {@link markup}, which has escaped what was inserted. */
  static of(text: string): Markup {
    return new Markup(text);
  }

  toString(): string {
    return this.#text;
  }
}

/** What a template may hold: texts and numbers are escaped, markup stays, lists are joined, nothing is nothing. */
export type MarkupValue = string | number | Markup | readonly MarkupValue[] | undefined | null | false;

/**
 * Writes HTML: `` markup`<p class="name">${name}</p>` ``. Every inserted value is escaped for element content and for
 * attribute values in double or single quotes, so that none can begin an element or an attribute; where an address
 * begins (`href="${link}"`), one that would run a script is written as `about:invalid`.
 *
 * @throws TypeError where a value stands where escaping cannot help: in an attribute without quotes, inside a tag's or
 *   attribute's name, in a comment, in `<script>` or `<style>`, in `onclick` and its like; where markup stands in an
 *   attribute; this is the application's mistake, the same at every call
 * @see OWASP Cross Site Scripting Prevention Cheat Sheet, OWASP ASVS 5.0 1.2.1 and 1.2.2
 */
export function markup(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  const places = valuePlaces(parts);
  let text = parts[0] ?? "";
  for (const [index, value] of values.entries()) {
    text += written(value, places[index] ?? "text") + (parts[index + 1] ?? "");
  }
  return Markup.of(text);
}

function written(value: MarkupValue, place: ValuePlace): string {
  if (value === undefined || value === null || value === false) return "";
  if (typeof value === "string") return escapeHtml(place === "address" ? harmlessAddress(value) : value);
  if (typeof value === "number") return String(value);
  if (value instanceof Markup) {
    // There its quotes would end the attribute, and what was escaped for another place would go on as names.
    if (place !== "content") throw new TypeError("markup not written: markup stands in an attribute or a plain text");
    return value.toString();
  }
  if (isList(value)) return value.map((one) => written(one, place)).join("");
  throw new TypeError("markup holds texts, numbers, markup and lists of them");
}

function isList(value: MarkupValue): value is readonly MarkupValue[] {
  return Array.isArray(value);
}

/**
 * Escapes a text for element content and quoted attribute values. Browsers drop NUL or make U+FFFD of it, and read a
 * carriage return as a line feed; both are written so that every reader reads one thing.
 */
export function escapeHtml(text: string): string {
  return text.replaceAll("\0", "\uFFFD").replaceAll(/[&<>"'`\r]/g, (one) => `&#${one.charCodeAt(0)};`);
}

/** An address whose scheme is one that shows or runs nothing of its own, or that has none before its path. */
function harmlessAddress(text: string): string {
  // Browsers look past blanks and controls at the start, and past tabs and line breaks anywhere. WHATWG URL section 4.4
  const read = text.replaceAll(/[\u0000-\u0020]/g, "");
  const isHarmless = !/^[^/?#]*:/.test(read) || HARMLESS.test(read);
  return isHarmless ? text : "about:invalid";
}

/** What has a dot in its scheme is an application's own. RFC 8252 section 7.1 */
const HARMLESS = /^(?:https?|mailto|tel|[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+):/i;
