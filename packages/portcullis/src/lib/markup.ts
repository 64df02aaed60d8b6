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
 * attribute values in double or single quotes, so that none can begin an element or an attribute.
 *
 * @throws TypeError where a value stands where escaping cannot help: in an attribute without quotes, inside a tag's or
 *   attribute's name, in a comment, in `<script>` or `<style>`; this is the application's mistake, the same at every call
 * @see OWASP Cross Site Scripting Prevention Cheat Sheet, OWASP ASVS 5.0 1.2.1
 */
export function markup(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  assertPlaces(parts);
  let text = parts[0] ?? "";
  for (const [index, value] of values.entries()) text += written(value) + (parts[index + 1] ?? "");
  return Markup.of(text);
}

function written(value: MarkupValue): string {
  if (value === undefined || value === null || value === false) return "";
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  if (value instanceof Markup) return value.toString();
  if (isList(value)) return value.map(written).join("");
  throw new TypeError("markup holds texts, numbers, markup and lists of them");
}

function isList(value: MarkupValue): value is readonly MarkupValue[] {
  return Array.isArray(value);
}

/** Escapes a text for element content and quoted attribute values. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"'`]/g, (one) => `&#${one.charCodeAt(0)};`);
}

const looked = new WeakSet<TemplateStringsArray>();

/** Reads a template once as a browser would: every value has to stand in content or in a quoted attribute value. */
function assertPlaces(parts: TemplateStringsArray): void {
  if (looked.has(parts)) return;
  let place = "content";
  let raw: string | undefined;
  for (const [index, part] of parts.entries()) {
    for (let at = 0; at < part.length; at++) {
      const one = part.charAt(at);
      if (place === "content") {
        if (part.startsWith("<!--", at)) throw misplaced("a comment stands in the template");
        if (one !== "<") continue;
        raw = /^<(?:script|style|textarea|title|xmp|iframe|noscript|plaintext)[\s/>]/i.exec(part.slice(at))?.[0];
        if (raw !== undefined && !/^<(?:textarea|title)/i.test(raw)) throw misplaced(`${raw} stands in the template`);
        place = "tag";
      } else if (place === "tag") {
        if (one === ">") place = "content";
        else if (one === '"' || one === "'") place = one;
      } else if (one === place) place = "tag";
    }
    if (index < parts.length - 1 && place === "tag") throw misplaced("a value stands in a tag, outside quotes");
  }
  if (place !== "content") throw misplaced("the template ends inside a tag");
  looked.add(parts);
}

function misplaced(what: string): TypeError {
  return new TypeError(`markup not written: ${what}`);
}
