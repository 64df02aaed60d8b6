/** Where a value of a template stands: among elements, in plain text or an attribute, or where an address begins. */
export type ValuePlace = "content" | "text" | "address";

/**
 * Reads a template once, by a grammar that is narrower than browsers': what they would mend in their own ways is
 * refused, so that a value stands where it seems to stand.
 *
 * @returns the place of each value, in order
 * @throws TypeError see `markup`
 */
export function valuePlaces(parts: TemplateStringsArray): readonly ValuePlace[] {
  const known = read.get(parts);
  if (known !== undefined) return known;
  // Only a template has `raw`: a list from somebody's JSON is no template, whatever its texts are.
  if (!Array.isArray(parts) || !Array.isArray(parts.raw)) throw misplaced("it is called as a template: markup`…`");
  if (parts.some((part) => typeof part !== "string" || part.includes(VALUE))) throw misplaced("a broken escape");
  const places = readTemplate(parts.join(VALUE));
  read.set(parts, places);
  return places;
}

const read = new WeakMap<TemplateStringsArray, readonly ValuePlace[]>();

/** Stands for a value while the template is read; no template holds it itself. */
const VALUE = "\0";

function readTemplate(template: string): readonly ValuePlace[] {
  const places: ValuePlace[] = [];
  let plainTextOf: string | undefined;
  for (let at = 0; at < template.length; ) {
    const tagAt = template.indexOf("<", at);
    const text = template.slice(at, tagAt < 0 ? undefined : tagAt);
    addValues(places, text, plainTextOf === undefined ? "content" : "text");
    if (tagAt < 0) break;

    TAG.lastIndex = tagAt;
    const [tag, closing, written = "", attributes = ""] = TAG.exec(template) ?? [];
    if (tag === undefined) {
      throw misplaced("a tag is no plain one: a value in it outside quotes, a comment, or a < that is no &lt;");
    }
    const name = written.toLowerCase();
    if (plainTextOf !== undefined && (closing !== "/" || name !== plainTextOf)) {
      throw misplaced(`a tag stands in ${plainTextOf}, which holds plain text`);
    }
    if (REFUSED.has(name)) throw misplaced(`${name} stands in the template`);
    readAttributes(places, attributes);
    plainTextOf = closing !== "/" && PLAIN_TEXT.has(name) ? name : undefined;
    at = tagAt + tag.length;
  }
  if (plainTextOf !== undefined) throw misplaced(`the template ends inside ${plainTextOf}`);
  return places;
}

function readAttributes(places: ValuePlace[], attributes: string): void {
  for (const [, written = "", quoted = ""] of attributes.matchAll(ATTRIBUTE)) {
    const name = written.toLowerCase();
    if (name.startsWith("on") || name === "style" || name === "srcdoc") throw misplaced(`${name} stands in a tag`);
    if (!ADDRESSES.has(name)) {
      addValues(places, quoted, "text");
      continue;
    }
    if (/^["'\s]*(?:javascript|vbscript|data):/i.test(quoted)) throw misplaced(`${name} runs a script`);
    // Until a literal part has said where the scheme or the path is, every value may still say it.
    const settled = quoted.search(/[:/?#]/);
    addValues(places, settled < 0 ? quoted : quoted.slice(0, settled), "address");
    addValues(places, settled < 0 ? "" : quoted.slice(settled), "text");
  }
}

function addValues(places: ValuePlace[], text: string, place: ValuePlace): void {
  for (let at = text.indexOf(VALUE); at >= 0; at = text.indexOf(VALUE, at + 1)) places.push(place);
}

const BLANK = "[ \\t\\n\\f\\r]";
const NAME = "[a-zA-Z_][a-zA-Z0-9_:.-]*";
const GIVEN = `"[^"]*"|'[^']*'|[^\\0\\s"'=<>\`/]+`;

const ATTRIBUTE = new RegExp(`${BLANK}+(${NAME})(?:${BLANK}*=${BLANK}*(${GIVEN}))?`, "g");
/** Values may stand in quotes alone. WHATWG HTML sections 13.1.2.1 to 13.1.2.3 */
const TAG = new RegExp(
  `<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:${BLANK}+${NAME}(?:${BLANK}*=${BLANK}*(?:${GIVEN}))?)*)${BLANK}*/?>`,
  "y",
);

/** Elements whose content browsers read as text up to their own end tag. WHATWG HTML section 13.1.2 */
const PLAIN_TEXT: ReadonlySet<string> = new Set(["textarea", "title"]);

/** Elements that run, load, hide or redirect, or whose content is read by other rules. No page needs them. */
const REFUSED: ReadonlySet<string> = new Set([
  "applet",
  "base",
  "embed",
  "frame",
  "frameset",
  "iframe",
  "link",
  "meta",
  "noembed",
  "noframes",
  "noscript",
  "object",
  "plaintext",
  "script",
  "style",
  "template",
  "xmp",
]);

/** Attributes that hold an address. WHATWG HTML, index of attributes; SVG 2 section 16 */
const ADDRESSES: ReadonlySet<string> = new Set([
  "action",
  "background",
  "cite",
  "data",
  "formaction",
  "href",
  "longdesc",
  "manifest",
  "ping",
  "poster",
  "src",
  "xlink:href",
]);

function misplaced(what: string): TypeError {
  return new TypeError(`markup not written: ${what}`);
}
