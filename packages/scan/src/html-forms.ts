/** A form of a page, as far as somebody needs it who fills it in. */
export interface Form {
  /** Where it is sent, as written; "" is the page itself. */
  readonly action: string;
  /** Upper case. */
  readonly method: string;
  readonly fields: readonly Field[];
  readonly buttons: readonly Button[];
}

/** Something of a form that has a name. */
export interface Field {
  readonly name: string;
  /** Lower case: `text`, `password`, `hidden`, `checkbox`, …; `select` and `textarea` are those elements. */
  readonly type: string;
  readonly value: string;
  readonly checked: boolean;
}

/** What sends a form. */
export interface Button {
  readonly name: string;
  readonly value: string;
  /** What stands on it. */
  readonly label: string;
}

/**
 * The forms of a page. It reads what servers write for people to sign in; it is no HTML parser, and nothing it reads is
 * ever shown as HTML.
 */
export function formsIn(html: string): readonly Form[] {
  const cut = html.slice(0, mostText);
  const text = without(without(cut, /<!--/g, /-->/g), /<script\b/gi, /<\/script>/gi);
  return elementsIn(text, "form").map(([attributes, inside]) => {
    const of = attributesOf(attributes);
    const id = of.get("id");
    return {
      action: of.get("action") ?? "",
      method: (of.get("method") ?? "get").toUpperCase(),
      fields: fieldsIn(inside),
      // A button may stand anywhere on the page and name its form.
      buttons: [...buttonsIn(inside), ...(id === undefined ? [] : buttonsIn(text, id))],
    };
  });
}

/**
 * Where a page leads by itself, as one does that sets a cookie which no redirect may carry on: the addresses of its
 * `<meta http-equiv="refresh">`, as written.
 */
export function refreshesIn(html: string): readonly string[] {
  return [...html.slice(0, mostText).matchAll(/<meta\b([^<>]*)>/gi)].flatMap(([, attributes = ""]) => {
    const of = attributesOf(attributes);
    if (of.get("http-equiv")?.toLowerCase() !== "refresh") return [];
    return /\burl\s*=\s*["']?([^"']*)/i.exec(of.get("content") ?? "")?.[1]?.trim() ?? [];
  });
}

/** A page is read so far, characters, and so many forms of it: whoever answers may have made it to be slow to read. */
const mostText = 256 * 1024;
const mostForms = 20;

/** Elements of a name, their attributes and what stands in them; each place of the text is looked at once. */
function elementsIn(text: string, name: string): readonly (readonly [attributes: string, inside: string])[] {
  const found: [string, string][] = [];
  const opening = new RegExp(`<${name}\\b([^<>]*)>`, "gi");
  const closing = new RegExp(`</${name}>`, "gi");
  for (let open = opening.exec(text); open !== null && found.length < mostForms; open = opening.exec(text)) {
    closing.lastIndex = opening.lastIndex;
    const close = closing.exec(text);
    if (close === null) break;
    found.push([open[1] ?? "", text.slice(opening.lastIndex, close.index)]);
    opening.lastIndex = closing.lastIndex;
  }
  return found;
}

/** The text without what stands between two marks, and without them; what is not closed stays. */
function without(text: string, opening: RegExp, closing: RegExp): string {
  const parts: string[] = [];
  let from = 0;
  for (let open = opening.exec(text); open !== null; open = opening.exec(text)) {
    closing.lastIndex = opening.lastIndex;
    if (closing.exec(text) === null) break;
    parts.push(text.slice(from, open.index));
    from = closing.lastIndex;
    opening.lastIndex = from;
  }
  return parts.join("") + text.slice(from);
}

const pressing = new Set(["submit", "image", "button", "reset"]);

function fieldsIn(html: string): readonly Field[] {
  const fields: Field[] = [];
  for (const [, attributes = ""] of html.matchAll(/<input\b([^<>]*)>/gi)) {
    const of = attributesOf(attributes);
    const type = (of.get("type") ?? "text").toLowerCase();
    const name = of.get("name");
    if (name === undefined || pressing.has(type)) continue;
    const value = of.get("value") ?? (type === "checkbox" || type === "radio" ? "on" : "");
    fields.push({ name, type, value, checked: of.has("checked") });
  }
  for (const [attributes, inside] of elementsIn(html, "select")) {
    const name = attributesOf(attributes).get("name");
    const options = [...inside.matchAll(/<option\b([^<>]*)>/gi)].map(([, option = ""]) => attributesOf(option));
    const chosen = options.find((option) => option.has("selected")) ?? options[0];
    if (name !== undefined) fields.push({ name, type: "select", value: chosen?.get("value") ?? "", checked: false });
  }
  for (const [attributes, inside] of elementsIn(html, "textarea")) {
    const name = attributesOf(attributes).get("name");
    if (name !== undefined) fields.push({ name, type: "textarea", value: unescaped(inside), checked: false });
  }
  return fields;
}

function buttonsIn(html: string, form?: string): readonly Button[] {
  const buttons: Button[] = [];
  for (const [attributes, inside] of elementsIn(html, "button")) {
    const of = attributesOf(attributes);
    if ((of.get("type") ?? "submit").toLowerCase() !== "submit" || of.get("form") !== form) continue;
    const label = unescaped(inside.replace(/<[^<>]*>/g, " ")).trim();
    buttons.push({ name: of.get("name") ?? "", value: of.get("value") ?? "", label });
  }
  for (const [, attributes = ""] of html.matchAll(/<input\b([^<>]*)>/gi)) {
    const of = attributesOf(attributes);
    if (!/^(?:submit|image)$/i.test(of.get("type") ?? "") || of.get("form") !== form) continue;
    const value = of.get("value") ?? "";
    buttons.push({ name: of.get("name") ?? "", value, label: value });
  }
  return buttons;
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  const pattern = /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>`]+)))?/g;
  for (const [, name = "", double, single, bare] of text.matchAll(pattern)) {
    out.set(name.toLowerCase(), unescaped(double ?? single ?? bare ?? ""));
  }
  return out;
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

/** The text with its character references resolved. */
export function unescaped(text: string): string {
  return text.replace(/&(?:#x([\da-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/gi, (whole, hex, decimal, name) => {
    if (typeof name === "string") return named[name.toLowerCase()] ?? whole;
    const code = typeof hex === "string" ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
